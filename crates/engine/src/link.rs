//! A connection to a container's monitor: blocking for questions that are answered at once, asynchronous for what waits.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use protocol::frame::{Incoming, Progress};
use protocol::{Connection, Reply, Request};
use rustix::net::RecvFlags;
use spec::ContainerId;
use tokio::io::Interest;

use crate::error::{Error, Kind, Result};
use crate::launch::open_dir;
use crate::open::Inner;

/// How long a living monitor may take to answer. It does nothing that blocks; one that was stopped does not answer at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to the monitor of a container; none if there is none (any more).
pub(crate) fn connect(inner: &Inner, id: &ContainerId) -> Result<Option<Connection>> {
    let path = inner.run_dir(id);
    let directory = match open_dir(&path) {
        Ok(directory) => directory,
        Err(_) if !path.exists() => return Ok(None),
        Err(e) => return Err(e),
    };
    match Connection::open(&directory) {
        Ok(connection) => {
            connection.set_timeout(Some(PATIENCE))?;
            Ok(Some(connection))
        }
        Err(e) if e.is_absent() => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Asks the monitor of a running container; none if it has ended.
pub(crate) fn ask(inner: &Inner, id: &ContainerId, request: &Request) -> Result<Option<Reply>> {
    let Some(mut connection) = connect(inner, id)? else {
        return Ok(None);
    };
    match connection.call(request, &[]) {
        Ok((reply, _)) => Ok(Some(reply)),
        Err(e) => closed(e),
    }
}

/// A monitor that hangs up has ended; everything else is an error.
pub(crate) fn closed<T>(error: protocol::Error) -> Result<Option<T>> {
    let reset = matches!(
        error.io_kind(),
        Some(std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset)
    );
    match error.kind {
        protocol::Kind::Closed => Ok(None),
        protocol::Kind::Io if reset => Ok(None),
        protocol::Kind::Refused(refusal) => Err(refused(refusal, error)),
        _ if error.io_kind() == Some(std::io::ErrorKind::WouldBlock)
            || error.io_kind() == Some(std::io::ErrorKind::TimedOut) =>
        {
            Err(Error::new(
                Kind::Unavailable,
                "the container's monitor does not answer",
            ))
        }
        _ => Err(error.into()),
    }
}

fn refused(refusal: protocol::Refusal, error: protocol::Error) -> Error {
    use protocol::Refusal;
    let kind = match refusal {
        Refusal::NotFound => Kind::NotFound,
        Refusal::Conflict => Kind::Conflict,
        Refusal::Busy => Kind::Unavailable,
        Refusal::Invalid => Kind::InvalidParameter,
        Refusal::NoProgram => Kind::CommandNotFound,
        Refusal::NotExecutable => Kind::CommandNotExecutable,
        _ => Kind::Internal,
    };
    // The reason is the monitor's own line; that it came from the monitor is of no use to anybody.
    let text = error.to_string();
    let text = text.strip_prefix("monitor: ").unwrap_or(&text);
    Error::new(kind, text)
}

/// A connection whose replies are awaited.
#[derive(Debug)]
pub(crate) struct Link {
    stream: tokio::net::UnixStream,
    incoming: Incoming,
}

impl Link {
    /// From a connection on which every reply was read.
    pub(crate) fn new(connection: Connection) -> Result<Self> {
        Ok(Self {
            stream: stream(connection.into_stream())?,
            incoming: Incoming::default(),
        })
    }

    /// The next reply; none when the monitor has ended.
    pub(crate) async fn receive(&mut self) -> Result<Option<(Reply, Vec<OwnedFd>)>> {
        loop {
            let (incoming, stream) = (&mut self.incoming, &self.stream);
            let progress = stream
                .async_io(Interest::READABLE, || {
                    match incoming.receive(stream, RecvFlags::DONTWAIT) {
                        Ok(Progress::WouldBlock) => Err(std::io::ErrorKind::WouldBlock.into()),
                        other => Ok(other),
                    }
                })
                .await
                .map_err(|e| Error::internal("wait for the container's monitor", e))?;
            match progress {
                Ok(Progress::Message(message)) => {
                    return match message.parse()? {
                        Reply::Refused { message, .. } => Err(Error::conflict(message)),
                        reply => Ok(Some((reply, message.fds))),
                    };
                }
                Ok(Progress::Closed) => return Ok(None),
                Ok(Progress::Partial | Progress::WouldBlock) => {}
                Err(e) => return closed(e),
            }
        }
    }
}

/// The stream for use by tasks.
pub(crate) fn stream(stream: UnixStream) -> Result<tokio::net::UnixStream> {
    stream
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UnixStream::from_std(stream))
        .map_err(|e| Error::internal("use the monitor's connection", e))
}
