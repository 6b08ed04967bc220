//! What nobody needs any more: layers and blobs without an image or a container.

use failpoint::failpoint;
use spec::LayerId;
use state::{EntryId, LockKind};

use crate::error::Result;
use crate::open::Inner;

/// The journal's word for operations that leave content behind when they are killed.
pub(crate) const KIND: &str = "image.content";
/// The one lock that covers all content.
pub(crate) const ALL: &str = "all";

/// What a collection did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Collected {
    /// These layers are gone.
    Done(Vec<LayerId>),
    /// Somebody is adding content, whose parts look like garbage until it is done.
    Later,
}

/// Removes what nobody needs.
pub(crate) fn collect(inner: &Inner) -> Result<Collected> {
    let store = inner.store()?;
    let Some(lock) = inner.locks.try_lock(LockKind::Content, ALL)? else {
        return Ok(Collected::Later);
    };
    let now = inner.nanos();
    if inner.db.read(|tx| tx.overdue_holds(now))? > 0 {
        inner.db.write(|tx| tx.end_holds(now))?;
    }
    let layers = inner.db.read(|tx| tx.unused_layers())?;
    let mut gone = Vec::new();
    for layer in layers {
        // A container may have taken it since we looked: then it stays.
        match store.remove_layer(&layer.id) {
            Ok(_) => gone.push(layer.id),
            Err(e) if e.kind == store::Kind::Busy => {}
            Err(e) => return Err(e.into()),
        }
        failpoint!("image.garbage.after_layer");
    }
    // Now also those that the layers were kept in.
    for blob in inner.db.read(|tx| tx.unused_blobs())? {
        match store.remove_blob(&blob.digest) {
            Ok(_) => {}
            Err(e) if e.kind == store::Kind::Busy => {}
            Err(e) => return Err(e.into()),
        }
    }
    drop(lock);
    Ok(Collected::Done(gone))
}

/// Collects, and strikes out the operation that made it necessary; leaves it to the next if now is not the time.
pub(crate) fn collect_for(inner: &Inner, entry: EntryId) -> Result<Vec<LayerId>> {
    match collect(inner) {
        Ok(Collected::Done(gone)) => {
            inner.db.write(|tx| tx.finish(entry))?;
            Ok(gone)
        }
        Ok(Collected::Later) => {
            inner.db.write(|tx| tx.give_up(entry))?;
            Ok(Vec::new())
        }
        Err(error) => {
            drop(inner.db.write(|tx| tx.give_up(entry)));
            Err(error)
        }
    }
}

/// Finishes the operation of a dead owner: what it was writing, and what nobody needs, goes.
pub(crate) fn resume(inner: &Inner, entry: EntryId) -> Result<()> {
    match collect(inner)? {
        Collected::Later => Ok(inner.db.write(|tx| tx.give_up(entry))?),
        Collected::Done(_) => match inner.store()?.sweep() {
            Ok(_) => Ok(inner.db.write(|tx| tx.finish(entry))?),
            Err(e) if e.kind == store::Kind::Busy => Ok(inner.db.write(|tx| tx.give_up(entry))?),
            Err(e) => Err(e.into()),
        },
    }
}
