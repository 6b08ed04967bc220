//! Between the engine and a monitor that is being started: one order with descriptors, one answer.
//!
//! A monitor knows nothing until its order comes, so that it can be started before it is known what it will run. If the engine's end
//! is closed without one, it was not needed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::socket;

use super::Ready;
use crate::error::{Error, Kind, Result};

/// The longest message, in bytes.
const MAX: usize = 64 * 1024;
const SUBJECT: &str = "launch channel";

/// The engine's end.
#[derive(Debug)]
pub struct Launcher(OwnedFd);

/// The monitor's end.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Launcher {
    /// Both ends; the second is for the monitor's [`super::CHANNEL_FD`].
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn pair() -> Result<(Self, OwnedFd)> {
        let (ours, theirs) = socket::pair()?;
        Ok((Self(ours), theirs))
    }

    /// Gives the monitor what it needs: descriptors and the numbers that they are to have there.
    ///
    /// # Errors
    /// The monitor is gone.
    pub fn order(&self, given: &[(BorrowedFd<'_>, i32)]) -> Result<()> {
        let (fds, numbers): (Vec<_>, Vec<i32>) = given.iter().copied().unzip();
        let bytes =
            serde_json::to_vec(&numbers).map_err(|e| Error::malformed("encode", "order", e))?;
        socket::send_with_fds(&self.0, &bytes, &fds)?;
        Ok(())
    }

    /// Waits for the answer; [`Kind::Closed`] if the monitor died without one.
    ///
    /// # Errors
    /// The monitor died, or said something else.
    pub fn ready(&self) -> Result<Ready> {
        let mut buffer = vec![0; MAX];
        let (size, _) = receive(&self.0, &mut buffer)?;
        if size == 0 {
            return Err(Error::new(Kind::Closed, "read", SUBJECT));
        }
        serde_json::from_slice(&buffer[..size]).map_err(|e| Error::malformed("read", SUBJECT, e))
    }
}

impl Channel {
    /// The channel behind a descriptor.
    #[must_use]
    pub const fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Waits for the order: descriptors and their numbers. `None`: there will be none.
    ///
    /// # Errors
    /// What came is no order.
    pub fn receive(&self) -> Result<Option<Vec<(OwnedFd, i32)>>> {
        let mut buffer = [0; 512];
        let (size, fds) = receive(&self.0, &mut buffer)?;
        if size == 0 {
            return Ok(None);
        }
        let numbers: Vec<i32> = serde_json::from_slice(&buffer[..size])
            .map_err(|e| Error::malformed("read", "order", e))?;
        if numbers.len() != fds.len() {
            let subject = format!("order of {} descriptors", numbers.len());
            return Err(Error::new(Kind::Malformed, "read", subject));
        }
        Ok(Some(fds.into_iter().zip(numbers).collect()))
    }

    /// Answers, and gives up the channel.
    ///
    /// # Errors
    /// Whoever launched is gone.
    pub fn answer(self, ready: &Ready) -> Result<()> {
        let bytes =
            serde_json::to_vec(ready).map_err(|e| Error::malformed("encode", "ready", e))?;
        if bytes.len() > MAX {
            return Err(Error::new(Kind::TooLarge, "encode", "ready"));
        }
        socket::send_with_fds(&self.0, &bytes, &[])?;
        Ok(())
    }
}

/// One message. The end of the other process and the end of the conversation are the same.
fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    match socket::recv_with_fds(socket, buffer) {
        Err(e) if e.source.kind() == std::io::ErrorKind::ConnectionReset => Ok((0, Vec::new())),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests;
