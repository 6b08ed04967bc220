//! One connection to a monitor, for whoever may block.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags};

use crate::error::{Error, Kind, Result};
use crate::frame::{Incoming, Outgoing, Progress};
use crate::message::{Reply, Request};
use crate::state::SOCKET;

/// A connection to a monitor. Blocking; one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    incoming: Incoming,
}

impl Connection {
    /// Connects to the monitor whose socket is in `run_dir` (a container's directory below `/run/tare/containers`).
    ///
    /// # Errors
    /// Nobody listens there ([`Error::is_absent`]), or the system refuses.
    pub fn open(run_dir: impl AsFd) -> Result<Self> {
        let stream = kernel::socket::connect_at(run_dir, SOCKET)?;
        Ok(Self::from_stream(stream))
    }

    /// A connection over `stream`.
    #[must_use]
    pub fn from_stream(stream: UnixStream) -> Self {
        Self {
            stream,
            incoming: Incoming::default(),
        }
    }

    /// How long one receive or send may take; `None`: as long as it takes.
    ///
    /// # Errors
    /// The duration is zero.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        self.stream
            .set_read_timeout(timeout)
            .and_then(|()| self.stream.set_write_timeout(timeout))
            .map_err(|e| Error::io("set timeout of", "monitor connection", e))
    }

    /// Sends a request, with descriptors beside it.
    ///
    /// # Errors
    /// The connection failed, or the request is too large.
    pub fn send(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let fds = fds
            .iter()
            .map(BorrowedFd::try_clone_to_owned)
            .collect::<std::io::Result<Vec<OwnedFd>>>()
            .map_err(|e| Error::io("duplicate", "descriptor", e))?;
        let done = Outgoing::new(request, fds)?.send(&self.stream, SendFlags::empty())?;
        if done { Ok(()) } else { Err(timed_out("send")) }
    }

    /// Receives a reply and the descriptors beside it. A refusal is an error of [`Kind::Refused`].
    ///
    /// # Errors
    /// The connection failed or ended, or the monitor refused.
    pub fn receive(&mut self) -> Result<(Reply, Vec<OwnedFd>)> {
        loop {
            match self.incoming.receive(&self.stream, RecvFlags::empty())? {
                Progress::Partial => {}
                Progress::Message(message) => {
                    return match message.parse()? {
                        Reply::Refused { kind, message } => {
                            Err(Error::new(Kind::Refused(kind), "monitor:", message))
                        }
                        reply => Ok((reply, message.fds)),
                    };
                }
                Progress::WouldBlock => return Err(timed_out("receive")),
                Progress::Closed => {
                    return Err(Error::new(Kind::Closed, "receive", "reply of the monitor"));
                }
            }
        }
    }

    /// Sends a request and receives the reply.
    ///
    /// # Errors
    /// As [`Connection::send`] and [`Connection::receive`].
    pub fn call(
        &mut self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Reply, Vec<OwnedFd>)> {
        self.send(request, fds)?;
        self.receive()
    }

    /// The plain stream: after [`Reply::Attached`], log records follow on it. Nothing of it has been read ahead.
    #[must_use]
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }
}

fn timed_out(op: &'static str) -> Error {
    Error::io(op, "monitor connection", std::io::ErrorKind::TimedOut)
}
