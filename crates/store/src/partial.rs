//! Blobs that are still on their way: kept over breaks, kills and reboots, so that a download goes on where it stopped.
//!
//! A file in `partial/` has what came of a blob, not always in order; a second one says how much of its beginning is whole. Whoever
//! gets the blob holds a lock on the file, so that all who want it get it once. Nothing of it is trusted before the whole has the digest.

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use kernel::lock::{Flock, Sharing, Wait};
use rustix::fs::{OFlags, SeekFrom};
use spec::{BlobDigest, Digest, Hasher};
use state::BlobRow;

use crate::draft::open_directory;
use crate::error::{Error, Result};
use crate::store::Store;

const OP: &str = "keep blob";
/// How much comes between two notes of how much there is.
const NOTE: u64 = 1 << 20;
const MARK: &str = ".reached";

/// A blob on its way, which this process alone writes.
#[derive(Debug)]
pub struct Partial {
    store: Store,
    digest: BlobDigest,
    size: u64,
    arrival: Arrival,
    path: PathBuf,
    _lock: Flock,
}

/// Where the bytes of a blob arrive. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Arrival(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    mark: File,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug)]
struct Progress {
    /// All before this is there.
    reached: u64,
    noted: u64,
    cut: bool,
}

/// Reads a blob behind those who write it, and hashes what it reads.
#[derive(Debug)]
pub struct Arriving {
    arrival: Arrival,
    hasher: Hasher,
    at: u64,
    size: u64,
}

impl Store {
    fn partials(&self) -> PathBuf {
        self.root().join("partial")
    }

    /// What there is of a blob, if nobody else gets it now.
    ///
    /// # Errors
    /// Its files can't be made.
    pub fn partial(&self, digest: &BlobDigest, size: u64) -> Result<Option<Partial>> {
        let directory = self.partials();
        self.make_directory(&directory)?;
        let name = format!("{}-{}", digest.digest().algorithm().name(), digest.hex());
        let path = directory.join(name);
        let failed = |e| Error::io(OP, digest, e);
        let (file, lock) = loop {
            let file = open(&path).map_err(failed)?;
            let copy = file.try_clone().map_err(failed)?;
            let lock = Flock::acquire(copy, Sharing::Exclusive, Wait::No)
                .map_err(|e| Error::kernel(OP, digest, e))?;
            let Some(lock) = lock else {
                return Ok(None);
            };
            // Whoever had it before may have moved it away since it was opened.
            if is_at(&file, &path).map_err(failed)? {
                break (file, lock);
            }
        };
        let mark = open(&mark_of(&path)).map_err(failed)?;
        let reached = whole(&file, &mark, size).map_err(failed)?;
        let inner = Inner {
            file,
            mark,
            progress: Mutex::new(Progress {
                reached,
                noted: reached,
                cut: false,
            }),
            changed: Condvar::new(),
        };
        Ok(Some(Partial {
            store: self.clone(),
            digest: *digest,
            size,
            arrival: Arrival(Arc::new(inner)),
            path,
            _lock: lock,
        }))
    }

    /// Removes what came of blobs that nobody went on with since `before`, in nanoseconds since 1970. Returns how many.
    ///
    /// # Errors
    /// Something can't be removed.
    pub fn forget_partials(&self, before: i64) -> Result<u64> {
        let directory = self.partials();
        let failed = |e| Error::io("sweep", directory.display(), e);
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(failed(e)),
        };
        let mut count = 0;
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if let Some(owner) = path.to_string_lossy().strip_suffix(MARK) {
                // A note is made after the file that it is about, and outlives it only when somebody is killed.
                if !Path::new(owner).exists() {
                    remove(Path::new(owner)).map_err(failed)?;
                }
                continue;
            }
            let file = open(&path).map_err(failed)?;
            let meta = file.metadata().map_err(failed)?;
            let changed = meta.mtime().saturating_mul(1_000_000_000) + meta.mtime_nsec();
            let lock = Flock::acquire(file, Sharing::Exclusive, Wait::No);
            let lock = lock.map_err(|e| Error::kernel("sweep", path.display(), e))?;
            if changed < before && lock.is_some() {
                remove(&path).map_err(failed)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

fn mark_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(MARK);
    name.into()
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok(ours.ino() == there.ino() && ours.dev() == there.dev()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// How much of the beginning is there: what was noted, but not more than the file has without a gap. After a power cut the note may be
/// on disk and the bytes not; what then looks whole and is not, the digest finds.
fn whole(file: &File, mark: &File, size: u64) -> io::Result<u64> {
    let mut note = [0; 8];
    let noted = match mark.read_exact_at(&mut note, 0) {
        Ok(()) => u64::from_le_bytes(note),
        Err(_) => 0,
    };
    let hole = match rustix::fs::seek(file, SeekFrom::Hole(0)) {
        Ok(hole) => hole,
        // An empty file has none.
        Err(rustix::io::Errno::NXIO) => 0,
        Err(_) => file.metadata()?.len(),
    };
    Ok(noted.min(hole).min(size))
}

fn remove(path: &Path) -> io::Result<()> {
    for path in [path.to_owned(), mark_of(path)] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

impl Partial {
    /// How much of its beginning is there.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.arrival.lock().reached
    }

    /// Where the rest is to arrive.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        self.arrival.clone()
    }

    /// Reads it from its beginning, waiting for what is still to come.
    #[must_use]
    pub fn reader(&self) -> Arriving {
        Arriving {
            arrival: self.arrival.clone(),
            hasher: self.digest.digest().hasher(),
            at: 0,
            size: self.size,
        }
    }

    /// Forgets all that came.
    ///
    /// # Errors
    /// Its files can't be removed.
    pub fn discard(self) -> Result<()> {
        remove(&self.path).map_err(|e| Error::io(OP, self.digest, e))
    }

    /// Puts the blob, whose bytes have the digest `read`, into the store: it is there, whole and on disk, when this returns.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] if it has another digest: then nothing is left of it. Or it can't be written.
    pub fn commit(self, read: &Digest) -> Result<()> {
        let digest = self.digest;
        if read != digest.digest() {
            let why = format!("its content has the digest {read}");
            self.discard()?;
            return Err(Error::invalid(OP, digest, why));
        }
        let failed = |e| Error::io(OP, digest, e);
        let directory = self.store.blob_directory(read.algorithm());
        self.store.make_directory(&directory)?;
        self.arrival.0.file.sync_data().map_err(failed)?;
        // Nobody may sweep between the file and its row.
        let _content = self.store.share_content()?;
        failpoint::failpoint!("store.partial.before_file");
        std::fs::rename(&self.path, directory.join(digest.hex())).map_err(failed)?;
        let synced = rustix::fs::fsync(open_directory(&directory)?);
        synced.map_err(|e| failed(e.into()))?;
        failpoint::failpoint!("store.partial.after_file");
        let row = BlobRow {
            digest,
            size: self.size,
            created_at: self.store.now(),
        };
        let added = self.store.db().write(|tx| tx.add_blob(&row));
        added.map_err(|e| Error::state(OP, digest, e))?;
        failpoint::failpoint!("store.partial.after_row");
        remove(&self.path).map_err(failed)
    }
}

impl Arrival {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Whoever holds it never leaves it half changed.
        self.0
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps bytes that belong at `offset`.
    ///
    /// # Errors
    /// They can't be written.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.file.write_all_at(bytes, offset)
    }

    /// Says that all before `offset` is there.
    pub fn reached(&self, offset: u64) {
        let mut progress = self.lock();
        progress.reached = progress.reached.max(offset);
        if progress.reached - progress.noted >= NOTE {
            self.note(&mut progress);
        }
        self.0.changed.notify_all();
    }

    /// Says that nothing more comes: who waits for it gets an error.
    pub fn cut(&self) {
        let mut progress = self.lock();
        progress.cut = true;
        self.note(&mut progress);
        self.0.changed.notify_all();
    }

    fn note(&self, progress: &mut Progress) {
        // Without a note the next one gets more than it had to: no reason to fail.
        drop(self.0.mark.write_all_at(&progress.reached.to_le_bytes(), 0));
        progress.noted = progress.reached;
    }

    /// Waits for bytes behind `at`; how far they go.
    fn wait(&self, at: u64) -> io::Result<u64> {
        let mut progress = self.lock();
        while progress.reached <= at {
            if progress.cut {
                let why = "the rest of the blob did not come";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            progress = self
                .0
                .changed
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(progress.reached)
    }
}

impl Arriving {
    /// Reads what is left, and gives the digest of all.
    ///
    /// # Errors
    /// The rest did not come, or can't be read.
    pub fn finish(mut self) -> io::Result<Digest> {
        let mut buffer = vec![0; 256 << 10];
        while self.read(&mut buffer)? > 0 {}
        Ok(self.hasher.finish())
    }
}

impl Read for Arriving {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let there = self.arrival.wait(self.at)? - self.at;
        let most = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let count = self.arrival.0.file.read_at(&mut out[..most], self.at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hasher.update(&out[..count]);
        self.at += count as u64;
        Ok(count)
    }
}
