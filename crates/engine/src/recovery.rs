//! Finishing what killed engines left half done. Every entry of the journal whose owner is dead is taken over by exactly
//! one who comes later.

use kernel::Pid;
use kernel::process::ProcessIdentity;
use state::{Entry, Owner};

use crate::container::{commit, remove, step};
use crate::error::{Error, Result};
use crate::image::garbage;
use crate::network::{attach, leave, live, publish};
use crate::open::Inner;
use crate::volume;

/// Looks for dead owners' operations; one `SELECT` when there are none.
pub(crate) fn recover(inner: &Inner) -> Result<()> {
    for entry in inner.db.read(|tx| tx.journal())? {
        if is_alive(&entry.owner)? {
            continue;
        }
        let owner = inner.owner()?;
        if inner.db.write(|tx| tx.take_over(&entry, owner))? {
            // What can't be finished now stays for the next; it must not keep every command from working.
            if resume(inner, &entry).is_err() {
                drop(inner.db.write(|tx| tx.give_up(entry.id)));
            }
        }
    }
    Ok(())
}

fn is_alive(owner: &Owner) -> Result<bool> {
    let pid = i32::try_from(owner.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return Ok(false);
    };
    let identity = ProcessIdentity {
        pid,
        start_time: owner.start_time,
        boot_id: owner.boot_id.clone(),
    };
    Ok(identity.is_alive()?)
}

fn resume(inner: &Inner, entry: &Entry) -> Result<()> {
    match entry.kind.as_str() {
        remove::KIND => {
            let id = entry.subject.parse()?;
            remove::resume(inner, &id, entry.id)
        }
        step::KIND => step::resume(inner, &entry.subject.parse()?, entry.id),
        commit::HELD => {
            let id = entry.subject.parse()?;
            match inner.db.read(|tx| tx.container(&id))? {
                Some(row) => commit::release(inner, &row, entry.id),
                None => Ok(inner.db.write(|tx| tx.finish(entry.id))?),
            }
        }
        attach::KIND | leave::KIND => {
            let id = entry.subject.parse()?;
            leave::resume(inner, &id, entry.id)
        }
        live::PART => {
            let id = entry.subject.parse()?;
            live::resume(inner, &id, &entry.payload, entry.id)
        }
        publish::KIND => publish::resume(inner, entry.id),
        garbage::KIND => garbage::resume(inner, entry.id),
        volume::REMOVE => {
            // A new volume of this name may have been made since.
            if inner.db.read(|tx| tx.volume(&entry.subject))?.is_none() {
                volume::erase(inner, &entry.subject)?;
            }
            Ok(inner.db.write(|tx| tx.finish(entry.id))?)
        }
        volume::PROVIDE => {
            let names: Vec<String> = serde_json::from_str(&entry.payload)
                .map_err(|e| Error::internal("read journal", e))?;
            volume::resume(inner, &names, entry.id)
        }
        // Of a newer version, which will know what to do with it.
        _ => Ok(inner.db.write(|tx| tx.give_up(entry.id))?),
    }
}
