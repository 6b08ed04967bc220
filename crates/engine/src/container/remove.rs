//! Removing a container. Its row goes first, with an entry in the journal; then what it had on disk.

use failpoint::failpoint;
use protocol::ExitRecord;
use spec::ContainerId;
use state::{ContainerRow, EntryId, LockKind, NewEntry, ObjectLock};

use super::attach;
use super::lookup;
use super::stop;
use super::{Containers, RemoveRequest, Status};
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::image::garbage;
use crate::network::leave;
use crate::open::{Engine, Inner};
use crate::rootfs;
use crate::truth::{self, Now};
use crate::volume;

/// The journal's word for it.
pub(crate) const KIND: &str = "container.remove";

pub(super) async fn remove(engine: &Engine, name: &str, request: RemoveRequest) -> Result<()> {
    let asked = name.to_owned();
    let row = engine
        .step(move |engine| lookup::find(&engine.0, &asked))
        .await?;
    // Another may start it again between the kill and the lock; not for ever.
    for _ in 0..10 {
        if request.force {
            stop::kill_if_running(engine, &row).await?;
        }
        let again = row.clone();
        let done = engine
            .step(move |engine| once(&engine.0, &again, request))
            .await?;
        if done {
            return Ok(());
        }
    }
    Err(running(&row, Status::Running))
}

fn running(row: &ContainerRow, status: Status) -> Error {
    let name = &row.name;
    Error::conflict(match status {
        Status::Paused => format!(
            "cannot remove container \"/{name}\": container is paused and must be unpaused first"
        ),
        _ => format!(
            "cannot remove container \"/{name}\": container is {}: stop the container before removing or force remove",
            status.name()
        ),
    })
}

/// Whether it is removed; false if it runs and is to be killed first.
pub(super) fn once(inner: &Inner, row: &ContainerRow, request: RemoveRequest) -> Result<bool> {
    let lock = inner.lock_container(&row.id)?;
    // Somebody else removed it: what was wanted is so.
    let Some(row) = inner.db.read(|tx| tx.container(&row.id))? else {
        lock.retire();
        return Ok(true);
    };
    let now = truth::look_locked(inner, &row)?;
    if now.is_alive() {
        return if request.force {
            Ok(false)
        } else {
            // One that is about to run is as good as running.
            Err(running(
                &row,
                match now.state().status {
                    Status::Created => Status::Running,
                    other => other,
                },
            ))
        };
    }
    if request.volumes || row.auto_remove {
        dispose_with_volumes(inner, &row, lock)?;
    } else {
        dispose(inner, &row, lock)?;
    }
    Ok(true)
}

/// As [`dispose`], with the volumes that nobody gave a name and no other has.
pub(crate) fn dispose_with_volumes(
    inner: &Inner,
    row: &ContainerRow,
    lock: ObjectLock,
) -> Result<()> {
    let volumes = inner.db.read(|tx| tx.anonymous_volumes_of(&row.id))?;
    dispose(inner, row, lock)?;
    for name in volumes {
        volume::remove(inner, &name)?;
    }
    Ok(())
}

/// Removes a container that does not run; the caller holds its lock, which goes with it.
fn dispose(inner: &Inner, row: &ContainerRow, lock: ObjectLock) -> Result<()> {
    let id = &row.id;
    leave::leave(inner, id)?;
    let subject = id.to_string();
    let owner = inner.owner()?;
    let entry = inner.db.write(|tx| {
        let entry = tx.begin(&NewEntry {
            kind: KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })?;
        tx.remove_container(id)?;
        Ok((entry, tx.image(&row.image)?.is_none()))
    })?;
    let (entry, last) = entry;
    failpoint!("container.remove.after_row");
    attach::serve_pending(inner, id, attach::Outcome::Failed);
    clear(inner, id, entry)?;
    lock.retire();
    inner.record(Happened::to_container(row, "destroy"));
    inner.changed.notify_waiters();
    if last {
        // Its image is gone already: nobody else needs its layers. If now is not the time, the next collection takes them.
        garbage::collect(inner)?;
    }
    Ok(())
}

/// Takes away what a container had on disk, and strikes the operation out. May be done again.
fn clear(inner: &Inner, id: &ContainerId, entry: EntryId) -> Result<()> {
    let result = rootfs::discard(inner, id).map(|()| {
        truth::clear_run_dir(inner, id);
        failpoint!("container.remove.after_files");
    });
    match result {
        Ok(()) => Ok(inner.db.write(|tx| tx.finish(entry))?),
        Err(error) => {
            // The row is gone; whoever opens the engine next tries again.
            drop(inner.db.write(|tx| tx.give_up(entry)));
            Err(error)
        }
    }
}

/// Finishes a removal whose owner died.
pub(crate) fn resume(inner: &Inner, id: &ContainerId, entry: EntryId) -> Result<()> {
    let lock = inner.locks.try_lock(LockKind::Container, &id.to_string())?;
    clear(inner, id, entry)?;
    if let Some(lock) = lock {
        lock.retire();
    }
    Ok(())
}

/// Removes a container that was to go when it ended, if it has ended. `record` is how, if that is known.
pub(crate) fn remove_ended(
    inner: &Inner,
    id: &ContainerId,
    record: Option<ExitRecord>,
) -> Result<()> {
    let lock = inner.lock_container(id)?;
    let Some(row) = inner.db.read(|tx| tx.container(id))? else {
        lock.retire();
        return Ok(());
    };
    let now = truth::look_locked(inner, &row)?;
    if now.is_alive() || !row.auto_remove {
        return Ok(());
    }
    let record = match (record, now) {
        (Some(record), _) | (None, Now::Stopped(Some(record))) => record,
        // Never started: it waits for that.
        (None, _) => return Ok(()),
    };
    inner.remember_end(*id, record);
    dispose_with_volumes(inner, &row, lock)
}

impl Containers {
    /// Removes a container that was made to go when it ends, if it has ended: what its monitor asks for when nobody waits.
    ///
    /// # Errors
    /// The container can't be removed. One that is gone already is no error.
    pub async fn remove_exited(&self, id: &ContainerId) -> Result<()> {
        let id = *id;
        self.engine
            .step(move |engine| remove_ended(&engine.0, &id, None))
            .await
    }
}
