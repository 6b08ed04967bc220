//! Blobs of the store that the registry holds.

use std::ops::Range;

use registry::server::storage::{Answer, Blob, Blobs, Content};
use spec::{BlobDigest, Digest};
use state::{Durability, LockKind, NewEntry};

use super::failed;
use crate::error::Result;
use crate::image::garbage;
use crate::open::{Engine, Inner};

/// The blobs that the registry holds, whoever else has them.
pub(super) struct EngineBlobs(pub(super) Engine);

impl Blobs for EngineBlobs {
    fn look<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<Blob>> {
        let blob = BlobDigest::new(*digest);
        Box::pin(async move {
            let held = self
                .0
                .long(move |engine| Ok(engine.0.db.read(|tx| tx.held_blob(&blob))?));
            let held = held.await.map_err(failed("look for blob", digest))?;
            Ok(held.map(|(since, size)| Blob { size, since }))
        })
    }

    fn read<'a>(&'a self, digest: &'a Digest, _range: Range<u64>) -> Answer<'a, Content> {
        let blob = BlobDigest::new(*digest);
        Box::pin(async move {
            let file = self
                .0
                .long(move |engine| Ok(engine.0.store()?.blob(&blob)?));
            let file = file.await.map_err(failed("open blob", digest))?;
            Ok(Content::File(file))
        })
    }

    fn touch<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        let blob = BlobDigest::new(*digest);
        Box::pin(async move {
            let touched = self.0.long(move |engine| {
                let now = engine.0.now().as_second();
                Ok(engine.0.db.write(|tx| match tx.held_blob(&blob)? {
                    None => Ok(false),
                    Some(_) => tx.hold_blob(&blob, now).map(|()| true),
                })?)
            });
            touched.await.map_err(failed("touch blob", digest))
        })
    }

    fn remove<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        let blob = BlobDigest::new(*digest);
        Box::pin(async move {
            let removed = self.0.long(move |engine| release(&engine.0, &blob));
            removed.await.map_err(failed("remove blob", digest))
        })
    }

    fn list(&self) -> Answer<'_, Vec<Digest>> {
        Box::pin(async move {
            let held = self
                .0
                .long(|engine| Ok(engine.0.db.read(|tx| tx.held_blobs())?));
            let held = held.await.map_err(failed("list", &"blobs"))?;
            Ok(held.iter().map(|blob| *blob.digest()).collect())
        })
    }
}

/// Holds a blob no longer, and removes it if no image has it. Killed in between, or while somebody adds content (whose blobs look as
/// if nobody had them), that is left to the next who collects.
fn release(inner: &Inner, blob: &BlobDigest) -> Result<bool> {
    let owner = inner.owner()?;
    let subject = blob.to_string();
    let entry = inner.db.write_with(Durability::Full, |tx| {
        if !tx.release_blob(blob)? {
            return Ok(None);
        }
        let entry = NewEntry {
            kind: garbage::KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        };
        tx.begin(&entry).map(Some)
    })?;
    let Some(entry) = entry else {
        return Ok(false);
    };
    failpoint::failpoint!("registry.release.after_row");
    let Some(_alone) = inner.locks.try_lock(LockKind::Content, garbage::ALL)? else {
        inner.db.write(|tx| tx.give_up(entry))?;
        return Ok(true);
    };
    match inner.store()?.remove_blob(blob) {
        Ok(_) => {}
        // An image has it.
        Err(e) if e.kind == store::Kind::Busy => {}
        Err(e) => {
            inner.db.write(|tx| tx.give_up(entry))?;
            return Err(e.into());
        }
    }
    inner.db.write(|tx| tx.finish(entry))?;
    Ok(true)
}
