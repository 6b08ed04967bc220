//! What can be asked of the engine itself.

use std::path::PathBuf;

use crate::bundle::facts;
use crate::container::Status;
use crate::error::Result;
use crate::open::{Engine, Inner};
use crate::soundness;
use crate::truth;
use crate::usage::{self, Usage, UsageRequest};

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
    /// Containers that run and are not paused.
    pub running: u64,
    /// Containers that are paused.
    pub paused: u64,
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
        rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned()
    }

    /// What the engine and its machine are.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn info(&self) -> Result<Info> {
        self.engine.step(|engine| info(&engine.0)).await
    }

    /// What takes how much of the disk.
    ///
    /// # Errors
    /// Something can't be read.
    pub async fn usage(&self, request: UsageRequest) -> Result<Usage> {
        self.engine
            .long(move |engine| usage::usage(&engine.0, request))
            .await
    }

    /// Reads all layers and blobs, and tells which are not what they were.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn verify(&self) -> Result<Vec<Finding>> {
        self.engine
            .long(|engine| soundness::verify(&engine.0))
            .await
    }

    /// Takes away what nothing needs and nobody has.
    ///
    /// # Errors
    /// Something can't be removed.
    pub async fn repair(&self) -> Result<()> {
        self.engine
            .long(|engine| soundness::repair(&engine.0))
            .await
    }

    /// Compares what is on disk, in the kernel and in the database. Sound is empty.
    ///
    /// # Errors
    /// Something can't be read at all.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        self.engine.long(|engine| soundness::check(&engine.0)).await
    }
}

/// The database's name for the installation's id.
const ID: &str = "id";

fn info(inner: &Inner) -> Result<Info> {
    let (rows, images) = inner
        .db
        .read(|tx| Ok((tx.containers()?, tx.count_images()?)))?;
    let mut running = 0;
    let mut paused = 0;
    for row in &rows {
        let now = truth::look(inner, row)?;
        running += u64::from(now.is_alive());
        paused += u64::from(now.state().status == Status::Paused);
    }
    let containers = rows.len() as u64;
    let uname = rustix::system::uname();
    let text = |c: &std::ffi::CStr| c.to_string_lossy().into_owned();
    let unified = facts::is_unified();
    Ok(Info {
        id: id(inner)?,
        hostname: text(uname.nodename()),
        version: inner.config.version.clone(),
        containers,
        // As Docker counts them: one that is paused is not among those that run.
        running: running - paused,
        paused,
        stopped: containers - running,
        images,
        os: "linux".to_owned(),
        operating_system: operating_system(),
        architecture: text(uname.machine()),
        kernel: text(uname.release()),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory(),
        root: inner.config.paths.root.clone(),
        cgroup_version: if unified { 2 } else { 1 },
        warnings: Vec::new(),
    })
}

fn id(inner: &Inner) -> Result<String> {
    if let Some(id) = inner.db.read(|tx| tx.fact(ID))? {
        return Ok(id);
    }
    let new = kernel::random::hex::<16>()?;
    let id = inner.db.write(|tx| {
        tx.add_fact(ID, &new)?;
        tx.fact(ID)
    })?;
    Ok(id.unwrap_or(new))
}

fn operating_system() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("Linux", |name| name.trim_matches('"'))
        .to_owned()
}

fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}
