//! The file in a container's run directory that its living monitor holds locked.
//!
//! The lock is the truth about life: one probe that never acquires it. Its content says what lives.

#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kernel::lock::{FileLock, Wait};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::Nanos;
use crate::condition::Condition;
use crate::error::{Error, Kind, Result};
use crate::exit::read_limited;

/// The state file's name in the container's run directory.
pub const FILE: &str = "state";
/// The socket's name in the container's run directory.
pub const SOCKET: &str = "monitor.sock";
const MAX: usize = 64 * 1024;

/// What lives: the state file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The format's version.
    pub v: u32,
    /// The process id of the container's first process, as the monitor sees it.
    pub pid: i32,
    /// Its start time in clock ticks since boot, which tells it from another process with the same id.
    pub start_time: u64,
    /// The boot that the two belong to.
    pub boot_id: String,
    /// When it was started.
    pub started_at: Nanos,
    /// Whether it has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// Whether its standard input can be written to.
    #[serde(default)]
    pub open_stdin: bool,
    /// The monitor's own process id, for people; nothing is decided by it.
    #[serde(default)]
    pub monitor_pid: i32,
    /// How it is: of a file of its own.
    #[serde(skip)]
    pub condition: Condition,
}

impl State {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;

    /// With what is true by now.
    #[must_use]
    fn with(mut self, condition: Condition) -> Self {
        if let Some(run) = condition.run {
            self.pid = run.pid;
            self.start_time = run.start_time;
            self.started_at = run.started_at;
        }
        self.condition = condition;
        self
    }
}

/// Whether a container lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// No monitor, and none died badly.
    Absent,
    /// A monitor lives that has not started the program yet.
    Starting,
    /// A monitor lives, and this is its container.
    Running(State),
    /// A monitor died without saying goodbye: what it held, if it came so far. The container died with it.
    Dead(Option<State>),
}

impl Liveness {
    /// Whether a monitor lives.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        matches!(self, Self::Starting | Self::Running(_))
    }
}

/// Whether the container `id` lives. `run_root` is `/run/tare`.
///
/// # Errors
/// The state file is there but can't be opened or read.
pub fn probe(run_root: &Path, id: &ContainerId) -> Result<Liveness> {
    let path = run_root.join("containers").join(id.to_string());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(dir) => probe_at(dir),
        Err(Errno::NOENT) => Ok(Liveness::Absent),
        Err(e) => Err(Error::io("open", &path.to_string_lossy(), e)),
    }
}

/// Whether the container whose run directory is `run_dir` lives.
///
/// # Errors
/// As [`probe`].
pub fn probe_at(run_dir: impl AsFd) -> Result<Liveness> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::openat(&run_dir, FILE, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Liveness::Absent),
        Err(e) => return Err(Error::io("open", FILE, e)),
    };
    match judge(&file)? {
        Liveness::Running(state) => Ok(Liveness::Running(state.with(Condition::read(run_dir)?))),
        // What a dead one said last tells which run it was; that it can't be read is no reason not to bury it.
        Liveness::Dead(Some(state)) => Ok(Liveness::Dead(Some(
            state.with(Condition::read(run_dir).unwrap_or_default()),
        ))),
        other => Ok(other),
    }
}

fn judge(file: &OwnedFd) -> Result<Liveness> {
    let held = kernel::lock::held(file)?;
    // Unlinked first, unlocked then: a monitor that ended in order while the file was opened didn't die.
    let stat = rustix::fs::fstat(file).map_err(|e| Error::io("stat", FILE, e))?;
    if !held && stat.st_nlink == 0 {
        return Ok(Liveness::Absent);
    }
    let bytes = read_limited(file, FILE, MAX)?;
    // A monitor writes its state once. Until all of it is there, it is still starting.
    let state: Option<State> = serde_json::from_slice(&bytes).ok();
    Ok(match (held, state) {
        (true, Some(state)) => Liveness::Running(state),
        (true, None) => Liveness::Starting,
        (false, state) => Liveness::Dead(state),
    })
}

/// The state file, created and locked: held by a monitor for its life.
#[derive(Debug)]
pub struct StateLock {
    lock: FileLock,
}

impl StateLock {
    /// Creates the file if it isn't there and locks it; what a dead monitor left in it is forgotten.
    ///
    /// # Errors
    /// [`Kind::Busy`]: a living monitor has it.
    pub fn acquire(run_dir: impl AsFd) -> Result<Self> {
        if let Some(lock) = born_locked(&run_dir)? {
            return Ok(Self { lock });
        }
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mode = Mode::RUSR | Mode::WUSR;
            let file = rustix::fs::openat(&run_dir, FILE, flags, mode)
                .map_err(|e| Error::io("open", FILE, e))?;
            let Some(lock) = FileLock::acquire(file, Wait::No)? else {
                return Err(Error::new(
                    Kind::Busy,
                    "lock",
                    "state of a running container",
                ));
            };
            // The last monitor may have unlinked it between the two.
            if is_at(&lock, &run_dir)? {
                rustix::fs::ftruncate(&lock, 0).map_err(|e| Error::io("truncate", FILE, e))?;
                return Ok(Self { lock });
            }
        }
    }

    /// Writes the content; once.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, state: &State) -> Result<()> {
        let bytes = serde_json::to_vec(state).map_err(|e| Error::malformed("encode", FILE, e))?;
        match rustix::io::pwrite(&self.lock, &bytes, 0) {
            Ok(n) if n == bytes.len() => Ok(()),
            Ok(_) => Err(Error::io("write", FILE, Errno::NOSPC)),
            Err(e) => Err(Error::io("write", FILE, e)),
        }
    }

    /// Removes the file, then gives up the lock: who looks now finds no monitor.
    ///
    /// # Errors
    /// The file can't be removed.
    pub fn remove(self, run_dir: impl AsFd) -> Result<()> {
        rustix::fs::unlinkat(run_dir, FILE, AtFlags::empty())
            .map_err(|e| Error::io("remove", FILE, e))
    }
}

/// A new file that is locked before it has its name: whoever sees it between the two would take a monitor that begins for
/// a dead one. `None` where the name is taken, or where the file system has no nameless files.
fn born_locked(run_dir: impl AsFd) -> Result<Option<FileLock>> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&run_dir, ".", flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => return Ok(None),
        Err(e) => return Err(Error::io("make", FILE, e)),
    };
    let Some(lock) = FileLock::acquire(file, Wait::No)? else {
        return Ok(None);
    };
    match rustix::fs::linkat(&lock, "", run_dir, FILE, AtFlags::EMPTY_PATH) {
        Ok(()) => Ok(Some(lock)),
        // Taken; or without CAP_DAC_READ_SEARCH, which an empty path needs.
        Err(Errno::EXIST | Errno::NOENT) => Ok(None),
        Err(e) => Err(Error::io("name", FILE, e)),
    }
}

fn is_at(file: impl AsFd, run_dir: impl AsFd) -> Result<bool> {
    let ours = rustix::fs::fstat(file).map_err(|e| Error::io("stat", FILE, e))?;
    match rustix::fs::statat(run_dir, FILE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => Ok((ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(e) => Err(Error::io("stat", FILE, e)),
    }
}
