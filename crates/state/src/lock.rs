//! Locks of objects: one file an object below the run directory, locked by flock with an open file of its own.
//!
//! Order: whoever needs several takes them by [`Locks::lock_all`], or one by one in the order of ([`LockKind`], id). A lock is
//! held over single steps, never while waiting for a container to end.

#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};

/// What a lock is for, in the order in which locks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockKind {
    /// A container.
    Container,
    /// Blobs and layers as a whole: shared by those who add, exclusive for those who sweep.
    Content,
    /// One layer's file and mount.
    Layer,
    /// A volume.
    Volume,
    /// A network.
    Network,
}

impl LockKind {
    const fn directory(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Content => "content",
            Self::Layer => "layer",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Exclusive,
    Shared,
}

/// Where the locks are.
#[derive(Debug, Clone)]
pub struct Locks {
    directory: PathBuf,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct ObjectLock {
    // Closing it unlocks it.
    _file: File,
    path: PathBuf,
}

impl Locks {
    /// The locks below `run/locks`. Makes nothing.
    #[must_use]
    pub fn new(run: &Path) -> Self {
        Self {
            directory: run.join("locks"),
        }
    }

    /// Takes a lock; waits for its holder until `patience` is over.
    ///
    /// # Errors
    /// [`Kind::Busy`] when it is held for longer, or its file can't be made.
    pub fn lock(&self, kind: LockKind, id: &str, patience: Duration) -> Result<ObjectLock> {
        self.wait(kind, id, Mode::Exclusive, patience)
    }

    /// Takes a lock together with others who take it shared.
    ///
    /// # Errors
    /// [`Kind::Busy`] when it is held for longer, or its file can't be made.
    pub fn lock_shared(&self, kind: LockKind, id: &str, patience: Duration) -> Result<ObjectLock> {
        self.wait(kind, id, Mode::Shared, patience)
    }

    /// Takes a lock if nobody holds it.
    ///
    /// # Errors
    /// Its file can't be made.
    pub fn try_lock(&self, kind: LockKind, id: &str) -> Result<Option<ObjectLock>> {
        self.attempt(kind, id, Mode::Exclusive)
    }

    /// Takes several locks, in the order that all keep.
    ///
    /// # Errors
    /// As [`Locks::lock`]; then none is held.
    pub fn lock_all(
        &self,
        objects: &[(LockKind, String)],
        patience: Duration,
    ) -> Result<Vec<ObjectLock>> {
        let deadline = Instant::now() + patience;
        let mut objects: Vec<_> = objects.iter().collect();
        objects.sort();
        objects.dedup();
        objects
            .into_iter()
            .map(|(kind, id)| {
                let left = deadline.saturating_duration_since(Instant::now());
                self.lock(*kind, id, left)
            })
            .collect()
    }

    fn wait(&self, kind: LockKind, id: &str, mode: Mode, patience: Duration) -> Result<ObjectLock> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + patience;
        // flock has no deadline of its own, and a signal to end it needs a handler; so ask again and again.
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(lock) = self.attempt(kind, id, mode)? {
                return Ok(lock);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let subject = format!("{} {id}", kind.directory());
                return Err(Error::bare(Kind::Busy, "lock", subject));
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn attempt(&self, kind: LockKind, id: &str, mode: Mode) -> Result<Option<ObjectLock>> {
        let directory = self.directory.join(kind.directory());
        let path = directory.join(id);
        let failed = |e| Error::io("lock", path.display(), e);
        loop {
            let file = open(&directory, &path).map_err(failed)?;
            let taken = match mode {
                Mode::Exclusive => file.try_lock(),
                Mode::Shared => file.try_lock_shared(),
            };
            match taken {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
            // Its holder may have removed the file between our open and our lock: then this lock is nobody's.
            if is_at(&file, &path).map_err(failed)? {
                return Ok(Some(ObjectLock { _file: file, path }));
            }
        }
    }

    /// The locks that lie about, held or not: kind and id, for the check.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn all(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for kind in [
            LockKind::Container,
            LockKind::Content,
            LockKind::Layer,
            LockKind::Volume,
            LockKind::Network,
        ] {
            let directory = self.directory.join(kind.directory());
            let entries = match std::fs::read_dir(&directory) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|e| Error::io("read", directory.display(), e))?,
            };
            for entry in entries.flatten() {
                found.push((
                    kind.directory().to_owned(),
                    entry.file_name().to_string_lossy().into_owned(),
                ));
            }
        }
        Ok(found)
    }
}

impl ObjectLock {
    /// Takes the lock's file away, for an object that is gone, and lets go.
    pub fn retire(self) {
        // What stays is an empty file in a directory that ends with the boot.
        drop(std::fs::remove_file(&self.path));
    }
}

fn open(directory: &Path, path: &Path) -> io::Result<File> {
    let open = || {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    };
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
            open()
        }
        other => other,
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
