//! seccomp(2), Linux 3.17.

use super::{OwnedFd, check, io, own};
use crate::seccomp::Instruction;

/// SECCOMP_SET_MODE_FILTER.
pub(crate) fn set_filter(
    program: &[Instruction],
    flags: u32,
    listener: bool,
) -> io::Result<Option<OwnedFd>> {
    let Ok(len) = u16::try_from(program.len()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // `Instruction` has the layout of sock_filter (linux/filter.h).
    let program = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the kernel reads `len` instructions behind the pointer, which live through the call.
    let result = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })?;
    if listener {
        // SAFETY: with SECCOMP_FILTER_FLAG_NEW_LISTENER the result is a new descriptor.
        return Ok(Some(unsafe { own(result) }));
    }
    if result > 0 {
        // With TSYNC: the thread that could not be synchronised.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(None)
}

/// SECCOMP_GET_ACTION_AVAIL.
pub(crate) fn action_available(action: u32) -> io::Result<()> {
    // SAFETY: the kernel reads one u32, which lives through the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    })?;
    Ok(())
}
