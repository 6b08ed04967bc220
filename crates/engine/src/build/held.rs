//! Files that a client on the same machine holds open: taken over by descriptor, so that no path of the client's is ever opened
//! by the engine.

use std::os::fd::OwnedFd;

use rustix::fs::fstat;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::error::{Error, Kind, Result};

/// A descriptor of another process, and what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Whose, by the kernel's word; none for this process.
    pub pid: Option<i32>,
    /// Its number there.
    pub descriptor: i32,
    /// What the client says that it leads to: another process's descriptor of this number, should the pid be another's by now,
    /// leads elsewhere.
    pub device: u64,
    /// The same.
    pub inode: u64,
}

impl Held {
    /// A descriptor of this process for the same file.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if it can't be had: the client is to send the files instead.
    pub fn take(&self) -> Result<OwnedFd> {
        let failed = |e: rustix::io::Errno| {
            Error::new(
                Kind::Unavailable,
                "the client's files can't be read in place",
            )
            .because(std::io::Error::from(e))
        };
        let bad = || failed(rustix::io::Errno::BADF);
        if self.descriptor < 0 {
            return Err(bad());
        }
        let pid = match self.pid {
            Some(pid) => Pid::from_raw(pid).ok_or_else(bad)?,
            None => rustix::process::getpid(),
        };
        let process = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
        let fd =
            pidfd_getfd(&process, self.descriptor, PidfdGetfdFlags::empty()).map_err(failed)?;
        let stat = fstat(&fd).map_err(failed)?;
        if (stat.st_dev, stat.st_ino) != (self.device, self.inode) {
            return Err(bad());
        }
        Ok(fd)
    }
}
