//! Pseudoterminals out of one given devpts, never by a name that somebody could have mounted over.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, ptsname, unlockpt};

use crate::error::At;
use crate::{Error, Result};

/// DEVPTS_SUPER_MAGIC.
const DEVPTS: i64 = 0x1cd1;

/// Both ends of a pseudoterminal.
#[derive(Debug)]
pub struct Pty {
    /// The end of whoever plays the terminal.
    pub master: OwnedFd,
    /// The end that programs have.
    pub slave: OwnedFd,
    /// Its number: the slave is `N` in the devpts.
    pub number: u32,
}

/// Makes a pseudoterminal in the devpts whose root `devpts` is.
///
/// # Errors
/// It is no devpts (`EINVAL`), or has no more terminals (`ENOSPC`).
pub fn open(devpts: impl AsFd) -> Result<Pty> {
    const OP: &str = "open";
    const WHAT: &str = "pseudoterminal";
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = openat(devpts, c"ptmx", flags, Mode::empty()).at(OP, WHAT)?;
    let kind = fstatfs(&master).at(OP, WHAT)?.f_type;
    if kind != DEVPTS {
        return Err(Error::invalid(OP, WHAT, "not in a devpts"));
    }
    unlockpt(&master).at("unlock", WHAT)?;
    // By the master itself, not by a path: TIOCGPTPEER is of Linux 4.13.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(&master, flags).at(OP, WHAT)?;
    let name = ptsname(&master, Vec::new()).at("name", WHAT)?;
    let number = name
        .to_str()
        .ok()
        .and_then(|name| name.rsplit('/').next()?.parse().ok());
    let number = number.ok_or_else(|| Error::new("name", WHAT, Errno::INVAL))?;
    Ok(Pty {
        master,
        slave,
        number,
    })
}

/// Makes `slave` the controlling terminal of the calling process, which must lead a session that has none.
///
/// # Errors
/// It does not, or has one.
pub fn make_controlling(slave: impl AsFd) -> Result<()> {
    rustix::process::ioctl_tiocsctty(slave).at("make controlling terminal of", "pseudoterminal")
}
