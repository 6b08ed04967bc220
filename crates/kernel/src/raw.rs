//! System calls that rustix does not have, one a function, with owned types.
//!
//! Every `unsafe` block of the project is here. Nothing in this module decides anything: callers check what they pass.
#![expect(unsafe_code, reason = "the one room for it")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "system calls take and give c_long; each result is checked before it is narrowed"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub(crate) mod bpf;
pub(crate) mod capability;
pub(crate) mod device;
pub(crate) mod inherited;
pub(crate) mod keyring;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod netlink;
pub(crate) mod prctl;
pub(crate) mod sched;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod spawn;
pub(crate) mod task;

/// The result of a `libc::syscall`, or the error that it left in errno.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The descriptor that a system call has just returned.
///
/// # Safety
/// `fd` was returned by a system call that made it, and nobody else owns it.
unsafe fn own(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the caller's promise.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
