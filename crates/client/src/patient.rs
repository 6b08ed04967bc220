//! A stream whose writer does not mind that nobody listens any more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connector::Io;

/// An engine that refuses an upload answers and hangs up, while the request is still being written. The news is its
/// answer, not that the rest could not be sent: so what is written to a stream that nobody reads is dropped, and
/// what was answered can be read. If there is no answer, reading says so.
#[derive(Debug)]
pub(crate) struct Patient<T> {
    io: T,
    hung_up: bool,
}

impl<T: Io> Patient<T> {
    pub(crate) const fn new(io: T) -> Self {
        Self { io, hung_up: false }
    }

    /// `done` stands for a write that failed only for want of a reader.
    fn forgive<R>(&mut self, wrote: Poll<io::Result<R>>, done: R) -> Poll<io::Result<R>> {
        match wrote {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.hung_up = true;
                Poll::Ready(Ok(done))
            }
            other => other,
        }
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

impl<T: Io> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: Io> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.hung_up {
            return Poll::Ready(Ok(buf.len()));
        }
        let wrote = Pin::new(&mut self.io).poll_write(cx, buf);
        self.forgive(wrote, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if self.hung_up {
            return Poll::Ready(Ok(length));
        }
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.forgive(wrote, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hung_up {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.forgive(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.forgive(shut, ())
    }
}
