//! The engine's own store as a registry's storage: blobs are the store's, so that what an image has is not kept twice; records are in
//! the database.

mod blobs;
mod records;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::registry::server::storage::Storage;
use ::registry::server::storage::directory::{Shelf, UploadFiles};
use ::registry::{Error as RegistryError, Kind as RegistryKind};
use spec::{BlobDigest, Digest};
use state::NewEntry;

use crate::error::Result;
use crate::image::garbage;
use crate::open::{Engine, Inner};
use blobs::EngineBlobs;
use records::EngineRecords;

impl Engine {
    /// What a registry keeps in this engine's store.
    ///
    /// # Errors
    /// The directory for uploads can't be made.
    pub fn registry_storage(&self) -> Result<Storage> {
        let uploads = self.0.config.paths.root.join("registry/uploads");
        let shelf = Arc::new(EngineShelf(self.clone()));
        let uploads = UploadFiles::new(uploads, shelf)
            .map_err(|e| crate::Error::internal("open the registry's uploads", e))?;
        Ok(Storage {
            blobs: Arc::new(EngineBlobs(self.clone())),
            uploads: Arc::new(uploads),
            records: Arc::new(EngineRecords(self.clone())),
        })
    }
}

/// Where whole uploads go: into the store.
struct EngineShelf(Engine);

impl Shelf for EngineShelf {
    fn keep(&self, file: &File, path: &Path, digest: &Digest, size: u64) -> ::registry::Result<()> {
        let inner = &self.0.0;
        let blob = BlobDigest::new(*digest);
        adopt(inner, (file, path), &blob, size).map_err(failed("store blob", digest))
    }
}

/// Killed in between, the next engine sweeps what has no row.
fn adopt(inner: &Inner, file: (&File, &Path), blob: &BlobDigest, size: u64) -> Result<()> {
    let subject = blob.to_string();
    let entry = NewEntry {
        kind: garbage::KIND,
        subject: &subject,
        owner: inner.owner()?,
        payload: "{}",
        created_at: inner.nanos(),
    };
    let entry = inner.db.write(|tx| tx.begin(&entry))?;
    let since = inner.now().as_second();
    if let Err(error) = inner.store()?.adopt_blob(file, blob, size, since) {
        inner.db.write(|tx| tx.give_up(entry))?;
        return Err(error.into());
    }
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}

/// The engine's failure as the registry's.
fn failed<E>(op: &'static str, subject: &dyn std::fmt::Display) -> impl FnOnce(E) -> RegistryError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let subject = subject.to_string();
    move |error| RegistryError::caused(RegistryKind::System, op, subject, error)
}
