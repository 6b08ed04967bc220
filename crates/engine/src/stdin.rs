//! A program's standard input.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::readiness;

/// A program's standard input, or its terminal. Shutting it down ends the input where the container was made so
/// (`stdin_once`), and that of an exec; dropping it ends nothing of a container.
#[derive(Debug)]
pub struct StdinWriter {
    input: Input,
}

#[derive(Debug)]
enum Input {
    /// Of a container that was not started yet.
    Waiting(oneshot::Receiver<Option<Pipe>>),
    Open(Pipe),
    Closed,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Pipe {
    fd: AsyncFd<OwnedFd>,
    /// The connection over which the monitor is told that the input has ended.
    half: Option<OwnedWriteHalf>,
}

impl Pipe {
    pub(crate) fn new(fd: OwnedFd, half: Option<OwnedWriteHalf>) -> Result<Self> {
        let failed = |e: io::Error| Error::internal("use standard input", e);
        let fd = non_blocking(fd).map_err(|e| failed(e.into()))?;
        let fd = readiness::watch(fd, Interest::WRITABLE).map_err(failed)?;
        Ok(Self { fd, half })
    }
}

/// A descriptor that does not block. A pipe is opened anew, because others share the description; a terminal's master
/// does not block already.
pub(crate) fn non_blocking(fd: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if rustix::fs::fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK) {
        return Ok(fd);
    }
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo {
        let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        return rustix::fs::openat(CWD, path, flags, Mode::empty());
    }
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(fd)
}

impl StdinWriter {
    pub(crate) fn open(pipe: Pipe) -> Self {
        Self {
            input: Input::Open(pipe),
        }
    }

    pub(crate) fn waiting(receiver: oneshot::Receiver<Option<Pipe>>) -> Self {
        Self {
            input: Input::Waiting(receiver),
        }
    }

    /// The pipe, once there is one.
    fn poll_pipe(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Pipe>> {
        if let Input::Waiting(receiver) = &mut self.input {
            self.input = match ready!(Pin::new(receiver).poll(cx)) {
                Ok(Some(pipe)) => Input::Open(pipe),
                Ok(None) | Err(_) => Input::Closed,
            };
        }
        Poll::Ready(match &mut self.input {
            Input::Open(pipe) => Ok(pipe),
            Input::Waiting(_) | Input::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }
}

impl AsyncWrite for StdinWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pipe = ready!(self.get_mut().poll_pipe(cx))?;
        loop {
            let mut guard = ready!(pipe.fd.poll_write_ready(cx))?;
            match guard.try_io(|fd| rustix::io::write(fd, bytes).map_err(io::Error::from)) {
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let half = match ready!(this.poll_pipe(cx)) {
            Ok(pipe) => pipe.half.as_mut(),
            // Ended already.
            Err(_) => return Poll::Ready(Ok(())),
        };
        if let Some(half) = half {
            // A monitor that is gone needs not be told.
            drop(ready!(Pin::new(half).poll_shutdown(cx)));
        }
        this.input = Input::Closed;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Dropped, it would shut the connection down for writing, which says that the input has ended.
        if let Some(half) = self.half.take() {
            half.forget();
        }
    }
}
