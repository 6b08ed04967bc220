//! Bodies of answers: what is in memory, in a file, or still coming.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use super::storage::{Content, Pieces};

/// What is read of a file at once.
const PIECE: u64 = 256 << 10;

/// The body of an answer.
pub(crate) struct Body {
    source: Source,
    left: u64,
}

enum Source {
    Bytes(Bytes),
    File(Reader),
    Pieces(Pieces),
}

/// Reads a file, one piece ahead of what is sent.
struct Reader {
    file: Arc<File>,
    range: Range<u64>,
    next: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::bytes(Bytes::from(text.into()))
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self {
            left: bytes.len() as u64,
            source: Source::Bytes(bytes),
        }
    }

    /// The part of a blob that was opened.
    pub(crate) fn content(content: Content, range: Range<u64>) -> Self {
        let left = range.end - range.start;
        let source = match content {
            Content::Bytes(bytes) => Source::Bytes(bytes),
            Content::Pieces(pieces) => Source::Pieces(pieces),
            Content::File(file) => Source::File(Reader {
                file: Arc::new(file),
                range,
                next: None,
            }),
        };
        Self { source, left }
    }
}

impl Reader {
    fn read(&mut self) {
        let size = PIECE.min(self.range.end - self.range.start);
        if size == 0 || self.next.is_some() {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.range.start);
        self.range.start += size;
        self.next = Some(tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; usize::try_from(size).unwrap_or_default()];
            // A file that is shorter than it was is an error: the client must not take a part for the whole.
            file.read_exact_at(&mut buffer, at)?;
            Ok(Bytes::from(buffer))
        }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.read();
        let Some(job) = &mut self.next else {
            return Poll::Ready(None);
        };
        let done = ready!(Pin::new(job).poll(cx));
        self.next = None;
        self.read();
        Poll::Ready(Some(done.unwrap_or_else(|e| Err(io::Error::other(e)))))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = match &mut self.source {
            Source::Bytes(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::File(reader) => ready!(reader.poll(cx)),
            Source::Pieces(pieces) => ready!(pieces.as_mut().poll_next(cx)),
        };
        Poll::Ready(match piece {
            Some(Ok(bytes)) if bytes.len() as u64 <= self.left => {
                self.left -= bytes.len() as u64;
                Some(Ok(Frame::data(bytes)))
            }
            Some(Ok(_)) => Some(Err(io::Error::other("the storage gives too much"))),
            Some(Err(e)) => Some(Err(e)),
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
