//! The program's standard streams, on our side.

use std::os::fd::OwnedFd;

use protocol::log::Stream;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

/// Where output of the program comes from.
#[derive(Debug)]
pub(crate) struct Source {
    /// A pipe's read end or a terminal's master; non-blocking.
    pub(crate) fd: OwnedFd,
    /// What it is.
    pub(crate) stream: Stream,
}

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// Data, in the buffer.
    Data,
    /// Nothing now.
    Nothing,
    /// The end: nobody can write any more.
    End,
}

impl Source {
    /// Reads once into the empty `buffer`, as much as it has room for.
    pub(crate) fn read(&self, buffer: &mut Vec<u8>) -> Got {
        match rustix::io::read(&self.fd, rustix::buffer::spare_capacity(buffer)) {
            // A terminal without a slave says EIO instead of an end.
            Ok(0) | Err(Errno::IO) => Got::End,
            Ok(_) => Got::Data,
            Err(Errno::AGAIN | Errno::INTR) => Got::Nothing,
            Err(_) => Got::End,
        }
    }
}

/// A pipe that the program reads from: (its end, ours).
pub(crate) fn to_program() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
}

/// A pipe that the program writes to: (its end, ours). Only ours is non-blocking: the two ends are separate descriptions.
pub(crate) fn from_program() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((theirs, ours))
}
