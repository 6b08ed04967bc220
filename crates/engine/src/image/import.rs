//! An image from a tar of a root file system.

use std::io::{Read, Write};

use failpoint::failpoint;
use serde_json::json;
use spec::image::Config;
use spec::{BlobDigest, ImageId, Platform};
use state::{Durability, EntryId, ImageRow, LockKind, NewEntry, ObjectLock};

use super::garbage;
use super::{ImportRequest, changes};
use crate::error::{Error, Result};
use crate::open::Inner;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) fn import(
    inner: &Inner,
    request: &ImportRequest,
    tar: impl Read + Send,
) -> Result<ImageId> {
    let mut config = Config::default();
    changes::apply(&mut config, &request.changes)?;
    let adding = Adding::begin(inner, "import")?;
    let made = make(inner, request, config, tar, adding.entry);
    adding.end(made)
}

/// An addition of content: journaled, and with the content shared, so that nobody collects its parts meanwhile.
pub(crate) struct Adding<'a> {
    inner: &'a Inner,
    pub(crate) entry: EntryId,
    lock: ObjectLock,
}

impl<'a> Adding<'a> {
    pub(crate) fn begin(inner: &'a Inner, subject: &str) -> Result<Self> {
        let lock = inner
            .locks
            .lock_shared(LockKind::Content, garbage::ALL, PATIENCE)?;
        let owner = inner.owner()?;
        let entry = inner.db.write(|tx| {
            tx.begin(&NewEntry {
                kind: garbage::KIND,
                subject,
                owner,
                payload: "{}",
                created_at: inner.nanos(),
            })
        })?;
        failpoint!("image.add.begun");
        Ok(Self { inner, entry, lock })
    }

    /// Undoes a failed addition; the cause is what the caller gets.
    pub(crate) fn end<T>(self, result: Result<T>) -> Result<T> {
        let inner = self.inner;
        self.lasting().end(inner, result)
    }

    /// The same for an addition that goes on over several steps.
    pub(crate) fn lasting(self) -> Lasting {
        Lasting {
            entry: self.entry,
            lock: self.lock,
        }
    }
}

/// An [`Adding`] that borrows nothing: whoever has it must end it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Lasting {
    pub(crate) entry: EntryId,
    lock: ObjectLock,
}

impl Lasting {
    /// As [`Adding::end`].
    pub(crate) fn end<T>(self, inner: &Inner, result: Result<T>) -> Result<T> {
        drop(self.lock);
        if result.is_err() {
            drop(garbage::collect_for(inner, self.entry));
        }
        result
    }
}

fn make(
    inner: &Inner,
    request: &ImportRequest,
    config: Config,
    tar: impl Read + Send,
    entry: EntryId,
) -> Result<ImageId> {
    let store = inner.store()?;
    // Nobody knows the tar by its digest: so it need not be kept.
    let layer = store.receive(tar)?.remake(&[])?;
    failpoint!("image.import.after_layer");
    let now = inner.now();
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let comment = if request.message.is_empty() {
        "Imported from -"
    } else {
        &request.message
    };
    let created = now.to_string();
    let document = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "created": created,
        "config": config,
        "history": [{ "created": created, "comment": comment }],
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id.to_string()] },
    });
    let text = without_nulls(document).to_string();
    let blob = store_small(inner, text.as_bytes())?;
    let id = ImageId::new(*blob.digest());
    failpoint!("image.import.after_config");
    // What its configuration says, and no later time.
    let nanos = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
    let row = ImageRow {
        id,
        manifest: None,
        config: text,
        size: layer.size,
        created_at: Some(nanos),
        added_at: nanos,
        tagged_at: None,
    };
    inner.db.write_with(Durability::Full, |tx| {
        tx.add_image(&row, &[layer.id], &[blob])?;
        if let Some(reference) = &request.reference {
            tx.set_tag(&reference.to_string(), &id, nanos)?;
        }
        tx.finish(entry)
    })?;
    failpoint!("image.import.after_row");
    Ok(id)
}

fn without_nulls(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, v| !v.is_null());
    }
    value
}

/// Keeps a small document.
pub(crate) fn store_small(inner: &Inner, bytes: &[u8]) -> Result<BlobDigest> {
    let mut writer = inner.store()?.blob_writer()?;
    writer
        .write_all(bytes)
        .map_err(|e| Error::internal("write blob", e))?;
    Ok(writer.commit(None)?.0)
}
