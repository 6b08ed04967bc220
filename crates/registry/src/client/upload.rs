//! Blobs that go: not at all if they are there, by a mount if another repository has them, else in one stream that continues where
//! it broke off.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, RANGE};
use http::uri::Uri;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use spec::image::Descriptor;

use super::Repository;
use super::remote::{Ask, Body, Payload, Remote, To, header_text};
use super::retry::Attempts;
use super::token::encode;
use crate::error::{Error, Kind, Result};

/// What is read at once.
const PIECE: u64 = 256 << 10;
/// A blob up to this size goes in one request, held in memory.
const SMALL: u64 = 1 << 20;
const OP: &str = "push blob";
const BINARY: &str = "application/octet-stream";

/// Where the bytes of a blob come from.
pub trait Source: Send + Sync + 'static {
    /// Reads bytes from `offset`; none at the end.
    ///
    /// # Errors
    /// They can't be read: the upload ends.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Remembers the place of an upload under way, so that another process can continue it.
pub trait Uploads: Send + Sync {
    /// The place that was kept last.
    fn load(&self) -> Option<String>;
    /// Keeps a place, or forgets it.
    fn save(&self, place: Option<&str>);
}

/// Repositories of the same registry that may have the blob.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mounts<'a>(pub &'a [String]);

/// How a blob came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Exists,
    /// The registry took it from this repository.
    Mounted(String),
    /// It was sent.
    Uploaded,
}

struct Push<'a> {
    repository: &'a Repository,
    remote: &'a Remote,
    blob: &'a Descriptor,
    source: Arc<dyn Source>,
    memory: &'a dyn Uploads,
    sent: Arc<dyn Fn(u64) + Send + Sync>,
}

/// An upload under way: where, and how much of it the registry has.
struct Session {
    place: Uri,
    offset: u64,
}

impl Repository {
    /// Sees to it that the repository has a blob. `sent` is told how many of its bytes the registry has.
    ///
    /// # Errors
    /// The registry does not take it.
    pub async fn push_blob(
        &self,
        blob: &Descriptor,
        source: Arc<dyn Source>,
        mounts: Mounts<'_>,
        memory: &dyn Uploads,
        sent: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<Pushed> {
        if self.has_blob(&blob.digest).await?.is_some() {
            return Ok(Pushed::Exists);
        }
        let push = Push {
            repository: self,
            remote: self.main(),
            blob,
            source,
            memory,
            sent,
        };
        push.run(mounts).await
    }
}

impl Push<'_> {
    async fn run(&self, mounts: Mounts<'_>) -> Result<Pushed> {
        let mut session = self.resumed().await;
        if session.is_none() {
            for from in mounts.0.iter().take(3) {
                match self.mount(from).await? {
                    None => return Ok(Pushed::Mounted(from.clone())),
                    // What it began in place of the mount serves as well.
                    Some(begun) => session = Some(begun),
                }
            }
        }
        let mut again = true;
        loop {
            let begun = match session.take() {
                Some(begun) => begun,
                None => self.begin().await?,
            };
            match self.send(begun).await {
                Ok(()) => {
                    self.memory.save(None);
                    return Ok(Pushed::Uploaded);
                }
                // The registry lost its part, or has another part than we thought: once more from the beginning.
                Err(error)
                    if again
                        && matches!(error.kind, Kind::NotFound | Kind::Restart | Kind::Invalid) =>
                {
                    self.memory.save(None);
                    again = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn uploads(&self) -> String {
        format!("/{}/blobs/uploads/", self.repository.name)
    }

    /// An upload that another process began.
    async fn resumed(&self) -> Option<Session> {
        let place: Uri = self.memory.load()?.parse().ok()?;
        let base = self.remote.own_base(&To::Path(self.uploads())).await.ok()?;
        if place.authority() != base.authority() {
            return None;
        }
        match self.status(&place).await {
            Ok(session) => Some(session),
            Err(_) => {
                self.memory.save(None);
                None
            }
        }
    }

    async fn begin(&self) -> Result<Session> {
        let path = self.uploads();
        let ask = || Ask::new(Method::POST, path.clone()).header(CONTENT_LENGTH, "0");
        let response = self.remote.send(ask).await?;
        self.session(response.headers(), &To::Path(path.clone()), 0)
            .await
    }

    /// None if the registry had the blob in `from`, else the upload that it began.
    async fn mount(&self, from: &str) -> Result<Option<Session>> {
        if from == self.repository.name {
            return self.begin().await.map(Some);
        }
        self.remote.also(format!("repository:{from}:pull")).await;
        let digest = self.blob.digest.to_string();
        let query = encode(&[("mount", &digest), ("from", from)]);
        let path = format!("{}?{query}", self.uploads());
        let ask = || Ask::new(Method::POST, path.clone()).header(CONTENT_LENGTH, "0");
        let response = match self.remote.send(ask).await {
            Ok(response) => response,
            // No right to read there is no reason to give up.
            Err(error)
                if matches!(
                    error.kind,
                    Kind::Unauthorized | Kind::Denied | Kind::NotFound
                ) =>
            {
                return self.begin().await.map(Some);
            }
            Err(error) => return Err(error),
        };
        if response.status() == StatusCode::CREATED {
            return Ok(None);
        }
        self.session(response.headers(), &To::Path(path.clone()), 0)
            .await
            .map(Some)
    }

    async fn session(&self, headers: &HeaderMap, from: &To, offset: u64) -> Result<Session> {
        let place = self.remote.own_address(headers, from).await?;
        self.memory.save(Some(&place.to_string()));
        Ok(Session { place, offset })
    }

    /// How much the registry has.
    async fn status(&self, place: &Uri) -> Result<Session> {
        let response = self
            .remote
            .send(|| Ask::at(Method::GET, place.clone()))
            .await?;
        let offset = match header_text(response.headers(), RANGE) {
            // Some say `0-0` of nothing; a single byte is not worth the difference.
            None | Some("0-0") => 0,
            Some(range) => range
                .rsplit_once('-')
                .and_then(|(_, last)| last.parse::<u64>().ok())
                .map_or(0, |last| last + 1),
        };
        if offset > self.blob.size {
            return Err(Error::new(
                Kind::Restart,
                OP,
                self.blob.digest,
                "the registry has too much",
            ));
        }
        // Without a new place the old one stays.
        match self
            .session(response.headers(), &To::Address(place.clone()), offset)
            .await
        {
            Ok(session) => Ok(session),
            Err(error) if error.kind == Kind::Invalid => Ok(Session {
                place: place.clone(),
                offset,
            }),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, mut session: Session) -> Result<()> {
        let mut attempts = Attempts::new(self.remote.patience());
        loop {
            let before = session.offset;
            let error = match self.attempt(&mut session).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let mut error = error;
            if error.kind == Kind::Unreachable {
                error.kind = Kind::Unavailable;
            }
            let out_of_step = error.kind == Kind::Restart;
            if !out_of_step {
                attempts.again(error).await?;
            } else if before == session.offset && attempts_spent(&mut attempts).await {
                return Err(error);
            }
            session = self.status(&session.place).await?;
            if session.offset > before {
                attempts.progress();
            }
            (self.sent)(session.offset);
        }
    }

    /// Sends what is missing, and closes the upload.
    async fn attempt(&self, session: &mut Session) -> Result<()> {
        let size = self.blob.size;
        let rest = size - session.offset;
        let mut last = Payload::Empty;
        if session.offset == 0 && size <= SMALL {
            last = Payload::Bytes(self.read(0, size).await?);
        } else if rest > 0 {
            let body = self.body(session.offset);
            let moved = Arc::clone(&body.1);
            let mut ask = Ask::at(Method::PATCH, session.place.clone())
                .header(CONTENT_TYPE, BINARY)
                .header(CONTENT_LENGTH, &rest.to_string())
                .payload(Payload::Stream(body.0));
            if session.offset > 0 {
                let range = format!("{}-{}", session.offset, size - 1);
                ask = ask.header(CONTENT_RANGE, &range);
            }
            let from = To::Address(session.place.clone());
            let response = tokio::select! {
                response = self.remote.once(ask) => response?,
                () = stalled(&moved, size, self.remote.patience().idle) => {
                    return Err(Error::new(Kind::Unavailable, OP, self.blob.digest, "nothing moves any more"));
                }
            };
            *session = self.session(response.headers(), &from, size).await?;
        }
        let length = match &last {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Empty | Payload::Stream(_) => 0,
        };
        let digest = encode(&[("digest", &self.blob.digest.to_string())]);
        let join = if session.place.query().is_some() {
            '&'
        } else {
            '?'
        };
        let place = format!("{}{join}{digest}", session.place);
        let place: Uri = place.parse().map_err(|e: http::uri::InvalidUri| {
            Error::caused(Kind::Invalid, OP, self.blob.digest, e)
        })?;
        let ask = Ask::at(Method::PUT, place)
            .header(CONTENT_TYPE, BINARY)
            .header(CONTENT_LENGTH, &length.to_string())
            .payload(last);
        self.remote.once(ask).await?;
        (self.sent)(size);
        Ok(())
    }

    async fn read(&self, offset: u64, most: u64) -> Result<Bytes> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || read_piece(&*source, offset, most));
        read.await
            .map_err(|e| Error::system("read blob", self.blob.digest, e))?
            .map_err(|e| Error::system("read blob", self.blob.digest, e))
    }

    /// The bytes from `offset` on, and how far they are.
    fn body(&self, offset: u64) -> (Body, Arc<AtomicU64>) {
        let moved = Arc::new(AtomicU64::new(offset));
        let state = (
            Arc::clone(&self.source),
            offset,
            Arc::clone(&moved),
            Arc::clone(&self.sent),
        );
        let size = self.blob.size;
        let pieces =
            futures_util::stream::unfold(state, move |(source, at, moved, sent)| async move {
                moved.store(at, Ordering::Relaxed);
                sent(at);
                if at >= size {
                    return None;
                }
                let most = PIECE.min(size - at);
                let reader = Arc::clone(&source);
                let piece =
                    tokio::task::spawn_blocking(move || read_piece(&*reader, at, most)).await;
                let piece = piece.map_err(io::Error::other).and_then(|piece| piece);
                let (frame, at) = match piece {
                    Ok(bytes) if bytes.is_empty() => {
                        (Err(io::ErrorKind::UnexpectedEof.into()), size)
                    }
                    Ok(bytes) => {
                        let at = at + bytes.len() as u64;
                        (Ok(Frame::data(bytes)), at)
                    }
                    Err(error) => (Err(error), size),
                };
                Some((frame, (source, at, moved, sent)))
            });
        (StreamBody::new(pieces).boxed_unsync(), moved)
    }
}

/// One attempt more of those that have no pause of their own.
async fn attempts_spent(attempts: &mut Attempts) -> bool {
    let error = Error::new(Kind::Unavailable, OP, "", "out of step");
    attempts.again(error).await.is_err()
}

fn read_piece(source: &dyn Source, offset: u64, most: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(most).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read_at(offset + filled as u64, &mut bytes[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into())
}

/// Returns when nothing has moved for a while; longer when all is sent, because a registry may have to put it together.
async fn stalled(moved: &AtomicU64, size: u64, idle: Duration) {
    let mut last = moved.load(Ordering::Relaxed);
    loop {
        let patience = if last >= size { idle * 10 } else { idle };
        tokio::time::sleep(patience).await;
        let now = moved.load(Ordering::Relaxed);
        if now == last {
            return;
        }
        last = now;
    }
}
