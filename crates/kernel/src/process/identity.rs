//! Who a process is: a pid means another process after its end, and after a boot; pid, start time and boot id together never do.

use std::io;

use rustix::io::Errno;

use super::{Pid, PidFd};
use crate::error::At;
use crate::{Error, Result};

/// A process as it is written to files and found again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: Pid,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// The boot: [`boot_id`].
    pub boot_id: String,
}

impl ProcessIdentity {
    /// The identity of the process that has `pid` now.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pid: Pid) -> Result<Self> {
        Ok(Self {
            pid,
            start_time: start_time(pid)?,
            boot_id: boot_id()?,
        })
    }

    /// The identity of the calling process.
    ///
    /// # Errors
    /// `/proc` can't be read.
    pub fn current() -> Result<Self> {
        Self::of(rustix::process::getpid())
    }

    /// The process, if it still exists (ended and not yet reaped counts).
    ///
    /// # Errors
    /// It can't be known.
    pub fn open(&self) -> Result<Option<PidFd>> {
        if boot_id()? != self.boot_id {
            return Ok(None);
        }
        let gone = |error: &Error| matches!(error.errno(), Errno::SRCH | Errno::NOENT);
        let pidfd = match PidFd::open(self.pid) {
            Ok(pidfd) => pidfd,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Asked after the open: if it is right now, the descriptor is of that process, or of none if it ended between.
        match start_time(self.pid) {
            Ok(time) if time == self.start_time => Ok(Some(pidfd)),
            Ok(_) => Ok(None),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the process exists and has not ended.
    ///
    /// # Errors
    /// As [`ProcessIdentity::open`].
    pub fn is_alive(&self) -> Result<bool> {
        match self.open()? {
            Some(pidfd) => Ok(!pidfd.has_ended()?),
            None => Ok(false),
        }
    }
}

/// When the process `pid` started, in clock ticks since the boot.
///
/// # Errors
/// `ENOENT` or `ESRCH` if there is no such process.
pub fn start_time(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = std::fs::read(&path).at("read", &path)?;
    parse_start_time(&stat).ok_or_else(|| Error::new("read", path, io::ErrorKind::InvalidData))
}

/// Field 22 of proc_pid_stat(5). The second is the program's name, which may hold anything but ends at the last parenthesis.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The number of this boot, another at each.
///
/// # Errors
/// `/proc` can't be read.
pub fn boot_id() -> Result<String> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    Ok(std::fs::read_to_string(PATH)
        .at("read", PATH)?
        .trim_end()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_start_time;

    #[test]
    fn a_program_may_be_named_like_fields() {
        let stat = b"7 (a) S 1 (b c) R 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        assert_eq!(parse_start_time(stat), Some(12345));
        assert_eq!(parse_start_time(b"7 (a"), None);
    }
}
