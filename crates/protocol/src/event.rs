//! What happened: one append-only file, written by engines and monitors alike, one record a write.
//!
//! The directory `events` below `/var/lib/tare` holds two segments: `current`, which is written, and `previous`, which was.
//! A record is a line of JSON with a version. A writer holds a shared flock on the segment while it writes one line; who
//! finds it full takes it exclusively for the rename, so that nothing is ever written to a segment that has been turned. A
//! reader needs no lock: it reads lines, and goes on to the next segment when there is one.

mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use kernel::lock::{Flock, Sharing, Wait};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Nanos;
use crate::error::{Error, Result};

pub use reader::EventReader;

/// The subject of most errors here.
const SUBJECT: &str = "event file";
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
/// A rename is waited for; who holds the lock longer has been stopped, and one record is not worth waiting for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The format's version. First in each line: by it a record behind a torn one is found again.
    pub v: u32,
    /// When, in unix nanoseconds.
    pub time: Nanos,
    /// To what kind of thing: `container`, `image`, `volume`, `network`, `daemon`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened: `start`, `die`, `health_status: healthy`.
    pub action: String,
    /// To which: an id, or a name where names are what there is.
    pub id: String,
    /// More about it.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;
    /// The longest line: a container's labels may be long, but a reader must not be made to keep more than this.
    pub const MAX: usize = 256 * 1024;

    /// An event at `time`, without attributes.
    #[must_use]
    pub fn new(time: Nanos, kind: &str, action: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            v: Self::VERSION,
            time,
            kind: kind.to_owned(),
            action: action.into(),
            id: id.into(),
            attributes: BTreeMap::new(),
        }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// The record as its file holds it. One that would be too long loses its attributes, not itself.
    fn line(&self) -> Result<Vec<u8>> {
        let encode = |event: &Self| {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            Ok(line)
        };
        let failed = |e| Error::malformed("encode", "event", e);
        let line = encode(self).map_err(failed)?;
        if line.len() <= Self::MAX {
            return Ok(line);
        }
        let bare = Self {
            attributes: BTreeMap::new(),
            ..self.clone()
        };
        encode(&bare).map_err(failed)
    }
}

/// The directory of the event file.
#[derive(Debug)]
pub struct EventLog {
    dir: OwnedFd,
    /// How large a segment becomes.
    limit: u64,
}

impl EventLog {
    /// The directory's name below the engine's root.
    pub const DIRECTORY: &'static str = "events";
    /// How large a segment becomes: some ten thousand events.
    pub const LIMIT: u64 = 4 * 1024 * 1024;

    /// The log below `root`; it is made if it isn't there.
    ///
    /// # Errors
    /// It can't be made or opened, or is a link.
    pub fn create(root: impl AsFd) -> Result<Self> {
        match rustix::fs::mkdirat(&root, Self::DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(Error::io("create", "event directory", e)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(root, Self::DIRECTORY, flags, Mode::empty())
            .map(Self::at)
            .map_err(|e| Error::io("open", "event directory", e))
    }

    /// The log whose directory is `dir`.
    #[must_use]
    pub const fn at(dir: OwnedFd) -> Self {
        Self {
            dir,
            limit: Self::LIMIT,
        }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// It can't be written: the disk is full.
    pub fn append(&self, event: &Event) -> Result<()> {
        let line = event.line()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | self::flags();
            let file = rustix::fs::openat(&self.dir, CURRENT, flags, Mode::RUSR | Mode::WUSR)
                .map_err(|e| Error::io("open", SUBJECT, e))?;
            let Some(lock) = Flock::acquire(file, Sharing::Shared, Wait::Until(deadline))? else {
                continue;
            };
            // It may have been turned between the two.
            if !self.is(CURRENT, &lock)? {
                continue;
            }
            write(&lock, &line)?;
            let size = stat(&lock)?.st_size;
            drop(lock);
            if u64::try_from(size).is_ok_and(|size| size >= self.limit) {
                self.turn()?;
            }
            return Ok(());
        }
    }

    /// Begins a new segment, unless another does it or has done it.
    fn turn(&self) -> Result<()> {
        let Some(file) = self.open(CURRENT)? else {
            return Ok(());
        };
        let full = u64::try_from(stat(&file)?.st_size).is_ok_and(|size| size >= self.limit);
        let Some(lock) = Flock::acquire(file, Sharing::Exclusive, Wait::No)? else {
            return Ok(());
        };
        if full && self.is(CURRENT, &lock)? {
            rustix::fs::renameat(&self.dir, CURRENT, &self.dir, PREVIOUS)
                .map_err(|e| Error::io("turn", SUBJECT, e))?;
        }
        Ok(())
    }

    /// Reads from the oldest record on.
    ///
    /// # Errors
    /// The log's directory can't be duplicated.
    pub fn reader(&self) -> Result<EventReader> {
        Ok(EventReader::new(self.try_clone()?))
    }

    /// Another handle of the same log.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> Result<Self> {
        let dir = self.dir.try_clone();
        dir.map(|dir| Self {
            dir,
            limit: self.limit,
        })
        .map_err(|e| Error::io("duplicate", "event directory", e))
    }

    /// Opens a segment for reading; `None` if it isn't there.
    fn open(&self, name: &str) -> Result<Option<OwnedFd>> {
        match rustix::fs::openat(&self.dir, name, OFlags::RDONLY | flags(), Mode::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::io("open", SUBJECT, e)),
        }
    }

    /// Whether the segment of this name is `file`.
    fn is(&self, name: &str, file: impl AsFd) -> Result<bool> {
        let ours = stat(file)?;
        match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(Error::io("stat", SUBJECT, e)),
        }
    }

    #[cfg(test)]
    fn limited(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }
}

impl AsFd for EventLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// Nobody below the engine's root is to make us open a pipe or follow a link.
fn flags() -> OFlags {
    OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK
}

fn stat(file: impl AsFd) -> Result<rustix::fs::Stat> {
    rustix::fs::fstat(file).map_err(|e| Error::io("stat", SUBJECT, e))
}

/// One record, one write: the kernel keeps writers to a file apart.
fn write(file: impl AsFd, line: &[u8]) -> Result<()> {
    loop {
        match rustix::io::write(&file, line) {
            Ok(n) if n == line.len() => return Ok(()),
            // The disk is full: what stands there is a torn line. The reader finds the next record behind it.
            Ok(_) => return Err(Error::io("write", SUBJECT, Errno::NOSPC)),
            Err(Errno::INTR) => {}
            Err(e) => return Err(Error::io("write", SUBJECT, e)),
        }
    }
}
