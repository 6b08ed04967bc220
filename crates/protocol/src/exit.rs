//! How a container ended.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::Nanos;
use crate::error::{Error, Kind, Result};

/// How a container ended: what `exit.json` holds and what waiters are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The format's version.
    pub v: u32,
    /// The exit code, 128 + n for a program that signal n ended.
    pub code: i32,
    /// The signal that ended the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// What went wrong beside the program's own end, empty if nothing.
    #[serde(default)]
    pub error: String,
    /// When the program was started.
    pub started_at: Nanos,
    /// When it had ended.
    pub finished_at: Nanos,
    /// How often its monitor had started it again by then.
    #[serde(default)]
    pub restarts: u32,
    /// Whether somebody had asked for the end.
    #[serde(default)]
    pub stopped: bool,
}

impl ExitRecord {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;
    /// The record's file in the container's directory.
    pub const FILE: &'static str = "exit.json";
    const MAX: usize = 64 * 1024;

    /// The record as its file holds it.
    ///
    /// # Errors
    /// Never in practice: the record has only values that JSON has.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::malformed("encode", Self::FILE, e))
    }

    /// Reads the record in the container's directory; `None` when there is none.
    ///
    /// # Errors
    /// The file cannot be read, is too large or is not a record.
    pub fn read(container_dir: impl AsFd) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(container_dir, Self::FILE, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(e) => return Err(Error::io("open", Self::FILE, e)),
        };
        let bytes = read_limited(&file, Self::FILE, Self::MAX)?;
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed("read", Self::FILE, e))?;
        if record.v > Self::VERSION {
            return Err(Error::new(Kind::Version, "read", Self::FILE));
        }
        Ok(Some(record))
    }
}

/// The whole content of `file` from its beginning, if it has at most `max` bytes.
pub(crate) fn read_limited(file: &OwnedFd, subject: &str, max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let offset = bytes.len() as u64;
        match rustix::io::pread(file, &mut chunk, offset) {
            Ok(0) => return Ok(bytes),
            Ok(n) if bytes.len() + n > max => {
                return Err(Error::new(Kind::TooLarge, "read", subject));
            }
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::io("read", subject, e)),
        }
    }
}
