//! Whether a container is well: the file that its monitor writes after each look, in the container's directory.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Nanos;
use crate::error::{Error, Kind, Result};
use crate::exit::read_limited;

/// Whether a container is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is known yet.
    #[default]
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl Verdict {
    /// Its name, as users know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When it began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// The exit code of the program; -1 if there is none.
    pub code: i32,
    /// What it wrote.
    pub output: String,
}

/// What is known of a container's health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The format's version.
    pub v: u32,
    /// Whether it is well.
    pub verdict: Verdict,
    /// How many looks failed in a row.
    pub streak: u32,
    /// The last looks, oldest first.
    #[serde(default)]
    pub looks: VecDeque<Look>,
}

impl Health {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;
    /// The file in the container's directory.
    pub const FILE: &'static str = "health.json";
    /// How many looks are remembered.
    pub const REMEMBERED: usize = 5;
    /// How much of a look's output is kept.
    pub const OUTPUT: usize = 4096;
    /// What becomes the file.
    const TEMPORARY: &'static str = ".tare-tmp-health";
    const MAX: usize = 256 * 1024;

    /// Makes this what the container's directory says. It may be lost when the power goes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, container_dir: impl AsFd) -> Result<()> {
        let said = Self {
            v: Self::VERSION,
            ..self.clone()
        };
        let bytes =
            serde_json::to_vec(&said).map_err(|e| Error::malformed("encode", Self::FILE, e))?;
        let put = || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mode = Mode::RUSR | Mode::WUSR;
            let file = rustix::fs::openat(&container_dir, Self::TEMPORARY, flags, mode)?;
            if rustix::io::write(&file, &bytes)? != bytes.len() {
                return Err(Errno::NOSPC);
            }
            rustix::fs::renameat(&container_dir, Self::TEMPORARY, &container_dir, Self::FILE)
        };
        put().map_err(|e| Error::io("write", Self::FILE, e))
    }

    /// What the container's directory says; `None` if nothing.
    ///
    /// # Errors
    /// The file can't be read, is too large, or is of a newer version.
    pub fn read(container_dir: impl AsFd) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(container_dir, Self::FILE, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(Error::io("open", Self::FILE, e)),
        };
        let bytes = read_limited(&file, Self::FILE, Self::MAX)?;
        let health: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed("read", Self::FILE, e))?;
        if health.v > Self::VERSION {
            return Err(Error::new(Kind::Version, "read", Self::FILE));
        }
        Ok(Some(health))
    }

    /// Remembers a look, and what follows from it. A failure that does not `count` changes nothing.
    pub fn take(&mut self, look: Look, retries: u32, counts: Counts) {
        let well = look.code == 0;
        while self.looks.len() >= Self::REMEMBERED {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
        if well {
            self.streak = 0;
            self.verdict = Verdict::Healthy;
        } else if counts == Counts::Yes {
            self.streak = self.streak.saturating_add(1);
            if self.streak >= retries {
                self.verdict = Verdict::Unhealthy;
            }
        }
    }
}

/// Whether a failure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It does.
    Yes,
    /// It is too early.
    No,
}
