//! What can be asked of the engine itself.

use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::open::Engine;

/// What the engine and its machine are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// An id of this installation, made at its first start.
    pub id: String,
    /// The machine's name.
    pub hostname: String,
    /// The engine's version.
    pub version: String,
    /// Containers in all states.
    pub containers: u64,
    /// Containers that run.
    pub running: u64,
    /// Containers that do not.
    pub stopped: u64,
    /// Images.
    pub images: u64,
    /// `linux`.
    pub os: String,
    /// The distribution, from os-release.
    pub operating_system: String,
    /// The machine's architecture as uname says it: `x86_64`.
    pub architecture: String,
    /// The kernel's release.
    pub kernel: String,
    /// Processors.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Where things live.
    pub root: PathBuf,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// What this machine can't do.
    pub warnings: Vec<String>,
}

/// A thing that [`System::check`] found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: `container 12ab…`.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
}

/// What can be asked of the engine itself.
#[derive(Debug, Clone)]
pub struct System {
    engine: Engine,
}

impl System {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The engine's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.engine.0.config.version
    }

    /// The kernel's release.
    #[must_use]
    pub fn kernel(&self) -> String {
        rustix::system::uname().release().to_string_lossy().into_owned()
    }

    /// What the engine and its machine are.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn info(&self) -> Result<Info> {
        Err(Error::new(Kind::Unavailable, "info"))
    }

    /// Compares what is on disk, in the kernel and in the database. Sound is empty.
    ///
    /// # Errors
    /// Something can't be read at all.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        Err(Error::new(Kind::Unavailable, "check"))
    }
}
