//! The store: its place, its format, its parts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spec::LayerId;
use state::{Db, LayerRow, Locks};

use crate::error::{Error, Kind, Result};
use crate::limits::Limits;
use crate::mount::OverlayMode;

/// How long the store waits for a lock. Nobody holds one for longer than it takes to write one file.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the store is.
#[derive(Debug, Clone)]
pub struct Config {
    /// What lasts: `/var/lib/tare`.
    pub root: PathBuf,
    /// What ends with the boot: `/run/tare`.
    pub run: PathBuf,
}

/// How layers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One EROFS image a layer.
    Erofs,
    /// One directory a layer.
    Directory,
}

/// What may be chosen beside the place.
#[derive(Debug, Clone)]
pub struct Options {
    /// How new layers are kept; none for EROFS where it can be mounted, else directories.
    pub format: Option<Format>,
    /// How the kernel is told the layers of an overlay; none for the best that it takes.
    pub overlay: Option<OverlayMode>,
    /// Limits of what comes from outside.
    pub limits: Limits,
    /// Nanoseconds since 1970.
    pub clock: fn() -> i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            overlay: None,
            limits: Limits::default(),
            clock: now,
        }
    }
}

fn now() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}

/// Blobs, layers and snapshots below one directory. Cheap to clone; several processes may have the same one open.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    options: Options,
    db: Db,
    locks: Locks,
    format: OnceLock<Format>,
    overlay: OnceLock<OverlayMode>,
}

impl Store {
    /// Opens the store. Directories are made when they are needed.
    ///
    /// # Errors
    /// None yet; what is wrong with the place is told by the first operation.
    pub fn open(config: Config, db: Db) -> Result<Self> {
        Self::open_with(config, db, Options::default())
    }

    /// Opens the store with other than the usual options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(config: Config, db: Db, options: Options) -> Result<Self> {
        let locks = Locks::new(&config.run);
        let format = OnceLock::new();
        let overlay = options.overlay.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self(Arc::new(Inner {
            config,
            options,
            db,
            locks,
            format,
            overlay,
        })))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0.config.root
    }

    pub(crate) fn run(&self) -> &Path {
        &self.0.config.run
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn locks(&self) -> &Locks {
        &self.0.locks
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    pub(crate) fn now(&self) -> i64 {
        (self.0.options.clock)()
    }

    pub(crate) fn overlay_mode(&self) -> &OnceLock<OverlayMode> {
        &self.0.overlay
    }

    /// How new layers are kept.
    #[must_use]
    pub fn format(&self) -> Format {
        let probe = || {
            if crate::mount::erofs_works() {
                Format::Erofs
            } else {
                Format::Directory
            }
        };
        *self
            .0
            .format
            .get_or_init(|| self.0.options.format.unwrap_or_else(probe))
    }

    /// Where layers are.
    pub(crate) fn layers(&self) -> PathBuf {
        self.root().join("layers")
    }

    /// The rows of layers, which must all be there.
    pub(crate) fn layer_rows(&self, layers: &[LayerId]) -> Result<Vec<LayerRow>> {
        let rows = self.db().read(|tx| {
            layers
                .iter()
                .map(|id| tx.layer(id))
                .collect::<state::Result<Vec<_>>>()
        });
        let rows = rows.map_err(|e| Error::state("look for", "layers", e))?;
        let missing = |(row, id): (Option<LayerRow>, &LayerId)| {
            row.ok_or_else(|| {
                Error::because(
                    Kind::NotFound,
                    "look for layer",
                    id,
                    "the store does not have it",
                )
            })
        };
        rows.into_iter().zip(layers).map(missing).collect()
    }
}
