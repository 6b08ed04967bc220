//! Images from registries: Docker's messages while they come.

use std::convert::Infallible;

use api::progress::{Message, ProgressDetail};
use axum::body::Body;
use axum::response::IntoResponse as _;
use engine::Credentials;
use engine::image::{Amount, LayerNews, PullNews, PullRequest};
use futures_util::stream;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use spec::Reference;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::oneshot;

use crate::error::{Answer, Refusal};
use crate::request::Params;
use crate::router::App;
use crate::shape;

/// How many messages may wait for a client.
const WAITING: usize = 64;
const AUTH: &str = "x-registry-auth";

/// A pull whose first news are there.
struct Pull {
    first: Option<PullNews>,
    news: Receiver<PullNews>,
    ended: Option<oneshot::Receiver<engine::Result<()>>>,
}

/// `POST /images/create?fromImage=`.
pub(crate) async fn pull(app: App, params: &Params, headers: &HeaderMap, image: &str) -> Answer {
    let request = PullRequest {
        reference: named(image, params.0.text("tag"))?,
        platform: params
            .0
            .text("platform")
            .map(str::parse)
            .transpose()
            .map_err(|error: spec::Error| Refusal::bad(error.to_string()))?,
        credentials: credentials(headers)?,
    };
    let (sender, mut news) = mpsc::channel(WAITING);
    let (told, ended) = oneshot::channel();
    let images = app.engine.images();
    // It ends by itself when nobody takes its news, and has then to clear up.
    tokio::spawn(async move {
        drop(told.send(images.pull(request, sender).await));
    });
    // What fails before anything is known of the image has a status of its own.
    let Some(first) = news.recv().await else {
        let ended = ended.await;
        return Err(match ended {
            Ok(Err(error)) => error.into(),
            _ => Refusal::bad("the pull ended without a word"),
        });
    };
    let lines = stream::unfold(
        Pull {
            first: Some(first),
            news,
            ended: Some(ended),
        },
        |mut pull| async {
            let line = pull.next().await?;
            Some((Ok::<_, Infallible>(line), pull))
        },
    );
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], Body::from_stream(lines)).into_response())
}

/// Who asks.
pub(crate) fn credentials(headers: &HeaderMap) -> Answer<Credentials> {
    let header = headers.get(AUTH).map(|value| value.to_str().unwrap_or("?"));
    Credentials::from_header(header.unwrap_or_default()).map_err(Refusal::bad)
}

/// The image that `fromImage` and `tag` name; `tag` may be a digest.
fn named(image: &str, tag: Option<&str>) -> Answer<Reference> {
    let bad = |error: spec::Error| Refusal::bad(error.to_string());
    let name = Reference::parse_name(image.trim_end_matches(':')).map_err(bad)?;
    match tag {
        None => Ok(name),
        Some(tag) if tag.contains(':') => Ok(name.with_digest(tag.parse().map_err(bad)?)),
        Some(tag) => name.with_tag(tag).map_err(bad),
    }
}

impl Pull {
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

fn messages(news: PullNews) -> String {
    match news {
        PullNews::Found { repository, name } => Message {
            id: name,
            ..Message::status(format!("Pulling from {repository}"))
        }
        .line(),
        PullNews::Layer(digest, what) => {
            let id = digest.hex()[..12].to_owned();
            let (status, amount) = layer(what);
            let message = Message {
                id,
                ..Message::status(status)
            };
            match amount {
                Some(amount) => shape::progress::amount(message, amount.current, amount.total),
                None => Message {
                    progress_detail: Some(ProgressDetail::default()),
                    ..message
                },
            }
            .line()
        }
        PullNews::Done {
            digest,
            reference,
            newer,
        } => {
            let status = if newer {
                format!("Status: Downloaded newer image for {reference}")
            } else {
                format!("Status: Image is up to date for {reference}")
            };
            Message::status(format!("Digest: {digest}")).line() + &Message::status(status).line()
        }
    }
}

fn layer(what: LayerNews) -> (&'static str, Option<Amount>) {
    match what {
        LayerNews::Exists => ("Already exists", None),
        LayerNews::Wanted => ("Pulling fs layer", None),
        LayerNews::Waiting => ("Waiting", None),
        LayerNews::Downloading(amount) => ("Downloading", Some(amount)),
        LayerNews::Verifying => ("Verifying Checksum", None),
        LayerNews::Downloaded => ("Download complete", None),
        LayerNews::Extracting(amount) => ("Extracting", Some(amount)),
        LayerNews::Complete => ("Pull complete", None),
    }
}

#[cfg(test)]
mod tests;
