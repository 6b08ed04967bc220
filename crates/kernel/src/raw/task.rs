//! clone3(2) without exec, and _exit(2).

use super::{AsRawFd, BorrowedFd, CStr, OwnedFd, check, io, own};
use std::ffi::{CString, c_char};

/// clone3(2) like fork: a copy of the calling thread and of its memory. `None` in the child.
///
/// The system call is made directly, so glibc does not know: its cached thread id stays the parent's, and no atfork handler runs. With one thread in
/// the caller there is no lock that somebody else could hold at that moment.
pub(crate) fn clone3(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> io::Result<Option<(i32, OwnedFd)>> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    const SHARED: u64 =
        (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_THREAD | libc::CLONE_SETTLS) as u64;
    if flags & SHARED != 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut pidfd: i32 = -1;
    // SAFETY: clone_args is a plain C struct for which all zeroes is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    if flags & libc::CLONE_PARENT as u64 == 0 {
        // A sibling ends with the signal of the caller, and clone3(2) wants none.
        args.exit_signal = libc::SIGCHLD as u64;
    }
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` has the size given and lives through the call. Without CLONE_VM the child has a copy of the whole
    // memory, this stack included, so both sides return from here as after fork(2).
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            size_of::<libc::clone_args>(),
        )
    })?;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel wrote a new descriptor there for the parent.
    let pidfd = unsafe { own(pidfd.into()) };
    Ok(Some((pid as i32, pidfd)))
}

/// _exit(2): no destructor, no atexit handler.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

/// execve(2); returns only its error.
pub(crate) fn execve(path: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        let ends = [std::ptr::null()];
        strings.iter().map(|s| s.as_ptr()).chain(ends).collect()
    };
    let (argv, envp) = (pointers(args), pointers(env));
    // SAFETY: `path` and the strings of both arrays are NUL-terminated, the arrays end with a null pointer, and all of
    // them live through the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// close_range(2) (Linux 5.9).
pub(crate) fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: integers. Owners of these descriptors are left without: the callers use it only in a copy of a process that
    // ends by exec or `exit`, where no owner is dropped any more.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}
