//! Images as archives.

use api::progress::Message;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use engine::Outlet;
use engine::image::{LoadRequest, SaveRequest};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use spec::Platform;

use crate::body;
use crate::error::{Answer, Refusal};
use crate::images::progress;
use crate::request::Params;
use crate::router::App;

/// `POST /images/load`.
pub(crate) async fn load(State(app): State<App>, params: Params, request: Request) -> Answer {
    let platforms = platforms(&params)?;
    let wanted = LoadRequest {
        platform: platforms,
    };
    let loaded = app
        .engine
        .images()
        .load(wanted, body::Reader::new(request.into_body()))
        .await?;
    let references = loaded
        .references
        .iter()
        .map(|name| format!("Loaded image: {name}\n"));
    let ids = loaded
        .ids
        .iter()
        .map(|id| format!("Loaded image ID: {id}\n"));
    let lines: String = references
        .chain(ids)
        .map(|text| Message::stream(text).line())
        .collect();
    Ok(progress(lines))
}

/// `GET /images/get?names=…`.
pub(crate) async fn save(State(app): State<App>, params: Params) -> Answer {
    let names = params.0.all("names").map(str::to_owned).collect();
    save_named(&app, names, &params).await
}

pub(crate) async fn save_named(app: &App, names: Vec<String>, params: &Params) -> Answer {
    let request = SaveRequest {
        names,
        platform: platforms(params)?,
    };
    Ok(tar(app.engine.images().save(request).await?))
}

/// A tar as it is made.
pub(crate) fn tar(outlet: Outlet) -> Response {
    let pieces = stream::unfold(outlet, |mut outlet| async move {
        outlet.next().await.map(|piece| (piece, outlet))
    });
    let kind = HeaderValue::from_static("application/x-tar");
    ([(CONTENT_TYPE, kind)], Body::from_stream(pieces)).into_response()
}

/// The platform that is asked for, in JSON as OCI writes it. Here an image is of one platform, so there is one.
fn platforms(params: &Params) -> Result<Option<Platform>, Refusal> {
    let mut found: Option<Platform> = None;
    for text in params.0.all("platform").filter(|text| !text.is_empty()) {
        let platform = serde_json::from_str(text)
            .map_err(|e| Refusal::bad(format!("invalid platform: {e}")))?;
        if found.replace(platform).is_some() {
            return Err(Refusal::bad("multiple platform parameters not supported"));
        }
    }
    Ok(found)
}
