//! Labels of Linux security modules. One that can't be had is an error, never silently less (CVE-2025-65105).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::mount::{Attr, FsContext};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};
use crate::sysctl;

/// The labels of a program; an empty one is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) apparmor: &'a str,
    pub(crate) selinux: &'a str,
}

impl Labels<'_> {
    /// A procfs to write them through that nothing of the container's is mounted over (CVE-2019-16884), while there is the right to have one. `None`
    /// without labels.
    pub(crate) fn proc(self) -> Result<Option<OwnedFd>> {
        if self.apparmor.is_empty() && self.selinux.is_empty() {
            return Ok(None);
        }
        let proc = FsContext::new("proc")?.create()?.mount(Attr::empty())?;
        Ok(Some(proc.into_fd()))
    }

    /// Has the program that the calling process becomes begin with them. The process must be in the pid namespace of `proc`.
    pub(crate) fn apply(self, proc: BorrowedFd<'_>) -> Result<()> {
        let me = rustix::process::getpid().as_raw_nonzero();
        if !self.apparmor.is_empty() {
            let value = format!("exec {}", self.apparmor);
            let own = format!("{me}/attr/apparmor/exec");
            let old = format!("{me}/attr/exec");
            let file = if exists(proc, &own) { own } else { old };
            set(proc, &file, &value).map_err(|e| refused("AppArmor profile", self.apparmor, e))?;
        }
        if !self.selinux.is_empty() {
            set(proc, &format!("{me}/attr/exec"), self.selinux)
                .map_err(|e| refused("SELinux label", self.selinux, e))?;
        }
        Ok(())
    }
}

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_XDEV)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS);

fn exists(proc: BorrowedFd<'_>, path: &str) -> bool {
    openat2(
        proc,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        RESOLVE,
    )
    .is_ok()
}

/// Writes the label, and reads back that it took.
fn set(proc: BorrowedFd<'_>, path: &str, value: &str) -> rustix::io::Result<()> {
    sysctl::write(proc, path, value.as_bytes())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat2(proc, path, flags, Mode::empty(), RESOLVE)?;
    let mut text = [0; 256];
    match rustix::io::read(file.as_fd(), &mut text)? {
        0 => Err(Errno::INVAL),
        _ => Ok(()),
    }
}

fn refused(what: &str, label: &str, error: Errno) -> Error {
    let why = match error {
        // What a kernel answers where no module takes labels.
        Errno::INVAL | Errno::OPNOTSUPP => "no security module that takes it is active".to_owned(),
        Errno::NOENT => "it is not loaded".to_owned(),
        other => std::io::Error::from(other).to_string(),
    };
    let label = label.escape_default();
    Error::message(
        Kind::Unsupported,
        format!("unable to apply {what} {label}: {why}"),
    )
}
