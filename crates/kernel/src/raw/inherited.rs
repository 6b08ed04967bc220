//! Descriptors without an owner.

use std::os::fd::AsRawFd;

use rustix::io::Errno;

use super::{OwnedFd, check, io, own};

/// Makes the caller the owner of `number`, if it is open and not close-on-exec, and marks it so.
pub(crate) fn take(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD takes no argument and touches no memory; an unused number is an error.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
    if number <= 2 || flags & libc::c_long::from(libc::FD_CLOEXEC) != 0 {
        return Err(Errno::BUSY.into());
    }
    // SAFETY: F_SETFD takes an integer.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    // SAFETY: the descriptor was not close-on-exec, so no code of this process made it and nobody took it before: the standard library and
    // all doors here make theirs close-on-exec, and the standard streams, whose owners are static, are excluded.
    Ok(unsafe { own(number.into()) })
}

/// Puts `fd` at `number`, which must be free: from then on it is as one that was inherited.
pub(crate) fn place(fd: OwnedFd, number: i32) -> io::Result<()> {
    // SAFETY: F_GETFD takes no argument and touches no memory; an unused number is an error.
    let free = unsafe { libc::fcntl(number, libc::F_GETFD) } < 0;
    if number <= 2 || !free {
        return Err(Errno::BUSY.into());
    }
    // SAFETY: no memory is touched; `number` is not open, so nobody's descriptor is replaced.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into())?;
    Ok(())
}
