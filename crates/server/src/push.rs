//! Images to registries: Docker's messages while they go.

use std::convert::Infallible;

use api::progress::{Message, ProgressDetail};
use axum::body::Body;
use axum::response::IntoResponse as _;
use engine::image::{LayerPush, PushNews, PushRequest};
use futures_util::stream;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use spec::Reference;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::oneshot;

use crate::error::{Answer, Refusal};
use crate::pull::credentials;
use crate::request::Params;
use crate::router::App;
use crate::shape;

/// How many messages may wait for a client.
const WAITING: usize = 64;

struct Push {
    first: Option<PushNews>,
    news: Receiver<PushNews>,
    ended: Option<oneshot::Receiver<engine::Result<()>>>,
}

/// `POST /images/NAME/push`.
pub(crate) async fn push(app: App, params: &Params, headers: &HeaderMap, name: &str) -> Answer {
    let bad = |error: spec::Error| Refusal::bad(error.to_string());
    let named = Reference::parse_name(name).map_err(bad)?;
    let reference = match params.0.text("tag") {
        Some(tag) => named.with_tag(tag).map_err(bad)?,
        None => named,
    };
    // Since 1.46 as JSON: an OCI platform.
    let platform = match params.0.text("platform") {
        Some(text) if text.starts_with('{') => {
            Some(serde_json::from_str(text).map_err(|e| Refusal::bad(e.to_string()))?)
        }
        Some(text) => Some(text.parse().map_err(bad)?),
        None => None,
    };
    let request = PushRequest {
        reference,
        platform,
        credentials: credentials(headers)?,
    };
    let (sender, mut news) = mpsc::channel(WAITING);
    let (told, ended) = oneshot::channel();
    let images = app.engine.images();
    // It ends by itself when nobody takes its news, and has then to clear up.
    tokio::spawn(async move {
        drop(told.send(images.push(request, sender).await));
    });
    let Some(first) = news.recv().await else {
        return Err(match ended.await {
            Ok(Err(error)) => error.into(),
            _ => Refusal::bad("the push ended without a word"),
        });
    };
    let push = Push {
        first: Some(first),
        news,
        ended: Some(ended),
    };
    let lines = stream::unfold(push, |mut push| async {
        let line = push.next().await?;
        Some((Ok::<_, Infallible>(line), push))
    });
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], Body::from_stream(lines)).into_response())
}

impl Push {
    async fn next(&mut self) -> Option<String> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.news.recv().await,
        };
        if let Some(news) = next {
            return Some(messages(news));
        }
        let failed = match self.ended.take()?.await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => Refusal::from(error).message,
            Err(_) => "the engine is ending".to_owned(),
        };
        Some(Message::error(failed).line())
    }
}

fn messages(news: PushNews) -> String {
    match news {
        PushNews::To(name) => {
            Message::status(format!("The push refers to repository [{name}]")).line()
        }
        PushNews::Layer(diff, what) => {
            let id = diff.hex()[..12].to_owned();
            let plain = |status: String| Message {
                id: id.clone(),
                progress_detail: Some(ProgressDetail::default()),
                ..Message::status(status)
            };
            match what {
                LayerPush::Preparing => plain("Preparing".to_owned()),
                LayerPush::Pushing(amount) => shape::progress::amount(
                    plain("Pushing".to_owned()),
                    amount.current,
                    amount.total,
                ),
                LayerPush::Pushed => plain("Pushed".to_owned()),
                LayerPush::Exists => plain("Layer already exists".to_owned()),
                LayerPush::Mounted(from) => plain(format!("Mounted from {from}")),
            }
            .line()
        }
        PushNews::Done { tag, digest, size } => {
            let status = Message::status(format!("{tag}: digest: {digest} size: {size}"));
            let aux = Message {
                progress_detail: Some(ProgressDetail::default()),
                aux: Some(json!({"Tag": tag, "Digest": digest.to_string(), "Size": size})),
                ..Message::default()
            };
            status.line() + &aux.line()
        }
    }
}
