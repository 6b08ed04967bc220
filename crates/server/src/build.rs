//! Building images: as Docker's classic builder is spoken to (`classic`), and by this engine's own door (`own`).

mod classic;
mod own;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api::build::BuildPruned;
use axum::extract::State;
use axum::response::IntoResponse as _;
use engine::build::{BuildEvent, BuildRequest, Built, Context};
use http::StatusCode;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;

use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;
use crate::shape::bytes;
pub(crate) use classic::build;
pub(crate) use own::own;

/// `POST /build/prune`.
pub(crate) async fn prune(State(app): State<App>) -> Answer {
    let pruned = app.engine.builds().prune().await?;
    let body = BuildPruned {
        caches_deleted: pruned.keys,
        space_reclaimed: bytes(pruned.bytes),
    };
    Ok(axum::Json(body).into_response())
}

/// `POST /build/cancel`.
pub(crate) async fn cancel(State(app): State<App>, params: Params) -> Answer {
    let Some(name) = params.0.text("id") else {
        return Err(Refusal::bad("build ID not provided"));
    };
    // One that has ended meanwhile needs no cancelling.
    let _stopped = app.engine.builds().cancel(name);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A build under way.
struct UnderWay {
    events: UnboundedReceiver<BuildEvent>,
    ended: Option<oneshot::Receiver<engine::Result<Built>>>,
}

/// Begins a build: it goes on as long as its events are listened to.
fn begin(app: &App, request: BuildRequest, context: Context) -> UnderWay {
    let (sender, events) = mpsc::unbounded_channel();
    let (told, ended) = oneshot::channel();
    let builds = app.engine.builds();
    // A task of its own: a client that goes away ends the build, and what was made is undone by the build itself.
    tokio::spawn(async move {
        drop(told.send(builds.build(request, context, sender).await));
    });
    UnderWay {
        events,
        ended: Some(ended),
    }
}

/// Values by name; null takes one away.
fn map(params: &Params, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let Some(text) = params.0.text(name) else {
        return Ok(BTreeMap::new());
    };
    let values: BTreeMap<String, Option<String>> =
        serde_json::from_str(text).map_err(|e| Refusal::bad(format!("invalid {name}: {e}")))?;
    let given = values.into_iter().filter_map(|(k, v)| Some((k, v?)));
    Ok(given.collect())
}

fn platform(text: &str) -> Result<spec::Platform, Refusal> {
    text.parse()
        .map_err(|e: spec::Error| Refusal::bad(e.to_string()))
}

fn tags<'a>(tags: impl Iterator<Item = &'a str>) -> Result<Vec<spec::Reference>, Refusal> {
    tags.filter(|tag| !tag.is_empty())
        .map(|tag| spec::Reference::parse(tag).map_err(|e| Refusal::bad(e.to_string())))
        .collect()
}
