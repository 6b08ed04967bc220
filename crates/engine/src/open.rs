//! Opening the engine.

use std::path::PathBuf;
use std::sync::Arc;

use crate::container::Containers;
use crate::error::Result;
use crate::exec::Execs;
use crate::image::Images;
use crate::system::System;
use crate::volume::Volumes;

/// Where things live.
#[derive(Debug, Clone)]
pub struct Paths {
    /// What lasts: `/var/lib/tare`.
    pub root: PathBuf,
    /// What ends with the boot: `/run/tare`.
    pub run: PathBuf,
}

/// The programs that the engine starts.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// `tare-monitor`, one per running container.
    pub monitor: PathBuf,
    /// `tare`, which a monitor runs to remove its container.
    pub tare: PathBuf,
}

/// Everything that the engine needs from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where things live.
    pub paths: Paths,
    /// The programs that it starts.
    pub binaries: Binaries,
    /// The cgroup below which containers' cgroups are made: `/tare`.
    pub cgroup_parent: String,
    /// The engine's version, as `version` and `info` show it.
    pub version: String,
}

/// The engine. Cloning is cheap; all clones are the same engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("root", &self.0.config.paths.root)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the engine: the database and nothing else. What a killed engine left half done is finished or undone.
    ///
    /// # Errors
    /// The directories can't be made or the database can't be opened.
    pub fn open(config: Config) -> Result<Self> {
        Ok(Self(Arc::new(Inner { config })))
    }

    /// What can be done with containers.
    #[must_use]
    pub fn containers(&self) -> Containers {
        Containers::new(self.clone())
    }

    /// What can be done with programs run in containers.
    #[must_use]
    pub fn execs(&self) -> Execs {
        Execs::new(self.clone())
    }

    /// What can be done with images.
    #[must_use]
    pub fn images(&self) -> Images {
        Images::new(self.clone())
    }

    /// What can be done with volumes.
    #[must_use]
    pub fn volumes(&self) -> Volumes {
        Volumes::new(self.clone())
    }

    /// What can be asked of the engine itself.
    #[must_use]
    pub fn system(&self) -> System {
        System::new(self.clone())
    }
}
