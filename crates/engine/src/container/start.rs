//! Starting a container. Everything that a killed start leaves belongs to the container: its directories go with it, its
//! mount was never attached, and its monitor, once it lives, needs no engine.

use failpoint::failpoint;
use kernel::process::Child;
use protocol::{ExitRecord, Phase, Ready};
use spec::ContainerId;
use state::{ContainerRow, ObjectLock};
use tokio::io::Interest;
use tokio::runtime::Handle;

use super::attach as streams;
use super::lookup;
use super::remove;
use super::stored::Stored;
use crate::bundle::{self, devices};
use crate::error::{Error, Kind, Result};
use crate::launch::{self, Descriptors};
use crate::link::{self, Link};
use crate::network::attach::{self, Joined};
use crate::network::links;
use crate::network_files;
use crate::open::{Engine, Inner, make_dir};
use crate::readiness;
use crate::rootfs;
use crate::truth::{self, Now, STARTED};
use crate::volume;

pub(super) fn start(engine: &Engine, name: &str) -> Result<()> {
    start_with(engine, name, |_| ())
}

/// The same with something more that is never written down: what a step of a build is given for its run.
pub(super) fn start_with(engine: &Engine, name: &str, add: impl FnOnce(&mut Stored)) -> Result<()> {
    let inner = &*engine.0;
    let found = lookup::find(inner, name)?;
    let lock = inner.lock_container(&found.id)?;
    let row = lookup::again(inner, &found)?;
    let last = match truth::look_locked(inner, &row)? {
        Now::Stopped(last) => last,
        Now::Running(alive) if alive.condition.phase == Phase::Paused => {
            return Err(Error::conflict(
                "cannot start a paused container, try unpause instead",
            ));
        }
        Now::Starting | Now::Running(_) | Now::Gone => {
            return Err(Error::new(
                Kind::NotModified,
                format!("container {} is already running", row.name),
            ));
        }
    };
    let mut stored = Stored::parse(&row.id, &row.config)?;
    add(&mut stored);
    match begin(inner, &row, &stored) {
        Ok(()) => {
            failpoint!("container.start.running");
            // Who knows it by a name of his own keeps the old address if this fails; its own start did not.
            drop(links::follow(inner, &row.id));
            // Attached while nobody can remove it: not a byte is lost, however brief its life.
            streams::serve_pending(inner, &row.id, streams::Outcome::Started);
            if stored.host.auto_remove {
                undertake(engine, &row.id);
            }
            drop(lock);
            inner.changed.notify_waiters();
            Ok(())
        }
        Err(error) => {
            streams::serve_pending(inner, &row.id, streams::Outcome::Failed);
            fail(inner, &row, &stored, last, &error, lock);
            Err(error)
        }
    }
}

/// From the row to the running program. On an error nothing runs and nothing is mounted.
fn begin(inner: &Inner, row: &ContainerRow, stored: &Stored) -> Result<()> {
    make_dir(&inner.container_dir(&row.id))?;
    make_dir(&inner.run_dir(&row.id))?;
    let mut joined = attach::join(inner, row, stored)?;
    match with_network(inner, row, stored, &mut joined) {
        Ok(()) => joined.settle(inner),
        Err(error) => {
            joined.undo(inner, &row.id);
            Err(error)
        }
    }
}

fn with_network(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    joined: &mut Joined,
) -> Result<()> {
    let directory = inner.container_dir(&row.id);
    let facts = inner.facts()?;
    let devices = devices::look_up(&stored.host)?;
    let block_io = bundle::block::look_up(&stored.host)?;
    volume::check_sources(inner, &stored.mounts)?;
    let links = if links::has_ends(joined) {
        links::of(inner, row)?
    } else {
        Vec::new()
    };
    let linked;
    let stored = if links.is_empty() {
        stored
    } else {
        linked = links::with_environment(row, stored, &links);
        &linked
    };
    let lender = joined.lender.as_ref().map(|lender| {
        let hostname = Stored::parse(&lender.id, &lender.config).map(|s| s.hostname(&lender.id));
        (inner.container_dir(&lender.id), hostname)
    });
    let (files, hostname) = match lender {
        Some((files, hostname)) => (files, Some(hostname?)),
        None => (directory.clone(), None),
    };
    let input = bundle::Input {
        id: &row.id,
        stored,
        directory: &files,
        hostname: hostname.as_deref(),
        volumes: &inner.volumes_dir(),
        facts,
        devices: &devices,
        block_io: &block_io,
        init: &inner.config.binaries.monitor,
    };
    let names = network_files::Names {
        host: bundle::hostname(&input),
        domain: stored.config.domainname.clone(),
    };
    let around = network_files::Around {
        ends: &joined.ends,
        links: &links,
    };
    if joined.lender.is_none() {
        network_files::write(&directory, &stored.host, &names, &around)?;
    }
    let spec = bundle::spec(&input)?;
    let document = launch::document(inner, row, stored, spec, joined.given)?;
    failpoint!("container.start.prepared");
    let mounted = rootfs::mount(inner, row, &stored.config.working_dir)?;
    failpoint!("container.start.mounted");
    let fds = Descriptors {
        root: mounted.mount.into_fd(),
        container_dir: mounted.directory,
        run_dir: launch::open_dir(&inner.run_dir(&row.id))?.into(),
        events: launch::duplicate(inner.events()?)?,
        network: std::mem::take(&mut joined.fds),
    };
    // The record of its last end stays until the new monitor holds its lock and takes it away: without both, a waiter
    // would take the container for lost.
    let (child, word) = launch::launch(inner, &document, fds)?;
    failpoint!("container.start.launched");
    reap(child);
    match word? {
        Ready::Started { .. } => {
            // A container that goes when it ends is started only once.
            if !stored.host.auto_remove {
                truth::write_small(&directory.join(STARTED), b"", 0o600)?;
            }
            Ok(())
        }
        Ready::Failed {
            stage,
            message,
            exit_code,
        } => Err(refused(&stage, &message, exit_code)),
    }
}

/// What a monitor's failure is in Docker's words, from which its command line makes the exit code. The runtime says them
/// of a program that can't be run.
fn refused(stage: &str, message: &str, exit_code: i32) -> Error {
    let task = "failed to create task for container";
    match exit_code {
        127 => Error::new(Kind::CommandNotFound, format!("{task}: {message}")),
        126 => Error::new(Kind::CommandNotExecutable, format!("{task}: {message}")),
        _ => Error::new(Kind::Internal, format!("{task}: {stage}: {message}")),
    }
}

/// The monitor is a child of whoever started it, and must not stay a zombie when that is a daemon.
pub(crate) fn reap(child: Child) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        use std::os::fd::AsFd;
        let Ok(watched) = child.pidfd.as_fd().try_clone_to_owned() else {
            return;
        };
        if let Ok(watched) = readiness::watch(watched, Interest::READABLE) {
            drop(watched.readable().await);
            drop(child.pidfd.try_wait());
        }
    });
}

/// Writes down that a start failed; the caller gets the cause, whatever becomes of this.
fn fail(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    last: Option<ExitRecord>,
    error: &Error,
    lock: ObjectLock,
) {
    let code = match error.kind {
        Kind::CommandNotFound => 127,
        Kind::CommandNotExecutable => 126,
        _ => 128,
    };
    let record = ExitRecord {
        v: ExitRecord::VERSION,
        code,
        signal: None,
        oom_killed: false,
        error: error.chain(),
        started_at: last.as_ref().map_or(0, |record| record.started_at),
        finished_at: inner.nanos().unsigned_abs(),
        restarts: 0,
        stopped: false,
    };
    drop(truth::clear_cgroup(inner, row));
    truth::clear_run_dir(inner, &row.id);
    if stored.host.auto_remove {
        drop(remove::dispose_with_volumes(inner, row, lock));
    } else {
        drop(truth::write_exit(inner, &row.id, &record));
        drop(lock);
    }
    inner.remember_end(row.id, record);
}

/// Promises the monitor to remove the container when it has ended. If this process dies before, the monitor sees to it.
fn undertake(engine: &Engine, id: &ContainerId) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let link = promise(&engine.0, id);
    let (engine, id) = (engine.clone(), *id);
    runtime.spawn(async move {
        // Held until the container is gone: a promise is broken by hanging up.
        let mut link = link.ok().flatten();
        let reply = match &mut link {
            Some(link) => link.receive().await.ok().flatten(),
            None => None,
        };
        let record = match reply {
            Some((protocol::Reply::Exited(record), _)) => Some(record),
            _ => None,
        };
        let buried = engine
            .step(move |engine| remove::remove_ended(&engine.0, &id, record))
            .await;
        // On an error it stays where it is: the monitor, or the next command that sees it, removes it.
        drop((buried, link));
    });
}

fn promise(inner: &Inner, id: &ContainerId) -> Result<Option<Link>> {
    let Some(mut connection) = link::connect(inner, id)? else {
        return Ok(None);
    };
    match connection.send(&protocol::Request::Wait { remove: true }, &[]) {
        Ok(()) => Ok(Some(Link::new(connection)?)),
        Err(e) => link::closed(e),
    }
}

#[cfg(test)]
mod tests;
