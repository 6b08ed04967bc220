//! How a living container is, where that changes while it lives: a file beside the state file.
//!
//! The state file is its monitor's lock and can't be replaced; this file is, whole, by rename. It is there only while
//! there is something unusual to say, so that nobody pays for it who runs and does nothing else.

#[cfg(test)]
mod tests;

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::exit::read_limited;
use crate::{ExitRecord, Nanos};

/// The file's name in the container's run directory.
pub const FILE: &str = "condition";
/// What becomes it.
pub const TEMPORARY: &str = ".tare-tmp-condition";
const MAX: usize = 64 * 1024;

/// How a living container is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The format's version.
    pub v: u32,
    /// What it does now.
    #[serde(default)]
    pub phase: Phase,
    /// How often its monitor has started it again.
    #[serde(default)]
    pub restarts: u32,
    /// Its present run, if that is not its first: what the state file says is of the first.
    #[serde(default)]
    pub run: Option<Run>,
}

/// One run of a container's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The process id of its first process, as the monitor sees it.
    pub pid: i32,
    /// Its start time in clock ticks since boot.
    pub start_time: u64,
    /// When it was started.
    pub started_at: Nanos,
}

/// What a living container does now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its program runs.
    #[default]
    Running,
    /// Its processes are stopped until somebody lets them go on.
    Paused,
    /// Its program has ended so, and will be started again.
    Restarting(ExitRecord),
}

impl Condition {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;

    /// Makes this what the run directory says; what is as usual is said by no file.
    ///
    /// # Errors
    /// The file can't be written or removed.
    pub fn write(&self, run_dir: impl AsFd) -> Result<()> {
        let usual = Self {
            v: self.v,
            ..Self::default()
        };
        if *self == usual {
            return Self::remove(run_dir);
        }
        let said = Self {
            v: Self::VERSION,
            ..self.clone()
        };
        let bytes = serde_json::to_vec(&said).map_err(|e| Error::malformed("encode", FILE, e))?;
        let put = || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mode = Mode::RUSR | Mode::WUSR;
            let file = rustix::fs::openat(&run_dir, TEMPORARY, flags, mode)?;
            if rustix::io::write(&file, &bytes)? != bytes.len() {
                return Err(Errno::NOSPC);
            }
            // A run directory does not outlive the boot: nothing has to reach a disk.
            rustix::fs::renameat(&run_dir, TEMPORARY, &run_dir, FILE)
        };
        put().map_err(|e| Error::io("write", FILE, e))
    }

    /// Takes the file away.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(run_dir: impl AsFd) -> Result<()> {
        match rustix::fs::unlinkat(run_dir, FILE, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(Error::io("remove", FILE, e)),
        }
    }

    /// What the run directory says.
    ///
    /// # Errors
    /// The file can't be read, or is of a newer version.
    pub fn read(run_dir: impl AsFd) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(run_dir, FILE, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Self::default()),
            Err(e) => return Err(Error::io("open", FILE, e)),
        };
        let bytes = read_limited(&file, FILE, MAX)?;
        let condition: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed("read", FILE, e))?;
        if condition.v > Self::VERSION {
            return Err(Error::new(Kind::Version, "read", FILE));
        }
        Ok(condition)
    }
}
