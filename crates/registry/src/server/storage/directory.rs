//! A storage in a directory: blobs are files by their digest, as in an OCI layout; uploads are files that grow; a record is a file.
//!
//! Several processes may serve one directory. What has been acknowledged is on disk.

mod blobs;
mod records;
mod uploads;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Storage;
use crate::error::{Error, Result};

pub use blobs::BlobFiles;
pub use records::RecordFiles;
pub use uploads::{Shelf, UploadFiles};

/// The storage below this directory, which is made if it is not there.
///
/// # Errors
/// It can't be made.
pub fn storage(root: &Path) -> Result<Storage> {
    let blobs = Arc::new(BlobFiles::new(root.join("blobs"))?);
    let uploads = UploadFiles::new(root.join("uploads"), blobs.clone())?;
    let records = RecordFiles::new(root.join("records"))?;
    Ok(Storage {
        blobs,
        uploads: Arc::new(uploads),
        records: Arc::new(records),
    })
}

/// Runs what blocks beside everything else.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::system("use", "the storage", error)),
        },
    }
}

/// Makes a directory and those above it, for this user alone; each is on disk.
fn make(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |e| Error::system("create directory", path.display(), e);
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or_else(|| failed(e))?;
            make(parent)?;
            // Somebody may have been as fast.
            match fs::DirBuilder::new().mode(0o700).create(path) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
                _ => {}
            }
        }
        Err(e) => return Err(failed(e)),
    }
    path.parent().map_or(Ok(()), settle)
}

/// Puts a directory's names on disk.
fn settle(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|e| Error::system("write", directory.display(), e))
}

/// None for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// When a file was last touched: unix seconds.
fn touched(metadata: &fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mtime()
}

/// Sets that to now.
fn touch(file: &File) -> io::Result<()> {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(now))
}

/// The names in a directory, but for those that begin with a dot.
fn names(directory: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::system("list", directory.display(), e);
    let Some(entries) = there(fs::read_dir(directory)).map_err(failed)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
