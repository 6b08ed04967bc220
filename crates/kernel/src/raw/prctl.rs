//! prctl(2) with integer arguments, and the few calls on the calling thread that rustix has not or marks unsafe.

use super::{AsRawFd, BorrowedFd, check, io};

pub(super) fn prctl(
    option: libc::c_int,
    a: libc::c_ulong,
    b: libc::c_ulong,
) -> io::Result<libc::c_long> {
    let zero: libc::c_ulong = 0;
    // SAFETY: only called in this module and its siblings, with options that take integers and touch no memory of ours.
    check(unsafe { libc::prctl(option, a, b, zero, zero) }.into())
}

/// PR_SET_PDEATHSIG; 0 for none.
pub(crate) fn set_parent_death_signal(signal: i32) -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong, 0).map(drop)
}

/// PR_SET_CHILD_SUBREAPER.
pub(crate) fn set_child_subreaper(on: bool) -> io::Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(on), 0).map(drop)
}

/// PR_SET_DUMPABLE.
pub(crate) fn set_dumpable(on: bool) -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on), 0).map(drop)
}

/// PR_SET_KEEPCAPS.
pub(crate) fn set_keep_capabilities(on: bool) -> io::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, libc::c_ulong::from(on), 0).map(drop)
}

/// PR_SET_NO_NEW_PRIVS.
pub(crate) fn set_no_new_privileges() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// unshare(2).
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: unshare(2) takes an integer. The callers pass CLONE_NEW* only, never CLONE_FILES: no thread's view of its
    // descriptors changes.
    check(unsafe { libc::unshare(flags) }.into())?;
    Ok(())
}

/// setns(2).
pub(crate) fn setns(fd: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: setns(2) takes two integers.
    check(unsafe { libc::setns(fd.as_raw_fd(), flags) }.into())?;
    Ok(())
}

/// close_range(2) with CLOSE_RANGE_CLOEXEC (Linux 5.11), from `first` on.
pub(crate) fn close_range_cloexec(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) takes integers; with CLOEXEC no descriptor is closed now.
    check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })?;
    Ok(())
}
