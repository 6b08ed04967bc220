//! Opening the engine.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kernel::cgroup::Layout;
use protocol::{EventLog, ExitRecord};
use spec::ContainerId;
use state::{Db, LockKind, Locks, ObjectLock, Owner};
use store::Store;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, watch};

use crate::build::Builds;
use crate::bundle::Facts;
use crate::container::Containers;
use crate::container::attach::PendingAttach;
use crate::error::{Error, Kind, Result};
use crate::exec::Execs;
use crate::exec::table::Table;
use crate::image::Images;
use crate::recovery;
use crate::spare;
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
    /// Where registries are and whom to trust there.
    pub registry: registry::client::Settings,
    /// What will be asked of it first.
    pub prospect: Prospect,
}

/// What will be asked of an engine first, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// Anything.
    Open,
    /// To run a new container: its monitor is started beside everything else.
    Run,
}

/// The engine. Cloning is cheap; all clones are the same engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) locks: Locks,
    pub(crate) registry: registry::client::Client,
    store: OnceLock<Store>,
    owner: OnceLock<Owner>,
    facts: OnceLock<Facts>,
    layout: OnceLock<Layout>,
    pub(crate) event_log: OnceLock<EventLog>,
    /// Something began or ended in this process: whoever waits looks again.
    pub(crate) changed: Notify,
    /// Who attached to what has not been started yet.
    pub(crate) pending: Mutex<HashMap<ContainerId, Vec<PendingAttach>>>,
    /// How the last containers of this process ended, which may be removed by now.
    ended: Mutex<VecDeque<(ContainerId, ExitRecord)>>,
    pub(crate) execs: Mutex<Table>,
    pub(crate) spare: spare::Place,
    /// Builds under way that others may stop, by their names.
    pub(crate) builds: Mutex<HashMap<String, Arc<watch::Sender<bool>>>>,
}

/// How long a lock on a container is waited for. Longer than any step that is done under it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ends that are remembered.
const ENDED: usize = 256;

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
        let spare = spare::Place::default();
        if config.prospect == Prospect::Run {
            spare.fill(&config.binaries.monitor)?;
        }
        let db = Db::open(&config.paths.root.join("tare.db"))?;
        let locks = Locks::new(&config.paths.run);
        let registry = registry::client::Client::new(config.registry.clone());
        let engine = Self(Arc::new(Inner {
            config,
            db,
            locks,
            registry,
            store: OnceLock::new(),
            owner: OnceLock::new(),
            facts: OnceLock::new(),
            layout: OnceLock::new(),
            event_log: OnceLock::new(),
            changed: Notify::new(),
            pending: Mutex::default(),
            ended: Mutex::default(),
            execs: Mutex::default(),
            spare,
            builds: Mutex::default(),
        }));
        recovery::recover(&engine.0)?;
        Ok(engine)
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

    /// What can be built.
    #[must_use]
    pub fn builds(&self) -> Builds {
        Builds::new(self.clone())
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

    /// Runs one step that may block for some milliseconds. It is never left half done: not even when the caller goes
    /// away. Where one thread serves everything, as in a command, it is called at once, because a pool of threads would
    /// have to be started for it; steps hold no lock when they return, so they can't wait for each other.
    pub(crate) async fn step<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => f(self),
            _ => self.long(f).await,
        }
    }

    /// Runs one step that may block for long, beside everything else.
    pub(crate) async fn long<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let engine = self.clone();
        match tokio::task::spawn_blocking(move || f(&engine)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => {
                    Err(Error::new(Kind::Unavailable, "the engine is ending").because(error))
                }
            },
        }
    }
}

impl Inner {
    /// Unix time. The one place where the engine looks at a clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Unix time in nanoseconds, as the database keeps it.
    pub(crate) fn nanos(&self) -> i64 {
        i64::try_from(self.now().as_nanosecond()).unwrap_or(i64::MAX)
    }

    /// The store, opened when first needed.
    pub(crate) fn store(&self) -> Result<&Store> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let config = store::Config {
            root: self.config.paths.root.clone(),
            run: self.config.paths.run.clone(),
        };
        let store = Store::open(config, self.db.clone())?;
        Ok(self.store.get_or_init(|| store))
    }

    /// Who this process is, for the journal.
    pub(crate) fn owner(&self) -> Result<&Owner> {
        if let Some(owner) = self.owner.get() {
            return Ok(owner);
        }
        let identity = kernel::process::ProcessIdentity::current()?;
        let owner = Owner {
            pid: identity.pid.as_raw_nonzero().get().unsigned_abs(),
            start_time: identity.start_time,
            boot_id: identity.boot_id,
        };
        Ok(self.owner.get_or_init(|| owner))
    }

    pub(crate) fn layout(&self) -> Result<&Layout> {
        if let Some(layout) = self.layout.get() {
            return Ok(layout);
        }
        let layout = Layout::probe()?;
        Ok(self.layout.get_or_init(|| layout))
    }

    pub(crate) fn facts(&self) -> Result<&Facts> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = Facts::of_host()?;
        Ok(self.facts.get_or_init(|| facts))
    }

    pub(crate) fn containers_dir(&self) -> PathBuf {
        self.config.paths.root.join("containers")
    }

    pub(crate) fn container_dir(&self, id: &ContainerId) -> PathBuf {
        self.containers_dir().join(id.to_string())
    }

    pub(crate) fn run_dir(&self, id: &ContainerId) -> PathBuf {
        self.config
            .paths
            .run
            .join("containers")
            .join(id.to_string())
    }

    pub(crate) fn volumes_dir(&self) -> PathBuf {
        self.config.paths.root.join("volumes")
    }

    /// The container's cgroup, below the mount points of the hierarchies.
    pub(crate) fn cgroup(&self, parent: &str, id: &ContainerId) -> String {
        let parent = if parent.is_empty() {
            self.config.cgroup_parent.as_str()
        } else {
            parent
        };
        format!("{}/{id}", parent.trim_end_matches('/'))
    }

    pub(crate) fn lock_container(&self, id: &ContainerId) -> Result<ObjectLock> {
        Ok(self
            .locks
            .lock(LockKind::Container, &id.to_string(), PATIENCE)?)
    }

    /// Remembers how a container ended, and tells whoever waits in this process.
    pub(crate) fn remember_end(&self, id: ContainerId, record: ExitRecord) {
        let mut ended = lock(&self.ended);
        ended.retain(|(other, _)| *other != id);
        if ended.len() == ENDED {
            ended.pop_front();
        }
        ended.push_back((id, record));
        drop(ended);
        self.changed.notify_waiters();
    }

    /// How a container ended that was started in this process.
    pub(crate) fn remembered_end(&self, id: &ContainerId) -> Option<ExitRecord> {
        let ended = lock(&self.ended);
        ended
            .iter()
            .find(|(other, _)| other == id)
            .map(|(_, record)| record.clone())
    }
}

/// Locks a mutex whose holders never leave it half changed, not even when they panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a directory and those above it, private to root.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::internal(format!("create {}", path.display()), e))
}
