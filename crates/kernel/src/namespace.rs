//! Namespaces: made with clone3(2) or unshare(2), entered with setns(2).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

use crate::error::At;
use crate::{Pid, Result, raw};

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Users and groups.
    User,
    /// Control groups.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Host and domain name.
    Uts,
    /// Network.
    Net,
    /// Processes.
    Pid,
    /// Mounts.
    Mount,
    /// Boot and monotonic clocks (Linux 5.6).
    Time,
}

impl Kind {
    /// All kinds, in the order in which they are to be joined one by one: the user namespace first, which gives the right to the others, the mount
    /// namespace after those that are opened by path.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Cgroup,
        Self::Ipc,
        Self::Uts,
        Self::Net,
        Self::Pid,
        Self::Time,
        Self::Mount,
    ];

    /// Its `CLONE_NEW*` flag.
    #[must_use]
    pub const fn flag(self) -> i32 {
        match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Cgroup => libc::CLONE_NEWCGROUP,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Uts => libc::CLONE_NEWUTS,
            Self::Net => libc::CLONE_NEWNET,
            Self::Pid => libc::CLONE_NEWPID,
            Self::Mount => libc::CLONE_NEWNS,
            Self::Time => libc::CLONE_NEWTIME,
        }
    }

    /// Its name in `/proc/*/ns`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Cgroup => "cgroup",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::Mount => "mnt",
            Self::Time => "time",
        }
    }
}

fn flags(kinds: &[Kind]) -> i32 {
    kinds.iter().fold(0, |flags, kind| flags | kind.flag())
}

/// The flags of `kinds` for [`crate::process::clone3`].
#[must_use]
pub fn clone_flags(kinds: &[Kind]) -> u64 {
    u64::from(flags(kinds).unsigned_abs())
}

/// Puts the calling thread into new namespaces; for [`Kind::Pid`] and [`Kind::Time`] its children.
///
/// # Errors
/// unshare(2) refused: no right, no more namespaces, or not supported.
pub fn unshare(kinds: &[Kind]) -> Result<()> {
    raw::prctl::unshare(flags(kinds)).at("unshare", names(kinds))
}

/// Puts the calling thread into the namespaces `kinds` of the process behind `pidfd`, all or none (Linux 5.8).
///
/// # Errors
/// The process has ended (`ESRCH`), or setns(2) refused.
pub fn setns(pidfd: impl AsFd, kinds: &[Kind]) -> Result<()> {
    raw::prctl::setns(pidfd.as_fd(), flags(kinds)).at("join namespaces", names(kinds))
}

/// Puts the calling thread into the one namespace behind `fd`, a file of `/proc/*/ns` or a bind mount of one.
///
/// # Errors
/// `EINVAL` if it is of another kind; else setns(2) refused.
pub fn setns_one(fd: impl AsFd, kind: Kind) -> Result<()> {
    raw::prctl::setns(fd.as_fd(), kind.flag()).at("join namespace", kind.name())
}

/// A descriptor of a namespace of the process `pid`; of the calling process for `None`.
///
/// # Errors
/// No such process, no right, or the kernel has no such kind.
pub fn open(pid: Option<Pid>, kind: Kind) -> Result<OwnedFd> {
    let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.as_raw_nonzero().to_string());
    let path = format!("/proc/{pid}/ns/{}", kind.name());
    openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open namespace", path)
}

/// A descriptor of the calling thread's own namespace, which may be another than its process's.
///
/// # Errors
/// The kernel has no such kind.
pub fn open_own(kind: Kind) -> Result<OwnedFd> {
    let path = format!("/proc/thread-self/ns/{}", kind.name());
    openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open namespace", path)
}

/// The number that identifies the namespace behind `fd` on this host, until it ends.
///
/// # Errors
/// fstat(2) failed.
pub fn id(fd: impl AsFd) -> Result<(u64, u64)> {
    let stat = fstat(fd).at("stat", "namespace")?;
    Ok((stat.st_dev, stat.st_ino))
}

fn names(kinds: &[Kind]) -> String {
    kinds
        .iter()
        .map(|kind| kind.name())
        .collect::<Vec<_>>()
        .join(",")
}
