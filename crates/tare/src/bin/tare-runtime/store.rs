//! What is kept of a container between commands: a directory with its state, its configuration, and the socket at which it waits
//! for its start.
//!
//! A command may be killed at any point. The state is written before anything else is made and names the container's cgroup, so
//! `delete --force` finds whatever there is; and who makes a container holds a lock meanwhile, so that one whose maker is gone is known.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use kernel::Pid;
use kernel::lock::{Flock, Sharing, Wait};
use kernel::process::{PidFd, ProcessIdentity};
use serde::{Deserialize, Serialize};
use spec::runtime::Spec;

use crate::fault::{Fault, Result};

/// The directory of all containers.
#[derive(Debug, Default)]
pub(crate) struct Store {
    root: PathBuf,
}

/// The file with the [`Record`].
const STATE: &str = "state.json";
/// The configuration as it was when the container was made, but for limits that were changed.
const CONFIG: &str = "config.json";
/// The socket at which a container waits. The container's first process listens at it until it becomes its program, whoever made it and
/// whatever became of them; a fifo, as runc has, would tell the starter nothing of what came of the start.
pub(crate) const START: &str = "start.sock";

/// What is known of a container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// The format's version.
    pub(crate) v: u32,
    pub(crate) id: String,
    pub(crate) oci_version: String,
    pub(crate) bundle: String,
    pub(crate) rootfs: String,
    /// Its cgroup, below each hierarchy.
    pub(crate) cgroup: String,
    /// The file that tells whether the cgroup is frozen.
    pub(crate) freezer: Option<PathBuf>,
    /// Its first process; 0 while it is being made.
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) boot_id: String,
    pub(crate) created: String,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether its processes end with the first one: whether it has a pid namespace of its own.
    pub(crate) own_pids: bool,
    /// Whether its cgroup is systemd's.
    pub(crate) systemd: bool,
    /// Whether it has a class of resctrl.
    pub(crate) rdt: bool,
    /// Whether its configuration has hooks.
    pub(crate) hooks: bool,
}

impl Record {
    pub(crate) const VERSION: u32 = 2;

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
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is if nobody says otherwise.
    pub(crate) fn standard() -> Self {
        const NAME: &str = "tare-runtime";
        // Of procfs, a process's own directory belongs to its effective user.
        let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !root) {
            Some(run) => Self::new(Path::new(&run).join(NAME)),
            None => Self::new(Path::new("/run").join(NAME)),
        }
    }

    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Takes `id` for a new container.
    pub(crate) fn reserve(&self, id: &str) -> Result<Reservation> {
        check(id)?;
        let path = self.path(id);
        if let Err(error) = private(&path) {
            match error.kind() {
                ErrorKind::NotFound => self.make_root().and_then(|()| {
                    private(&path).map_err(Fault::at(format!("make {}", path.display())))
                })?,
                ErrorKind::AlreadyExists => {
                    return Err(Fault::new(format!(
                        "container with given ID already exists: {id}"
                    )));
                }
                _ => return Err(Fault::at(format!("make {}", path.display()))(error)),
            }
        }
        let mut reservation = Reservation {
            path,
            root: self.root.clone(),
            id: id.to_owned(),
            lock: None,
        };
        let directory = File::open(&reservation.path).map_err(Fault::at("open state directory"))?;
        reservation.lock = Flock::acquire(directory, Sharing::Exclusive, Wait::No)
            .map_err(Fault::at("lock state directory"))?;
        Ok(reservation)
    }

    fn make_root(&self) -> Result<()> {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&self.root)
            .map_err(Fault::at(format!("make {}", self.root.display())))
    }

    /// Whether somebody is making the container `id` now.
    pub(crate) fn is_being_made(&self, id: &str) -> Result<bool> {
        let directory = match File::open(self.path(id)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            other => other.map_err(Fault::at("open state directory"))?,
        };
        let lock = Flock::acquire(directory, Sharing::Shared, Wait::No)
            .map_err(Fault::at("look at lock of state directory"))?;
        Ok(lock.is_none())
    }

    /// Whether the container `id`, which lives, waits for its start. The socket's name may be left of a start that was killed: whether
    /// anybody listens decides.
    pub(crate) fn waits(&self, id: &str) -> Result<bool> {
        let path = self.path(id);
        if !path.join(START).exists() {
            return Ok(false);
        }
        let directory = File::open(&path).map_err(Fault::at("open state directory"))?;
        Ok(kernel::socket::connect_at(&directory, START).is_ok())
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
        let record: Record = serde_json::from_slice(&text)
            .map_err(Fault::at(format!("read state of container {id}")))?;
        if record.v > Record::VERSION {
            return Err(Fault::new(format!(
                "container {id} was made by a newer tare-runtime: use that one"
            )));
        }
        Ok(record)
    }

    /// The user whose the container `id` is.
    pub(crate) fn owner(&self, id: &str) -> Option<u32> {
        Some(fs::metadata(self.path(id)).ok()?.uid())
    }

    /// The configuration that the container `id` was made from, with its present limits.
    pub(crate) fn config(&self, id: &str) -> Result<Spec> {
        let text = fs::read(self.path(id).join(CONFIG)).map_err(Fault::at("read configuration"))?;
        serde_json::from_slice(&text).map_err(Fault::at("read configuration"))
    }

    /// Keeps a changed configuration.
    pub(crate) fn replace_config(&self, id: &str, config: &Spec) -> Result<()> {
        let text = serde_json::to_vec(config).map_err(Fault::at("write configuration"))?;
        put(&self.path(id), CONFIG, &text)
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

/// An id that was taken by this process; given back when it is dropped without having been kept.
#[derive(Debug)]
pub(crate) struct Reservation {
    path: PathBuf,
    root: PathBuf,
    id: String,
    /// Held until the container is made; taken when it was.
    lock: Option<Flock>,
}

impl Reservation {
    /// The container's directory.
    pub(crate) fn directory(&self) -> Result<BorrowedFd<'_>> {
        match &self.lock {
            Some(lock) => Ok(lock.as_fd()),
            None => Err(Fault::new("the state directory is another's meanwhile")),
        }
    }

    /// Writes what `delete --force` needs, if this process is killed before it has made the container.
    pub(crate) fn begin(&self, record: &Record, config: &[u8]) -> Result<()> {
        write(&self.path.join(CONFIG), config)?;
        self.write(record)
    }

    /// The container is made: writes what later commands need.
    pub(crate) fn keep(mut self, record: &Record) -> Result<()> {
        self.write(record)?;
        self.id.clear();
        Ok(())
    }

    /// In a directory that ends with the boot, so nothing is synced.
    fn write(&self, record: &Record) -> Result<()> {
        let state = serde_json::to_vec(record).map_err(Fault::at("write state"))?;
        put(&self.path, STATE, &state)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.id.is_empty() {
            // The error that led here is the one to tell.
            drop(remove(&self.root, &self.id));
        }
    }
}

fn private(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Puts a file into `directory`, complete or not at all.
fn put(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = directory.join(format!(".{name}"));
    write(&temporary, bytes)?;
    fs::rename(temporary, directory.join(name)).map_err(Fault::at(format!("write {name}")))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || File::create(path)?.write_all(bytes);
    write().map_err(Fault::at(format!("write {}", path.display())))
}

fn remove(store: &Path, id: &str) -> Result<()> {
    let fault = || format!("remove state of container {id}");
    let root = match File::open(store) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(Fault::at(fault()))?,
    };
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
