//! Open file description locks: fcntl(2), Linux 3.15.

use super::{AsRawFd, BorrowedFd, check, io};

fn whole_file(kind: libc::c_int) -> libc::flock {
    // SAFETY: flock is a plain C struct for which all zeroes is a value; l_pid must be 0 for the OFD commands.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

/// F_OFD_SETLK for the whole file: `EAGAIN` if another open file description holds it.
pub(crate) fn ofd_write_lock(fd: BorrowedFd<'_>) -> io::Result<()> {
    let lock = whole_file(libc::F_WRLCK);
    // SAFETY: F_OFD_SETLK reads one struct flock, which lives through the call.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }.into())?;
    Ok(())
}

/// F_OFD_SETLK with F_UNLCK for the whole file.
pub(crate) fn ofd_unlock(fd: BorrowedFd<'_>) -> io::Result<()> {
    let lock = whole_file(libc::F_UNLCK);
    // SAFETY: as in `ofd_write_lock`.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }.into())?;
    Ok(())
}

/// F_OFD_GETLK: whether another open file description holds a lock that refuses a write lock.
pub(crate) fn ofd_is_locked(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    // SAFETY: F_OFD_GETLK reads and writes one struct flock, which lives through the call.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) }.into())?;
    Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
}
