//! Named volumes: directories that outlive containers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::error::{Error, Kind, Result};
use crate::open::Engine;

/// A volume to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeRequest {
    /// Its name; made up if none.
    pub name: Option<String>,
    /// Its driver: `local`, which an empty text means too.
    pub driver: String,
    /// The driver's options: none are understood.
    pub options: BTreeMap<String, String>,
    /// Data for people and tools.
    pub labels: BTreeMap<String, String>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its directory on the host.
    pub mountpoint: PathBuf,
    /// Data for people and tools.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

/// Which volumes to list. Every list that is not empty must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeFilters {
    /// Part of the name.
    pub name: Vec<String>,
    /// `key` or `key=value`.
    pub label: Vec<String>,
    /// Whether no container uses it.
    pub dangling: Option<bool>,
    /// The driver.
    pub driver: Vec<String>,
}

/// What can be done with volumes.
#[derive(Debug, Clone)]
pub struct Volumes {
    engine: Engine,
}

impl Volumes {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Makes a volume, or gives the one that has the name already.
    ///
    /// # Errors
    /// The name is no name, or the driver is not `local`.
    pub async fn create(&self, request: VolumeRequest) -> Result<Volume> {
        let _ = (&self.engine, request);
        Err(Error::new(Kind::Unavailable, "volume"))
    }

    /// All volumes that match, by name.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn list(&self, filters: VolumeFilters) -> Result<Vec<Volume>> {
        let _ = filters;
        Err(Error::new(Kind::Unavailable, "volume"))
    }

    /// One volume.
    ///
    /// # Errors
    /// No such volume.
    pub async fn inspect(&self, name: &str) -> Result<Volume> {
        let _ = name;
        Err(Error::new(Kind::Unavailable, "volume"))
    }

    /// Removes a volume and all that is in it. With `force` a volume that does not exist is no error.
    ///
    /// # Errors
    /// No such volume, or a container uses it.
    pub async fn remove(&self, name: &str, force: bool) -> Result<()> {
        let _ = (name, force);
        Err(Error::new(Kind::Unavailable, "volume"))
    }
}
