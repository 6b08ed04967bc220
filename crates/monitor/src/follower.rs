//! An attached client's way through the log.

use std::os::fd::AsFd;

use protocol::log::{Position, Reader, Stream, encode};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::clock;

/// How much one client may be sent before the others have their turn.
const TURN: u64 = 1024 * 1024;

/// Sends the log as it is, from the page cache to the socket: nothing of it passes through our memory.
#[derive(Debug)]
pub(crate) struct Follower {
    reader: Reader,
    /// The last words to a client that fell behind too far.
    farewell: Option<Vec<u8>>,
    /// Whether the socket took all that there was.
    state: State,
}

/// Where a follower stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has all that there is.
    CaughtUp,
    /// There is more than its socket takes now.
    Behind,
    /// It gets nothing more.
    Over,
}

impl Follower {
    pub(crate) const fn new(reader: Reader) -> Self {
        Self {
            reader,
            farewell: None,
            state: State::Behind,
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(crate) const fn position(&self) -> Position {
        self.reader.position()
    }

    /// Opens what is still to be sent, so that the log may be removed.
    pub(crate) fn pin(&mut self) {
        // If that fails (no descriptors are left), the client may miss what it was slow to read.
        let _unpinned = self.reader.pin();
    }

    /// Sends what the socket takes. Gives how much that was.
    pub(crate) fn advance(&mut self, socket: impl AsFd, end: Position) -> u64 {
        let mut sent = 0;
        self.state = loop {
            if let Some(words) = &mut self.farewell {
                break say(socket, words);
            }
            match self.reader.part(end) {
                Ok(None) => break State::CaughtUp,
                Ok(Some(_)) if sent >= TURN => break State::Behind,
                Ok(Some(part)) => {
                    let mut offset = part.offset;
                    let length = usize::try_from(part.length.min(TURN)).unwrap_or(usize::MAX);
                    match rustix::fs::sendfile(&socket, part.file, Some(&mut offset), length) {
                        Ok(0) => break State::Over,
                        Ok(n) => {
                            sent += n as u64;
                            self.reader.skip(n as u64);
                        }
                        Err(Errno::INTR) => {}
                        Err(Errno::AGAIN) => break State::Behind,
                        Err(_) => break State::Over,
                    }
                }
                Err(error) => {
                    let note = format!("tare: the output ends here: {error}\n");
                    self.farewell = Some(encode(Stream::Note, clock::now(), note.as_bytes()));
                }
            }
        };
        sent
    }
}

fn say(socket: impl AsFd, words: &mut Vec<u8>) -> State {
    match rustix::net::send(socket, words, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(n) if n < words.len() => {
            words.drain(..n);
            State::Behind
        }
        Err(Errno::AGAIN | Errno::INTR) => State::Behind,
        Ok(_) | Err(_) => State::Over,
    }
}
