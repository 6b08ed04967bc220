//! Descriptors that were given to this process by number when it was started.

use std::os::fd::OwnedFd;

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
