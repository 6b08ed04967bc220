//! Processes: started, named without doubt, signalled and waited for.
//!
//! Read [`Spawn`] (a program in a new process, from any process), then [`PidFd`]. [`clone3`] is for the container runtime alone: it is single-threaded, as
//! a copy of a process must be.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use crate::error::At;
use crate::{Result, raw};

mod identity;
mod pidfd;
mod spawn;

pub use identity::{ProcessIdentity, boot_id, start_time};
pub use pidfd::{ExitStatus, PidFd};
pub use rustix::process::Pid;
pub use spawn::{Child, Executable, Spawn};

/// The flag of [`clone3`] that makes the child one of the caller's parent: a sibling (`CLONE_PARENT`).
pub const SIBLING: u64 = 0x8000;

/// Copies the calling process, which must have one thread, with `flags` (`CLONE_NEW*`, see [`crate::namespace::clone_flags`]; [`SIBLING`]; nothing that
/// shares memory). `None` in the child; the parent gets the child's pid and pidfd. `cgroup`: the version 2 cgroup directory in which the child begins
/// (Linux 5.7).
///
/// # Errors
/// clone3(2) refused.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Option<(Pid, PidFd)>> {
    let cloned = raw::task::clone3(flags, cgroup).at("clone", "process")?;
    let Some((pid, pidfd)) = cloned else {
        return Ok(None);
    };
    Ok(Pid::from_raw(pid).map(|pid| (pid, PidFd::from_fd(pidfd))))
}

/// Ends a child of [`clone3`] at once: no destructor, no exit handler, which are the parent's.
pub fn exit_now(code: i32) -> ! {
    raw::task::exit(code)
}

/// Becomes the program at `path`; returns only if it can't, with the reason.
#[must_use]
pub fn execute(path: &CStr, args: &[CString], env: &[CString]) -> rustix::io::Errno {
    let error = raw::task::execve(path, args, env);
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::INVAL)
}

/// Closes every descriptor from 3 on but `kept`, whoever owns it: only for a child of [`clone3`], which holds copies of all that its
/// parent has open (Linux 5.9).
///
/// # Errors
/// close_range(2) failed.
pub fn close_all_except(kept: &[RawFd]) -> Result<()> {
    let mut kept: Vec<u32> = kept
        .iter()
        .filter_map(|&fd| u32::try_from(fd).ok())
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if fd > first {
            raw::task::close_range(first, fd - 1).at("close descriptors from", first)?;
        }
        first = first.max(fd + 1);
    }
    raw::task::close_range(first, u32::MAX).at("close descriptors from", first)
}

/// Marks every descriptor from `first` on as closed by exec (Linux 5.11).
///
/// # Errors
/// close_range(2) failed.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    raw::prctl::close_range_cloexec(first).at("mark descriptors from", first)
}

/// Has the kernel send `signal` to the caller when the thread that started it ends. Returns false if that was already so: `parent` is not the
/// parent any more.
///
/// # Errors
/// No such signal.
pub fn set_parent_death_signal(signal: i32, parent: Pid) -> Result<bool> {
    raw::prctl::set_parent_death_signal(signal).at("set parent death signal", signal)?;
    Ok(rustix::process::getppid() == Some(parent))
}

/// Whether the caller's effective user is root, of its user namespace.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes the caller the parent of what its descendants leave behind.
///
/// # Errors
/// prctl(2) failed.
pub fn become_subreaper() -> Result<()> {
    raw::prctl::set_child_subreaper(true).at("become", "subreaper")
}

/// Forbids others to trace the caller and to look at what it has open, until its next exec.
///
/// # Errors
/// prctl(2) failed.
pub fn forbid_tracing() -> Result<()> {
    raw::prctl::set_dumpable(false).at("forbid tracing of", "this process")
}

/// Allows others again what [`forbid_tracing`] forbade: for a moment in which the caller's own files in procfs must be its own.
///
/// # Errors
/// prctl(2) failed.
pub fn allow_tracing() -> Result<()> {
    raw::prctl::set_dumpable(true).at("allow tracing of", "this process")
}

/// Reaps one child that has ended, any; `None` if none has.
///
/// # Errors
/// waitpid(2) failed otherwise than by there being no child.
pub fn reap() -> Result<Option<(Pid, ExitStatus)>> {
    use rustix::process::{WaitOptions, wait};
    match wait(WaitOptions::NOHANG) {
        Ok(Some((pid, status))) => Ok(Some((pid, ExitStatus::from_wait(status)))),
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error).at("wait for", "child"),
    }
}

/// Whether `fd` is readable now: for a pidfd, whether its process has ended.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    Ok(poll(&mut fds, Some(&now))? > 0)
}

#[cfg(test)]
mod tests;
