//! Locks that die with their holder.
//!
//! [`FileLock`] is an open file description lock: taken by whoever is alive, asked for by [`held`] without being taken. [`Flock`] is flock(2), for
//! mutual exclusion. Either ends when the last duplicate of the descriptor is closed, by whatever death.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Result, raw};

/// How long to wait for a lock that another holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until then; then the error is `ETIMEDOUT`.
    Until(Instant),
}

/// A write lock on a whole file, owned by its open file description.
#[derive(Debug)]
pub struct FileLock(OwnedFd);

impl FileLock {
    /// Locks `file`, which must be open for writing. `None` if another holds it and `wait` is [`Wait::No`].
    ///
    /// # Errors
    /// The deadline passed (`ETIMEDOUT`), or the file can't be locked.
    pub fn acquire(file: impl Into<OwnedFd>, wait: Wait) -> Result<Option<Self>> {
        let file = file.into();
        Ok(poll(wait, || raw::lock::ofd_write_lock(file.as_fd()))?.then_some(Self(file)))
    }

    /// Releases the lock, for duplicates of the descriptor too.
    ///
    /// # Errors
    /// fcntl(2) failed.
    pub fn unlock(self) -> Result<OwnedFd> {
        raw::lock::ofd_unlock(self.0.as_fd()).at("unlock", "file")?;
        Ok(self.0)
    }

    /// The descriptor, still locked.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether somebody else holds a [`FileLock`] on `file`. Never takes it, so that two who ask don't disturb each other.
///
/// # Errors
/// fcntl(2) failed.
pub fn held(file: impl AsFd) -> Result<bool> {
    raw::lock::ofd_is_locked(file.as_fd()).at("probe lock of", "file")
}

/// Whether others may hold the same [`Flock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One holder.
    Exclusive,
    /// Any number of shared holders.
    Shared,
}

/// An flock(2) on a file or directory. It goes where its descriptor goes: handed to another process, it stays locked.
#[derive(Debug)]
pub struct Flock(OwnedFd);

impl Flock {
    /// Locks `file`. `None` if another holds it and `wait` is [`Wait::No`].
    ///
    /// # Errors
    /// The deadline passed (`ETIMEDOUT`), or the file can't be locked.
    pub fn acquire(file: impl Into<OwnedFd>, sharing: Sharing, wait: Wait) -> Result<Option<Self>> {
        let file = file.into();
        let operation = match sharing {
            Sharing::Exclusive => FlockOperation::NonBlockingLockExclusive,
            Sharing::Shared => FlockOperation::NonBlockingLockShared,
        };
        Ok(poll(wait, || Ok(flock(&file, operation)?))?.then_some(Self(file)))
    }

    /// Releases the lock, for duplicates of the descriptor too.
    ///
    /// # Errors
    /// flock(2) failed.
    pub fn unlock(self) -> Result<OwnedFd> {
        flock(&self.0, FlockOperation::Unlock).at("unlock", "file")?;
        Ok(self.0)
    }

    /// The descriptor, still locked.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Flock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Tries until it works or the deadline passes. Neither lock has a call that waits with a deadline without a signal.
fn poll(wait: Wait, mut attempt: impl FnMut() -> std::io::Result<()>) -> Result<bool> {
    let mut pause = Duration::from_micros(200);
    loop {
        match attempt().map_err(|error| (Errno::from_io_error(&error), error)) {
            Ok(()) => return Ok(true),
            Err((Some(Errno::INTR), _)) => continue,
            Err((Some(Errno::AGAIN | Errno::ACCESS), _)) => {}
            Err((_, error)) => return Err(error).at("lock", "file"),
        }
        let Wait::Until(deadline) = wait else {
            return Ok(false);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new("lock", "file", Errno::TIMEDOUT));
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests;
