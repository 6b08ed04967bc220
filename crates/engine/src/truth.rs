//! What is true of a container now. The lock of its monitor says whether it lives, its exit record how it ended; the
//! database is not asked.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use kernel::cgroup::{Cgroup, CgroupPath};
use protocol::{ExitRecord, Liveness, Phase, State as Alive};
use spec::ContainerId;
use state::{ContainerRow, LockKind, ObjectLock};

use crate::container::stored::Stored;
use crate::container::{State, Status};
use crate::error::{Error, Result};
use crate::network::leave;
use crate::open::Inner;

/// The file in a container's directory that says that it was started at least once.
pub(crate) const STARTED: &str = "started";

/// What is true of a container now.
#[derive(Debug, Clone)]
pub(crate) enum Now {
    /// A monitor lives that has not started the program yet.
    Starting,
    /// Its program runs.
    Running(Alive),
    /// Its program does not run: how it ended, if it ever began.
    Stopped(Option<ExitRecord>),
    /// It was to go when it ended, and has been removed just now.
    Gone,
}

impl Now {
    pub(crate) const fn is_alive(&self) -> bool {
        matches!(self, Self::Starting | Self::Running(_))
    }

    /// As users see it.
    pub(crate) fn state(&self) -> State {
        let blank = State {
            status: Status::Created,
            pid: 0,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started: None,
            finished: None,
            restarts: 0,
            health: None,
        };
        match self {
            Self::Starting | Self::Stopped(None) => blank,
            Self::Gone => State {
                status: Status::Removing,
                ..blank
            },
            Self::Running(alive) => {
                let blank = State {
                    started: time(alive.started_at),
                    restarts: alive.condition.restarts,
                    ..blank
                };
                let pid = alive.pid.unsigned_abs();
                match &alive.condition.phase {
                    Phase::Running => State {
                        status: Status::Running,
                        pid,
                        ..blank
                    },
                    Phase::Paused => State {
                        status: Status::Paused,
                        pid,
                        ..blank
                    },
                    Phase::Restarting(last) => State {
                        status: Status::Restarting,
                        exit_code: last.code.into(),
                        oom_killed: last.oom_killed,
                        error: last.error.clone(),
                        started: time(last.started_at),
                        finished: time(last.finished_at),
                        ..blank
                    },
                }
            }
            Self::Stopped(Some(record)) => State {
                // A record without a beginning is of a start that failed.
                status: if record.started_at == 0 {
                    Status::Created
                } else {
                    Status::Exited
                },
                exit_code: record.code.into(),
                oom_killed: record.oom_killed,
                error: record.error.clone(),
                started: time(record.started_at),
                finished: time(record.finished_at).filter(|_| record.started_at > 0),
                restarts: record.restarts,
                ..blank
            },
        }
    }
}

/// A time of the monitor's; 0 is none.
pub(crate) fn time(nanos: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanos))
        .ok()
        .filter(|_| nanos > 0)
}

/// What is true now. A container that was lost is settled at first sight, unless another works on it: then it is so for
/// the caller, and the other will settle it.
pub(crate) fn look(inner: &Inner, row: &ContainerRow) -> Result<Now> {
    let (now, lost) = peek(inner, row)?;
    if lost.is_none() {
        return Ok(now);
    }
    match inner
        .locks
        .try_lock(LockKind::Container, &row.id.to_string())?
    {
        Some(lock) => settle(inner, row, lock),
        None => Ok(now),
    }
}

/// As [`look`], for who holds the container's lock: nothing is removed, what was lost is written down.
pub(crate) fn look_locked(inner: &Inner, row: &ContainerRow) -> Result<Now> {
    let (now, lost) = peek(inner, row)?;
    if let (Some(record), Now::Stopped(_)) = (lost, &now) {
        bury(inner, row, &record)?;
    }
    Ok(now)
}

/// What is true now, and the record that is missing for it.
fn peek(inner: &Inner, row: &ContainerRow) -> Result<(Now, Option<ExitRecord>)> {
    let record = match protocol::probe(&inner.config.paths.run, &row.id)? {
        Liveness::Running(alive) => return Ok((Now::Running(alive), None)),
        Liveness::Starting => return Ok((Now::Starting, None)),
        Liveness::Dead(alive) => {
            let restarts = alive.as_ref().map_or(0, |alive| alive.condition.restarts);
            let started_at = alive.map_or(0, |alive| alive.started_at);
            match read_exit(&inner.container_dir(&row.id))? {
                // It was killed between writing that down and saying goodbye. A record of another beginning is of an
                // earlier run: this one died before its program ran.
                Some(record) if started_at > 0 && record.started_at == started_at => record,
                _ => ExitRecord {
                    restarts,
                    ..lost(inner, 137, "monitor died", started_at)
                },
            }
        }
        Liveness::Absent => {
            let directory = inner.container_dir(&row.id);
            match read_exit(&directory)? {
                Some(record) => return Ok((Now::Stopped(Some(record)), None)),
                // A monitor that begins takes its lock first and the old record away after: it is looked for again.
                None if directory.join(STARTED).exists() => {
                    let again = protocol::probe(&inner.config.paths.run, &row.id)?;
                    if !matches!(again, Liveness::Absent) {
                        return peek(inner, row);
                    }
                    // One that began and ended since has left its record.
                    if let Some(record) = read_exit(&directory)? {
                        return Ok((Now::Stopped(Some(record)), None));
                    }
                    // The power went, or the disk was full. When it began is not known any more.
                    lost(inner, 255, "its end was not recorded", nanos(inner))
                }
                None => return Ok((Now::Stopped(None), None)),
            }
        }
    };
    Ok((Now::Stopped(Some(record.clone())), Some(record)))
}

fn nanos(inner: &Inner) -> u64 {
    inner.nanos().unsigned_abs()
}

fn lost(inner: &Inner, code: i32, error: &str, started_at: u64) -> ExitRecord {
    ExitRecord {
        v: ExitRecord::VERSION,
        code,
        signal: None,
        oom_killed: false,
        error: error.to_owned(),
        started_at,
        finished_at: nanos(inner),
        restarts: 0,
        stopped: false,
    }
}

/// Looks again under the lock, and clears up after a container that was lost.
fn settle(inner: &Inner, row: &ContainerRow, lock: ObjectLock) -> Result<Now> {
    let (now, lost) = peek(inner, row)?;
    let Some(record) = lost else {
        return Ok(now);
    };
    bury(inner, row, &record)?;
    inner.remember_end(row.id, record);
    if row.auto_remove {
        crate::container::remove::dispose_with_volumes(inner, row, lock)?;
        return Ok(Now::Gone);
    }
    Ok(now)
}

/// Ends what is left of a lost container and writes its record down. The caller holds its lock.
fn bury(inner: &Inner, row: &ContainerRow, record: &ExitRecord) -> Result<()> {
    clear_cgroup(inner, row)?;
    // What can't be given back now is in the journal.
    let left = leave::leave(inner, &row.id);
    write_exit(inner, &row.id, record)?;
    clear_run_dir(inner, &row.id);
    left
}

/// Kills what is in the container's cgroup and removes it.
pub(crate) fn clear_cgroup(inner: &Inner, row: &ContainerRow) -> Result<()> {
    let parent = Stored::parse(&row.id, &row.config).map(|s| s.host.cgroup_parent);
    let path = inner.cgroup(&parent.unwrap_or_default(), &row.id);
    if let Some(cgroup) = Cgroup::open(inner.layout()?, &CgroupPath::parse(&path)?)? {
        cgroup.kill_all()?;
        cgroup.remove()?;
    }
    Ok(())
}

/// Takes away what a monitor left in the container's run directory, and the directory.
pub(crate) fn clear_run_dir(inner: &Inner, id: &ContainerId) {
    let directory = inner.run_dir(id);
    for name in [
        protocol::liveness::SOCKET,
        protocol::condition::FILE,
        protocol::condition::TEMPORARY,
        protocol::liveness::FILE,
    ] {
        // What stays is found by the check, and ends with the boot.
        drop(std::fs::remove_file(directory.join(name)));
    }
    leave::forget(&directory);
    drop(std::fs::remove_dir(directory));
}

/// How the container with this directory ended, if that was recorded.
pub(crate) fn read_exit(directory: &Path) -> Result<Option<ExitRecord>> {
    let failed = |e: io::Error| Error::internal(format!("open {}", directory.display()), e);
    match File::open(directory) {
        Ok(directory) => Ok(ExitRecord::read(directory)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

/// Writes down how a container ended, in place of its monitor.
pub(crate) fn write_exit(inner: &Inner, id: &ContainerId, record: &ExitRecord) -> Result<()> {
    let path = inner.container_dir(id);
    crate::open::make_dir(&path)?;
    let directory =
        File::open(&path).map_err(|e| Error::internal(format!("open {}", path.display()), e))?;
    Ok(kernel::atomic::replace(
        &directory,
        ExitRecord::FILE,
        &record.to_json()?,
        0o600,
    )?)
}

/// Writes a small file that may be lost when the power goes.
pub(crate) fn write_small(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| Error::internal(format!("write {}", path.display()), e))
}
