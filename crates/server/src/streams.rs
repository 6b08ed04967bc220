//! The byte streams that are served.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// How often it is asked whether the client is still there while nothing is sent to it.
const GONE_INTERVAL: Duration = Duration::from_secs(1);

/// Any stream in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A stream.
pub(crate) enum Stream {
    /// Of a unix socket.
    Unix(UnixStream),
    /// Of anything else.
    Other(Box<dyn Io>),
}

/// Its half that is read.
pub(crate) enum Reader {
    Unix(OwnedReadHalf),
    Other(ReadHalf<Box<dyn Io>>),
}

/// Its half that is written.
pub(crate) enum Writer {
    Unix(OwnedWriteHalf),
    Other(WriteHalf<Box<dyn Io>>),
}

impl Stream {
    pub(crate) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Unix(stream) => {
                let (reader, writer) = stream.into_split();
                (Reader::Unix(reader), Writer::Unix(writer))
            }
            Self::Other(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Reader::Other(reader), Writer::Other(writer))
            }
        }
    }
}

impl Writer {
    /// Waits until the client is gone altogether. That it sends no more says nothing: it may still read. (A stream that is no
    /// socket belongs to this process and ends with it.)
    pub(crate) async fn gone(&mut self) {
        let Self::Unix(writer) = self else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(GONE_INTERVAL).await;
            match writer.ready(Interest::WRITABLE).await {
                Ok(ready) if !ready.is_write_closed() => {}
                _ => return,
            }
        }
    }
}

macro_rules! delegate_read {
    ($name:ident: $($variant:ident),*) => {
        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(io) => Pin::new(io).poll_read(cx, buffer)),* }
            }
        }
    };
}

macro_rules! delegate_write {
    ($name:ident: $($variant:ident),*) => {
        impl AsyncWrite for $name {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() { $(Self::$variant(io) => Pin::new(io).poll_write(cx, bytes)),* }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $(Self::$variant(io) => Pin::new(io).poll_write_vectored(cx, bytes)),*
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self { $(Self::$variant(io) => io.is_write_vectored()),* }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(io) => Pin::new(io).poll_flush(cx)),* }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(io) => Pin::new(io).poll_shutdown(cx)),* }
            }
        }
    };
}

delegate_read!(Stream: Unix, Other);
delegate_write!(Stream: Unix, Other);
delegate_read!(Reader: Unix, Other);
delegate_write!(Writer: Unix, Other);
