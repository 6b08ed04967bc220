//! Building images, as Docker's classic builder is spoken to.

use std::collections::BTreeMap;
use std::convert::Infallible;

use api::progress::Message;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use engine::build::{BuildEvent, BuildRequest, CacheUse, PlanRequest};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use spec::{ImageId, Reference};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;

use crate::body;
use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;

type Ended = oneshot::Receiver<engine::Result<ImageId>>;

/// `POST /build`.
pub(crate) async fn build(State(app): State<App>, params: Params, request: Request) -> Answer {
    let asked = asked(&params)?;
    let tags: Vec<String> = asked.tags.iter().map(Reference::familiar).collect();
    let quiet = params.0.flag("q");
    let (sender, events) = mpsc::unbounded_channel();
    let (told, ended) = oneshot::channel();
    let context = body::Reader::new(request.into_body());
    let builds = app.engine.builds();
    // A client that goes away takes the context with it, which ends the build; what was made is undone by the build itself.
    tokio::spawn(async move {
        drop(told.send(builds.build(asked, context, sender).await));
    });
    Ok(answer(Progress {
        events,
        ended: Some(ended),
        tags,
        quiet,
    }))
}

/// `POST /build/prune`.
pub(crate) async fn prune(State(app): State<App>) -> Answer {
    let reclaimed = app.engine.builds().prune().await?;
    let body = json!({ "CachesDeleted": reclaimed, "SpaceReclaimed": 0 });
    Ok(axum::Json(body).into_response())
}

fn asked(params: &Params) -> Result<BuildRequest, Refusal> {
    if params.0.text("version") == Some("2") {
        return Err(Refusal {
            hint: Some("build with DOCKER_BUILDKIT=0".to_owned()),
            ..Refusal::unsupported("BuildKit's sessions are not supported yet")
        });
    }
    // `rm` and `forcerm` ask for what is always done: no container of a step stays.
    for name in [
        "pull",
        "securityopt",
        "cpuperiod",
        "cpusetmems",
        "remote",
        "outputs",
        "squash",
        "cachefrom",
        "cpusetcpus",
        "cpuquota",
        "cpushares",
        "memswap",
        "ulimits",
        "cgroupparent",
    ] {
        let value = params.0.text(name).unwrap_or_default();
        if !matches!(value, "" | "0" | "null" | "[]" | "false") {
            return Err(Refusal::unsupported(format!(
                "build with {name}={value} is not supported yet"
            )));
        }
    }
    let map = |name: &str| -> Result<BTreeMap<String, String>, Refusal> {
        let Some(text) = params.0.text(name) else {
            return Ok(BTreeMap::new());
        };
        let values: BTreeMap<String, Option<String>> =
            serde_json::from_str(text).map_err(|e| Refusal::bad(format!("invalid {name}: {e}")))?;
        Ok(values
            .into_iter()
            .filter_map(|(k, v)| Some((k, v?)))
            .collect())
    };
    let mut plan = PlanRequest {
        target: params.0.text("target").map(str::to_owned),
        build_args: map("buildargs")?,
        labels: map("labels")?,
        ..PlanRequest::default()
    };
    if params.0.flag("nocache") {
        plan.cache = CacheUse::None;
    }
    if let Some(platform) = params.0.text("platform") {
        plan.platform = platform
            .parse()
            .map_err(|e: spec::Error| Refusal::bad(e.to_string()))?;
    }
    let tags = params
        .0
        .all("t")
        .filter(|t| !t.is_empty())
        .map(|t| Reference::parse(t).map_err(|e| Refusal::bad(e.to_string())))
        .collect::<Result<_, _>>()?;
    let network = match params.0.text("networkmode") {
        Some("default") | None => "",
        Some(mode) => mode,
    };
    Ok(BuildRequest {
        dockerfile: params.0.text("dockerfile").unwrap_or_default().to_owned(),
        plan,
        tags,
        network: network.to_owned(),
        extra_hosts: params
            .0
            .text("extrahosts")
            .map(|text| text.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        shm_size: params.number("shmsize")?.unwrap_or(0),
        memory: params.number("memory")?.unwrap_or(0),
    })
}

struct Progress {
    events: UnboundedReceiver<BuildEvent>,
    ended: Option<Ended>,
    tags: Vec<String>,
    quiet: bool,
}

fn answer(progress: Progress) -> Response {
    let lines = stream::unfold(progress, |mut progress| async move {
        let text = progress.next().await?;
        Some((Ok::<_, Infallible>(text), progress))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Progress {
    async fn next(&mut self) -> Option<String> {
        while let Some(event) = self.events.recv().await {
            if !self.quiet {
                return Some(Message::stream(text(event)).line());
            }
        }
        let result = self.ended.take()?.await;
        Some(match result {
            Ok(Ok(id)) => self.done(&id),
            Ok(Err(error)) => {
                let mut text = error.chain();
                if let Some(hint) = &error.hint {
                    text = format!("{text}\n{hint}");
                }
                Message::error(text).line()
            }
            Err(_) => Message::error("the engine is ending").line(),
        })
    }

    fn done(&self, id: &ImageId) -> String {
        let aux = Message {
            aux: Some(json!({ "ID": id.to_string() })),
            ..Message::default()
        };
        if self.quiet {
            return aux.line() + &Message::stream(format!("{id}\n")).line();
        }
        let short: String = id
            .to_string()
            .trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect();
        let mut out = aux.line() + &Message::stream(format!("Successfully built {short}\n")).line();
        for tag in &self.tags {
            out += &Message::stream(format!("Successfully tagged {tag}\n")).line();
        }
        out
    }
}

fn text(event: BuildEvent) -> String {
    match event {
        BuildEvent::Step {
            number,
            total,
            text,
        } => format!("Step {number}/{total} : {text}\n"),
        BuildEvent::Cached => " ---> Using cache\n".to_owned(),
        BuildEvent::Output(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        BuildEvent::Done(key) => format!(" ---> {}\n", key.chars().take(12).collect::<String>()),
        BuildEvent::Warning(text) => text,
    }
}

#[cfg(test)]
mod tests;
