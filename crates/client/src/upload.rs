//! What a request carries.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// A request's body.
pub(crate) enum Upload {
    /// All of it; none if empty.
    Whole(Bytes),
    /// As it is read.
    Stream {
        reader: Pin<Box<dyn AsyncRead + Send>>,
        buffer: Box<[u8]>,
    },
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Stream { .. } => "Stream",
        })
    }
}

impl Upload {
    pub(crate) fn none() -> Self {
        Self::Whole(Bytes::new())
    }

    pub(crate) fn stream(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Stream {
            reader: Box::pin(reader),
            buffer: vec![0; CHUNK].into_boxed_slice(),
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream { reader, buffer } => {
                let mut chunk = ReadBuf::new(buffer);
                ready!(reader.as_mut().poll_read(cx, &mut chunk))?;
                if chunk.filled().is_empty() {
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(
                    chunk.filled(),
                )))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Self::Stream { .. } => SizeHint::default(),
        }
    }
}
