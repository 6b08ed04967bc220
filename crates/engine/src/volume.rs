//! Named volumes: directories that outlive containers.

mod copy;
mod provide;

use std::collections::BTreeMap;
use std::path::PathBuf;

use failpoint::failpoint;
use jiff::Timestamp;
use state::{Durability, LockKind, NewEntry, VolumeRow};

use crate::container::list::{labelled, nanos};
use crate::container::mounts::volume_name;
use crate::disk;
use crate::error::{Error, Kind, Result};
use crate::event::{Happened, Subject};
use crate::launch::open_dir;
use crate::open::{Engine, Inner, make_dir};
use crate::prune::{PruneFilters, Pruned};

pub(crate) use provide::{check_sources, provide, resume};

/// The journal's word for removing one.
pub(crate) const REMOVE: &str = "volume.remove";
/// The journal's word for making those of a new container.
pub(crate) const PROVIDE: &str = "volume.provide";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

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
        self.engine
            .step(move |engine| create(&engine.0, request))
            .await
    }

    /// All volumes that match, by name.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn list(&self, filters: VolumeFilters) -> Result<Vec<Volume>> {
        self.engine
            .step(move |engine| list(&engine.0, &filters))
            .await
    }

    /// One volume.
    ///
    /// # Errors
    /// No such volume.
    pub async fn inspect(&self, name: &str) -> Result<Volume> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| {
                let row = engine.0.db.read(|tx| tx.volume(&name))?;
                row.map(|row| view(&engine.0, row))
                    .ok_or_else(|| missing(&name))
            })
            .await
    }

    /// Removes all that match and that no container uses: those that nobody gave a name, or all.
    ///
    /// # Errors
    /// One can't be removed.
    pub async fn prune(&self, all: bool, filters: PruneFilters) -> Result<Pruned<String>> {
        self.engine
            .long(move |engine| prune(&engine.0, all, &filters))
            .await
    }

    /// Removes a volume and all that is in it. With `force` a volume that does not exist is no error.
    ///
    /// # Errors
    /// No such volume, or a container uses it.
    pub async fn remove(&self, name: &str, force: bool) -> Result<()> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| {
                let inner = &*engine.0;
                if inner.db.read(|tx| tx.volume(&name))?.is_none() {
                    return if force { Ok(()) } else { Err(missing(&name)) };
                }
                remove(inner, &name)
            })
            .await
    }
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("get {name}: no such volume"))
}

fn view(inner: &Inner, row: VolumeRow) -> Volume {
    Volume {
        mountpoint: inner.volumes_dir().join(&row.name),
        labels: serde_json::from_str(&row.labels).unwrap_or_default(),
        created: nanos(row.created_at),
        name: row.name,
    }
}

fn create(inner: &Inner, request: VolumeRequest) -> Result<Volume> {
    if !matches!(request.driver.as_str(), "" | "local") {
        return Err(Error::unsupported(format!(
            "volume driver \"{}\" is not supported: only \"local\" is",
            request.driver
        )));
    }
    if let Some(option) = request.options.keys().next() {
        return Err(Error::unsupported(format!(
            "option {option} of the volume driver \"local\" is not supported"
        )));
    }
    let named = request.name.filter(|n| !n.is_empty());
    let anonymous = named.is_none();
    let name = match named {
        Some(name) => {
            volume_name(&name)?;
            name
        }
        None => kernel::random::hex::<32>()?,
    };
    let row = VolumeRow {
        name,
        anonymous,
        labels: serde_json::to_string(&request.labels)
            .map_err(|e| Error::internal("encode labels", e))?,
        created_at: inner.nanos(),
    };
    // The directory first: a row without one would be a volume that can't be mounted. One without a row is empty, and taken
    // by the next volume of its name.
    make_dir(&inner.volumes_dir())?;
    provide::directory(inner, &row.name)?;
    inner
        .db
        .write_with(Durability::Full, |tx| tx.add_volume(&row))?;
    let row = inner.db.read(|tx| tx.volume(&row.name))?.unwrap_or(row);
    inner.record(Happened::to(Subject::Volume, "create", &row.name).with("driver", "local"));
    Ok(view(inner, row))
}

pub(crate) fn list(inner: &Inner, filters: &VolumeFilters) -> Result<Vec<Volume>> {
    let rows = inner.db.read(|tx| {
        let mut rows = Vec::new();
        for row in tx.volumes()? {
            let used = match filters.dangling {
                None => None,
                Some(_) => Some(!tx.volume_users(&row.name)?.is_empty()),
            };
            rows.push((row, used));
        }
        Ok(rows)
    })?;
    let any = |terms: &[String], value: &dyn Fn(&str) -> bool| {
        terms.is_empty() || terms.iter().any(|t| value(t))
    };
    let wanted = |(row, used): (VolumeRow, Option<bool>)| {
        let volume = view(inner, row);
        let good = any(&filters.name, &|term| volume.name.contains(term))
            && filters
                .label
                .iter()
                .all(|term| labelled(&volume.labels, term))
            && any(&filters.driver, &|term| term == "local")
            && filters
                .dangling
                .is_none_or(|dangling| used == Some(!dangling));
        good.then_some(volume)
    };
    Ok(rows.into_iter().filter_map(wanted).collect())
}

fn prune(inner: &Inner, all: bool, filters: &PruneFilters) -> Result<Pruned<String>> {
    let mut pruned = Pruned::default();
    for row in inner.db.read(|tx| tx.volumes())? {
        if (!row.anonymous && !all) || !inner.db.read(|tx| tx.volume_users(&row.name))?.is_empty() {
            continue;
        }
        let volume = view(inner, row);
        if !filters.admit(volume.created, &volume.labels) {
            continue;
        }
        let size = disk::usage(&volume.mountpoint)?;
        match remove(inner, &volume.name) {
            Ok(()) => {
                pruned.gone.push(volume.name);
                pruned.reclaimed += size;
            }
            // A container was made with it since.
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let event = Happened::to(Subject::Volume, "prune", "");
    inner.record(event.with("reclaimed", pruned.reclaimed));
    Ok(pruned)
}

/// Removes a volume that no container uses: its row first, with an entry in the journal, then its directory.
pub(crate) fn remove(inner: &Inner, name: &str) -> Result<()> {
    let lock = inner.locks.lock(LockKind::Volume, name, PATIENCE)?;
    let owner = inner.owner()?;
    let outcome = inner.db.write_with(Durability::Full, |tx| {
        let users = tx.volume_users(name)?;
        if !users.is_empty() {
            return Ok(Err(users));
        }
        let entry = tx.begin(&NewEntry {
            kind: REMOVE,
            subject: name,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })?;
        tx.remove_volume(name)?;
        Ok(Ok(entry))
    })?;
    let entry = outcome.map_err(|users| {
        Error::conflict(format!(
            "remove {name}: volume is in use - [{}]",
            users.join(", ")
        ))
    })?;
    failpoint!("volume.remove.after_row");
    match erase(inner, name) {
        Ok(()) => inner.db.write(|tx| tx.finish(entry))?,
        Err(error) => {
            drop(inner.db.write(|tx| tx.give_up(entry)));
            return Err(error);
        }
    }
    lock.retire();
    inner.record(Happened::to(Subject::Volume, "destroy", name).with("driver", "local"));
    Ok(())
}

/// Removes a volume's directory, if there is one.
pub(crate) fn erase(inner: &Inner, name: &str) -> Result<()> {
    let directory = inner.volumes_dir();
    if !directory.exists() {
        return Ok(());
    }
    kernel::tree::remove(open_dir(&directory)?, name)?;
    Ok(())
}
