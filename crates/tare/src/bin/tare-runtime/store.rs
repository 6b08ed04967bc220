//! What is kept of a container between commands: a directory with its state, its configuration, and the socket at which it waits
//! for its start.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kernel::Pid;
use kernel::process::{PidFd, ProcessIdentity};
use serde::{Deserialize, Serialize};
use spec::runtime::Spec;

use crate::fault::{Fault, Result};

/// The directory of all containers.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// The file with the [`Record`].
const STATE: &str = "state.json";
/// The configuration as it was when the container was made.
const CONFIG: &str = "config.json";
/// The socket at which a container waits.
pub(crate) const START: &str = "start.sock";

/// What is known of a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The format's version.
    pub(crate) v: u32,
    pub(crate) id: String,
    pub(crate) bundle: String,
    pub(crate) rootfs: String,
    /// Its cgroup, below each hierarchy.
    pub(crate) cgroup: String,
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) boot_id: String,
    pub(crate) created: String,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Record {
    pub(crate) const VERSION: u32 = 1;

    /// Its first process, if it lives: found by pid, start time and boot, never by pid alone.
    pub(crate) fn process(&self) -> Result<Option<PidFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(None);
        };
        let identity = ProcessIdentity {
            pid,
            start_time: self.start_time,
            boot_id: self.boot_id.clone(),
        };
        let pidfd = identity
            .open()
            .map_err(Fault::at("look for the container's first process"))?;
        match pidfd {
            Some(pidfd) if !pidfd.has_ended().map_err(Fault::at("look at process"))? => {
                Ok(Some(pidfd))
            }
            _ => Ok(None),
        }
    }
}

impl Store {
    pub(crate) fn new(root: &str) -> Self {
        Self {
            root: PathBuf::from(root),
        }
    }

    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Takes `id` for a new container.
    pub(crate) fn reserve(&self, id: &str) -> Result<Reservation> {
        check(id)?;
        let private = |path: &Path, all| DirBuilder::new().mode(0o700).recursive(all).create(path);
        private(&self.root, true).map_err(Fault::at(format!("make {}", self.root.display())))?;
        let path = self.path(id);
        match private(&path, false) {
            Ok(()) => Ok(Reservation {
                store: self.root.clone(),
                id: id.to_owned(),
                kept: false,
            }),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                Err(Fault::new(format!("container with id {id} exists already")))
            }
            Err(error) => Err(Fault::at(format!("make {}", path.display()))(error)),
        }
    }

    /// What is known of the container `id`.
    pub(crate) fn load(&self, id: &str) -> Result<Record> {
        check(id)?;
        let text = match fs::read(self.path(id).join(STATE)) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Fault::new(format!("container {id} does not exist")));
            }
            other => other.map_err(Fault::at(format!("read state of container {id}")))?,
        };
        serde_json::from_slice(&text).map_err(Fault::at(format!("read state of container {id}")))
    }

    /// The configuration that the container `id` was made from.
    pub(crate) fn config(&self, id: &str) -> Result<Spec> {
        let text = fs::read(self.path(id).join(CONFIG)).map_err(Fault::at("read configuration"))?;
        serde_json::from_slice(&text).map_err(Fault::at("read configuration"))
    }

    /// Forgets the container `id`.
    pub(crate) fn remove(&self, id: &str) -> Result<()> {
        check(id)?;
        remove(&self.root, id)
    }

    /// The ids of all containers, in order.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Fault::at(format!("read {}", self.root.display())))?,
        };
        let mut ids: Vec<String> = entries
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        ids.sort();
        Ok(ids)
    }
}

/// An id that was taken; given back when it is dropped without having been kept.
#[derive(Debug)]
pub(crate) struct Reservation {
    store: PathBuf,
    id: String,
    kept: bool,
}

impl Reservation {
    pub(crate) fn path(&self) -> PathBuf {
        self.store.join(&self.id)
    }

    /// Writes what later commands need.
    pub(crate) fn keep(mut self, record: &Record, config: &[u8]) -> Result<()> {
        let write = |name: &str, bytes: &[u8]| {
            let path = self.path().join(name);
            let write = || File::create_new(&path)?.write_all(bytes);
            write().map_err(Fault::at(format!("write {}", path.display())))
        };
        write(CONFIG, config)?;
        // Last: with it the container exists. In a directory that ends with the boot, so nothing is synced.
        let state = serde_json::to_vec(record).map_err(Fault::at("write state"))?;
        write(".state.json", &state)?;
        let (from, to) = (self.path().join(".state.json"), self.path().join(STATE));
        fs::rename(from, to).map_err(Fault::at("write state"))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is the one to tell.
            drop(remove(&self.store, &self.id));
        }
    }
}

fn remove(store: &Path, id: &str) -> Result<()> {
    let fault = || format!("remove state of container {id}");
    let root = File::open(store).map_err(Fault::at(fault()))?;
    kernel::tree::remove(&root, id).map_err(Fault::at(fault()))
}

/// An id is a name of a directory, and never a path (CVE-2014-9358).
pub(crate) fn check(id: &str) -> Result<()> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"_.+-".contains(&b);
    let first = id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if first && id.len() <= 128 && id.bytes().all(inner) {
        return Ok(());
    }
    let shown: String = id.escape_default().take(128).collect();
    Err(Fault::new(format!("invalid container id: {shown:?}")))
}
