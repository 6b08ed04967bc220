//! Blobs that come: by ranges at the same time where that pays, and from where the last attempt broke off.

mod frontier;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, RANGE};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use spec::Digest;
use spec::image::Descriptor;
use tokio::time::timeout;

use super::Repository;
use super::manifest::nobody;
use super::remote::{Ask, Remote, header_text};
use super::retry::Attempts;
use crate::error::{Error, Kind, Result};
use frontier::{Frontier, Segment};

/// A range, and how many are under way at the same time: three streams fill a long way, and more would ask too much of small servers.
const SEGMENT: u64 = 8 << 20;
const STREAMS: usize = 3;
/// Below this a single stream is as fast.
const SMALL: u64 = 2 * SEGMENT;
const OP: &str = "get blob";

/// Where the bytes of a blob go. Called from several tasks; the writes are short.
pub trait Target: Send + Sync {
    /// Takes bytes that belong at `offset`.
    ///
    /// # Errors
    /// They can't be kept: the download ends.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// Who wants to know how far it is.
pub trait Progress: Send + Sync {
    /// All bytes before this one are there.
    fn reached(&self, offset: u64);
    /// So many bytes more came, of any part.
    fn received(&self, bytes: u64);
}

/// A blob to get.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Which.
    pub blob: &'a Descriptor,
    /// How many of its first bytes are there already.
    pub from: u64,
}

struct Run<'a> {
    repository: &'a Repository,
    download: Download<'a>,
    target: &'a dyn Target,
    progress: &'a dyn Progress,
    frontier: Frontier,
    /// The host that answered last.
    chosen: AtomicUsize,
}

/// A stream of bytes that begins at `at`.
struct Opened {
    body: Incoming,
    at: u64,
    /// Whether the host gave all of the blob although it was asked for a part.
    whole: bool,
    idle: std::time::Duration,
}

impl Repository {
    /// Gets a blob. Its size is checked, its digest is for whoever reads the bytes.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Restart`] if what was there before does not fit, [`Kind::Invalid`] if the host lies about the size.
    pub async fn download(
        &self,
        download: Download<'_>,
        target: &dyn Target,
        progress: &dyn Progress,
    ) -> Result<()> {
        let size = download.blob.size;
        if download.from > size {
            return Err(Error::new(
                Kind::Restart,
                OP,
                download.blob.digest,
                "more is there than it has",
            ));
        }
        if download.from == size {
            progress.reached(size);
            return Ok(());
        }
        let run = Run {
            repository: self,
            download,
            target,
            progress,
            frontier: Frontier::new(download.from, size, SEGMENT, SMALL),
            chosen: AtomicUsize::new(0),
        };
        run.all().await
    }

    /// All of a small blob, verified.
    ///
    /// # Errors
    /// As [`Repository::download`]; [`Kind::Limit`] if it says that it is larger than `limit`.
    pub async fn small_blob(&self, blob: &Descriptor, limit: u64) -> Result<Bytes> {
        struct Memory(std::sync::Mutex<Vec<u8>>);
        impl Target for Memory {
            fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
                let mut all = self
                    .0
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let at = usize::try_from(offset).map_err(io::Error::other)?;
                let end = at + bytes.len();
                if all.len() < end {
                    all.resize(end, 0);
                }
                all[at..end].copy_from_slice(bytes);
                Ok(())
            }
        }
        struct Nobody;
        impl Progress for Nobody {
            fn reached(&self, _offset: u64) {}
            fn received(&self, _bytes: u64) {}
        }
        if blob.size > limit {
            let why = format!("it has {} bytes, over the limit of {limit}", blob.size);
            return Err(Error::new(Kind::Limit, OP, blob.digest, why));
        }
        let memory = Memory(std::sync::Mutex::default());
        let download = Download { blob, from: 0 };
        self.download(download, &memory, &Nobody).await?;
        let bytes = memory
            .0
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut hasher = blob.digest.hasher();
        hasher.update(&bytes);
        let digest = hasher.finish();
        if digest != blob.digest {
            let why = format!("its content has the digest {digest}");
            return Err(Error::new(Kind::Invalid, OP, blob.digest, why));
        }
        Ok(bytes.into())
    }

    /// The size of a blob of this repository; none if it has no such blob.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub async fn has_blob(&self, digest: &Digest) -> Result<Option<u64>> {
        let remote = self.main();
        let path = self.path(remote, &format!("blobs/{digest}"));
        match remote.send(|| Ask::new(Method::HEAD, path.clone())).await {
            Ok(response) => {
                let length = header_text(response.headers(), CONTENT_LENGTH);
                Ok(Some(
                    length.and_then(|l| l.parse().ok()).unwrap_or_default(),
                ))
            }
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a blob out of the repository.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the registry does not do this.
    pub async fn delete_blob(&self, digest: &Digest) -> Result<()> {
        let remote = self.main();
        let path = self.path(remote, &format!("blobs/{digest}"));
        remote
            .send(|| Ask::new(Method::DELETE, path.clone()))
            .await
            .map(drop)
    }
}

impl Run<'_> {
    async fn all(&self) -> Result<()> {
        let segments = self.frontier.segments();
        let mut attempts = Attempts::new(self.repository.settings.patience);
        // The first answer tells whether this host gives ranges.
        let first = loop {
            match self.open(&segments[0]).await {
                Ok(opened) => break opened,
                Err(error) => attempts.again(error).await?,
            }
        };
        if first.whole || segments.len() == 1 {
            let rest = self.frontier.join();
            return self.segment(rest, Some(first)).await;
        }
        let mut opened = Some(first);
        let work = segments.into_iter().map(|segment| {
            let opened = opened.take();
            self.segment(segment, opened)
        });
        let work: Vec<_> = work.collect();
        let mut running = futures_util::stream::iter(work).buffered(STREAMS);
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(())
    }

    /// Gets one segment, with as many attempts as it takes.
    async fn segment(&self, segment: Segment, opened: Option<Opened>) -> Result<()> {
        let mut attempts = Attempts::new(self.repository.settings.patience);
        let mut opened = opened;
        let mut segment = segment;
        while segment.at < segment.end {
            let before = segment.at;
            let done = async {
                let stream = match opened.take() {
                    Some(stream) => stream,
                    None => self.open(&segment).await?,
                };
                self.copy(stream, &mut segment).await
            };
            if let Err(mut error) = done.await {
                if segment.at > before {
                    attempts.progress();
                }
                if error.kind == Kind::Unreachable {
                    // It was there a moment ago.
                    error.kind = Kind::Unavailable;
                }
                attempts.again(error).await?;
            }
        }
        Ok(())
    }

    async fn copy(&self, mut stream: Opened, segment: &mut Segment) -> Result<()> {
        let digest = self.download.blob.digest;
        let mut at = stream.at;
        while segment.at < segment.end {
            let frame = timeout(stream.idle, stream.body.frame())
                .await
                .map_err(|_| Error::new(Kind::Unavailable, OP, digest, "no more bytes in time"))?;
            let mut data = match frame {
                None => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        OP,
                        digest,
                        "it ends too early",
                    ));
                }
                Some(Err(error)) => {
                    return Err(Error::caused(Kind::Unavailable, OP, digest, error));
                }
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            self.progress.received(data.len() as u64);
            // Bytes that are there already, from a host that gives all or nothing.
            let skip = segment.at.saturating_sub(at).min(data.len() as u64);
            at += skip;
            drop(data.split_to(usize::try_from(skip).unwrap_or(usize::MAX)));
            let room = segment.end - segment.at;
            if data.len() as u64 > room {
                return Err(Error::new(
                    Kind::Invalid,
                    OP,
                    digest,
                    "more bytes came than were announced",
                ));
            }
            self.target
                .write_at(segment.at, &data)
                .map_err(|e| Error::system("keep blob", digest, e))?;
            at += data.len() as u64;
            segment.at += data.len() as u64;
            if let Some(reached) = self.frontier.advance(segment) {
                self.progress.reached(reached);
            }
        }
        Ok(())
    }

    /// Asks the hosts in turn, the last good one first.
    async fn open(&self, segment: &Segment) -> Result<Opened> {
        let remotes: Vec<&Remote> = self.repository.readers(false).collect();
        let first = self.chosen.load(Ordering::Relaxed);
        let mut last = None;
        for at in (0..remotes.len()).map(|i| (first + i) % remotes.len()) {
            match self.open_at(remotes[at], segment).await {
                Ok(opened) => {
                    self.chosen.store(at, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| nobody(&self.download.blob.digest.to_string())))
    }

    async fn open_at(&self, remote: &Remote, segment: &Segment) -> Result<Opened> {
        let Descriptor { digest, size, .. } = self.download.blob;
        let path = self.repository.path(remote, &format!("blobs/{digest}"));
        let part = segment.at > 0 || segment.end < *size;
        let mut ask = Ask::get(path).header(ACCEPT_ENCODING, "identity");
        if part {
            ask = ask.header(RANGE, &format!("bytes={}-{}", segment.at, segment.end - 1));
        }
        let response = Box::pin(remote.once(ask)).await?;
        let lie = |why: String| Error::new(Kind::Invalid, OP, digest, why);
        let (at, whole) = if response.status() == StatusCode::PARTIAL_CONTENT {
            let start = range_start(response.headers(), *size)
                .ok_or_else(|| lie("it came in a range that makes no sense".to_owned()))?;
            if start != segment.at {
                return Err(lie(format!(
                    "it came from byte {start}, not {}",
                    segment.at
                )));
            }
            (start, false)
        } else {
            let length = header_text(response.headers(), CONTENT_LENGTH)
                .and_then(|text| text.parse::<u64>().ok());
            if let Some(length) = length.filter(|length| length != size) {
                return Err(lie(format!("it has {length} bytes, not {size}")));
            }
            (0, true)
        };
        Ok(Opened {
            body: response.into_body(),
            at,
            whole,
            idle: remote.patience().idle,
        })
    }
}

/// The first byte of `bytes 5-9/10`, if the range is one of a blob of this size.
fn range_start(headers: &HeaderMap, size: u64) -> Option<u64> {
    let range = header_text(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    let (start, end) = range.trim().split_once('-')?;
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    let fits = total == "*" || total.parse() == Ok(size);
    (fits && start <= end && end < size).then_some(start)
}
