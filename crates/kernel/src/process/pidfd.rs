//! A process by descriptor: it never means another, however long it is kept.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, WaitStatus, pidfd_open, waitid};

use crate::error::At;
use crate::{Error, Pid, Result, raw};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl ExitStatus {
    /// The code as a shell tells it: 128 and the number for a signal.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
        }
    }

    /// Whether it is exit code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    pub(crate) fn from_wait(status: WaitStatus) -> Self {
        status.terminating_signal().map_or(
            Self::Exited(status.exit_status().unwrap_or(0)),
            Self::Signaled,
        )
    }
}

/// A process behind a descriptor.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has `pid` now. Whether it is the one that was meant, [`super::ProcessIdentity::open`] knows.
    ///
    /// # Errors
    /// `ESRCH` if there is none.
    pub fn open(pid: Pid) -> Result<Self> {
        let fd = pidfd_open(pid, PidfdFlags::empty()).at("open process", pid.as_raw_nonzero())?;
        Ok(Self(fd))
    }

    /// The process behind a descriptor that came from elsewhere.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The descriptor.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// A second descriptor of the same process.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self(self.0.try_clone().at("duplicate", "pidfd")?))
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// `ESRCH` if it has ended and was reaped, `EINVAL` for no signal, `EPERM`.
    pub fn signal(&self, signal: i32) -> Result<()> {
        raw::signal::pidfd_send_signal(self.0.as_fd(), signal).at("send signal", signal)
    }

    /// Whether it has ended, reaped or not.
    ///
    /// # Errors
    /// poll(2) failed.
    pub fn has_ended(&self) -> Result<bool> {
        super::is_readable(self.0.as_fd()).at("poll", "process")
    }

    /// Waits until it has ended, for a process that need not be a child; false if `timeout` passed before.
    ///
    /// # Errors
    /// poll(2) failed.
    pub fn wait_end(&self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            });
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).at("poll", "process"),
            }
        }
    }

    /// Waits for the child to end, and reaps it.
    ///
    /// # Errors
    /// `ECHILD` if it is not a child, or was reaped.
    pub fn wait(&self) -> Result<ExitStatus> {
        match self.wait_with(WaitIdOptions::EXITED)? {
            Some(status) => Ok(status),
            None => Err(Error::new("wait for", "process", Errno::CHILD)),
        }
    }

    /// Reaps the child if it has ended.
    ///
    /// # Errors
    /// As [`PidFd::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    fn wait_with(&self, options: WaitIdOptions) -> Result<Option<ExitStatus>> {
        loop {
            match waitid(WaitId::PidFd(self.0.as_fd()), options) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).at("wait for", "process"),
                Ok(None) => return Ok(None),
                Ok(Some(status)) => {
                    let signal = status.terminating_signal();
                    let exited = ExitStatus::Exited(status.exit_status().unwrap_or(0));
                    return Ok(Some(signal.map_or(exited, ExitStatus::Signaled)));
                }
            }
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
