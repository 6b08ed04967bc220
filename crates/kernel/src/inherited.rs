//! Descriptors that were given to this process by number when it was started.

use std::os::fd::OwnedFd;

use rustix::io::fcntl_dupfd_cloexec;

use crate::error::At;
use crate::{Result, raw};

/// Takes the inherited descriptor `number`, which is close-on-exec from now on.
///
/// Every descriptor that a process of ours makes is close-on-exec from the start, an inherited one can't be; so one that is not is
/// inherited and has no owner yet, and none is taken twice. To be called before anything that could make another kind.
///
/// # Errors
/// There is no such descriptor (`EBADF`), or it was taken already or made here (`EBUSY`).
pub fn take(number: i32) -> Result<OwnedFd> {
    raw::inherited::take(number).at("take descriptor", number)
}

/// Puts descriptors at numbers of their own, as if they had been inherited there; each is then to be had from [`take`]. Only for a process of one
/// thread: another could open a number in between.
///
/// # Errors
/// A number is in use (`EBUSY`), given twice or a standard stream's. Some may have been placed.
pub fn place(fds: Vec<(OwnedFd, i32)>) -> Result<()> {
    // Out of the way first: one may have the number of another.
    let above = fds.iter().map(|(_, number)| *number).max().unwrap_or(0) + 1;
    let mut moved = Vec::with_capacity(fds.len());
    for (fd, number) in fds {
        let fd = fcntl_dupfd_cloexec(fd, above).at("move descriptor for", number)?;
        moved.push((fd, number));
    }
    for (fd, number) in moved {
        raw::inherited::place(fd, number).at("place descriptor", number)?;
    }
    Ok(())
}
