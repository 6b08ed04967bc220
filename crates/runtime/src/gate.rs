//! Who starts a container that waits, and how it is told what came of it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::channel::{self, Channel, Word};
use crate::config::Gate;
use crate::error::{Error, Kind, Result};

/// Whom the first process tells of a failure.
#[derive(Debug)]
pub(crate) enum Starter {
    /// Its maker.
    Maker(Channel),
    /// A client of its socket, and its maker, who may be gone.
    Client(UnixStream, Channel),
}

const START: u8 = b'S';

impl Starter {
    pub(crate) fn channel(&self) -> &Channel {
        match self {
            Self::Maker(channel) | Self::Client(_, channel) => channel,
        }
    }

    pub(crate) fn fail(&self, error: &Error) {
        match self {
            Self::Maker(channel) => channel.send_failure(error),
            // write(2), as any filter of system calls allows it.
            Self::Client(client, _) => {
                rustix::io::write(client, &channel::report(error)).unwrap_or_default();
            }
        }
    }
}

/// Waits until somebody wants the container started.
pub(crate) fn wait(gate: &Gate, starter: &mut Starter) -> Result<()> {
    let socket = match gate {
        Gate::Held => return starter.channel().wait_for(Word::Start),
        Gate::Socket(socket) => socket,
    };
    let client = loop {
        let Some(mut client) = accept(socket)? else {
            continue;
        };
        let mut byte = [0];
        if client.read_exact(&mut byte).is_ok() && byte == [START] {
            break client;
        }
    };
    let Starter::Maker(channel) = starter else {
        return Ok(());
    };
    let channel = channel.try_clone()?;
    *starter = Starter::Client(client, channel);
    Ok(())
}

fn accept(socket: &OwnedFd) -> Result<Option<UnixStream>> {
    match accept_with(socket.as_fd(), SocketFlags::CLOEXEC) {
        Ok(client) => Ok(Some(UnixStream::from(client))),
        Err(Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(Error::io("wait for", "start", error)),
    }
}

/// Starts the container whose first process waits behind `socket` ([`Gate::Socket`]), and returns when its program runs.
///
/// # Errors
/// Its program can't be executed, or its first process ended.
pub fn release(socket: OwnedFd) -> Result<()> {
    let mut stream = UnixStream::from(socket);
    stream
        .write_all(&[START])
        .map_err(Error::at("start", "container"))?;
    let mut report = Vec::new();
    match stream.read_to_end(&mut report) {
        Ok(0) => Ok(()),
        Ok(_) => Err(channel::failure(&report)
            .unwrap_or_else(|| Error::io("start", "container", Errno::PROTO))),
        Err(_) => Err(Error::new(
            Kind::NotRunning,
            "start",
            "container: its first process ended",
        )),
    }
}
