//! What containers use.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use engine::container::{Meter, Sample};
use futures_util::stream::{self, Stream};
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;
use crate::shape;

/// How often a stream has a sample.
const INTERVAL: Duration = Duration::from_secs(1);

pub(crate) async fn stats(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let stream = params.0.flag_or("stream", true);
    let one_shot = params.0.flag("one-shot");
    if stream && one_shot {
        return Err(Refusal::bad("cannot have stream=true and one-shot=true"));
    }
    let meter = app.engine.containers().stats(&name).await?;
    if stream {
        let mut response = Response::new(Body::from_stream(lines(meter)));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        return Ok(response);
    }
    let mut sample = meter.sample().await?.unwrap_or_default();
    let mut before = None;
    // A share of time needs two looks.
    if !one_shot && sample.time.is_some() {
        tokio::time::sleep(INTERVAL).await;
        let first = std::mem::replace(&mut sample, meter.sample().await?.unwrap_or_default());
        before = Some(first);
    }
    let id = meter.id().to_string();
    let answer = shape::stats::encode(id, meter.name(), sample, before.as_ref());
    Ok(axum::Json(answer).into_response())
}

/// A sample a second, until the container is gone or nobody listens.
fn lines(meter: Meter) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold((meter, None), |(meter, before)| async {
        if before.is_some() {
            tokio::time::sleep(INTERVAL).await;
        }
        match meter.sample().await {
            Ok(None) => None,
            Ok(Some(sample)) => {
                let line = line(&meter, sample.clone(), before.as_ref());
                Some((line, (meter, Some(sample))))
            }
            Err(error) => Some((Err(io::Error::other(error.chain())), (meter, before))),
        }
    })
}

fn line(meter: &Meter, sample: Sample, before: Option<&Sample>) -> io::Result<Bytes> {
    let id = meter.id().to_string();
    let answer = shape::stats::encode(id, meter.name(), sample, before);
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    Ok(line.into())
}
