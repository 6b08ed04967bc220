//! What happened and what happens.

use std::io;

use api::event::{Actor, Event};
use api::time::parse_query;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use engine::event::{EventFilters, EventRequest, Events};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;

pub(crate) async fn events(State(app): State<App>, params: Params) -> Answer {
    let events = app.engine.events(request(&params)?)?;
    // The head goes out now: whoever asks knows that from here on nothing is missed.
    let mut response = Response::new(Body::from_stream(lines(events)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn request(params: &Params) -> Answer<EventRequest> {
    let asked = params.filters()?;
    asked.only(&EventFilters::KEYS).map_err(Refusal::bad)?;
    let mut filters = EventFilters::default();
    for key in EventFilters::KEYS {
        for value in asked.get(key) {
            filters.add(key, value);
        }
    }
    let moment = |name: &str| match params.0.text(name) {
        None | Some("0") => Ok(None),
        Some(text) => match parse_query(text) {
            Some(time) => Ok(Some(time)),
            None => Err(Refusal::bad(format!("invalid value for {name}: {text:?}"))),
        },
    };
    let (since, until) = (moment("since")?, moment("until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Refusal::bad("`since` cannot be after `until`"));
    }
    Ok(EventRequest {
        since,
        until,
        filters,
    })
}

fn lines(events: Events) -> impl futures_core::Stream<Item = io::Result<Bytes>> {
    stream::unfold(events, |mut events| async {
        let line = match events.next().await? {
            Ok(event) => line(event),
            Err(error) => Err(io::Error::other(error.chain())),
        };
        Some((line, events))
    })
}

fn line(event: engine::event::Event) -> io::Result<Bytes> {
    let mut line = serde_json::to_vec(&encode(event))?;
    line.push(b'\n');
    Ok(line.into())
}

fn encode(event: engine::event::Event) -> Event {
    let old = matches!(event.kind.as_str(), "container" | "image");
    let from = match event.kind.as_str() {
        "container" => event.attributes.get("image").cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let nanos = i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX);
    Event {
        status: if old {
            event.action.clone()
        } else {
            String::new()
        },
        id: if old { event.id.clone() } else { String::new() },
        from,
        kind: event.kind,
        action: event.action,
        actor: Actor {
            id: event.id,
            attributes: event.attributes,
        },
        scope: "local".to_owned(),
        time: event.time.as_second(),
        time_nano: nanos,
    }
}
