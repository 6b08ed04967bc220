//! Files that get their name when they are whole and on disk, so that a crash leaves the file or nothing.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use kernel::lock::{Flock, Sharing, Wait};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fsync, linkat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// How names of drafts begin where the file system has no unnamed files.
const PREFIX: &str = ".draft-";

/// A file without its name yet, in the directory that will have it.
#[derive(Debug)]
pub(crate) struct Draft {
    directory: OwnedFd,
    path: PathBuf,
    /// None: the file has no name at all and goes with its last descriptor.
    name: Option<String>,
    /// Whoever sweeps knows by it that the draft has an owner.
    _lock: Option<Flock>,
}

impl Draft {
    /// A new empty file in `directory`, readable and writable by the owner.
    pub(crate) fn create(directory: &Path) -> Result<(File, Self)> {
        let failed = |e: Errno| Error::io("create file in", directory.display(), e.into());
        let fd = open_directory(directory)?;
        let path = directory.to_owned();
        let mode = Mode::RUSR | Mode::WUSR;
        match openat(
            &fd,
            c".",
            OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
            mode,
        ) {
            Ok(file) => {
                return Ok((
                    file.into(),
                    Self {
                        directory: fd,
                        path,
                        name: None,
                        _lock: None,
                    },
                ));
            }
            // The file system has no unnamed files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
            Err(error) => return Err(failed(error)),
        }
        let random = kernel::random::hex::<16>()
            .map_err(|e| Error::kernel("create file in", directory.display(), e))?;
        let name = format!("{PREFIX}{random}");
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&fd, &name, flags, mode).map_err(failed)?);
        let duplicate = file
            .try_clone()
            .map_err(|e| Error::io("create file in", directory.display(), e))?;
        let lock = Flock::acquire(duplicate, Sharing::Exclusive, Wait::No)
            .map_err(|e| Error::kernel("lock file in", directory.display(), e))?;
        Ok((
            file,
            Self {
                directory: fd,
                path,
                name: Some(name),
                _lock: lock,
            },
        ))
    }

    /// Makes the file durable and gives it its name. False if it is to keep something that has that name: then the draft
    /// is dropped.
    pub(crate) fn publish(mut self, file: &File, name: &str, existing: Existing) -> Result<bool> {
        let shown = self.path.join(name);
        let failed = |e: Errno| Error::io("write", shown.display(), e.into());
        fsync(file).map_err(failed)?;
        match self.link(file, name) {
            Err(Errno::EXIST) if existing == Existing::Keep => return Ok(false),
            Err(Errno::EXIST) => {
                let random = kernel::random::hex::<16>()
                    .map_err(|e| Error::kernel("write", shown.display(), e))?;
                let beside = format!("{PREFIX}{random}");
                self.link(file, &beside).map_err(failed)?;
                renameat(&self.directory, &beside, &self.directory, name).map_err(failed)?;
            }
            other => other.map_err(failed)?,
        }
        if let Some(draft) = self.name.take() {
            unlinkat(&self.directory, &draft, AtFlags::empty()).map_err(failed)?;
        }
        fsync(&self.directory).map_err(failed)?;
        Ok(true)
    }

    fn link(&self, file: &File, name: &str) -> rustix::io::Result<()> {
        match &self.name {
            None => {
                let source = format!("/proc/self/fd/{}", file.as_raw_fd());
                linkat(CWD, source, &self.directory, name, AtFlags::SYMLINK_FOLLOW)
            }
            Some(draft) => linkat(
                &self.directory,
                draft,
                &self.directory,
                name,
                AtFlags::empty(),
            ),
        }
    }
}

/// What to do with something that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Keep it: it is the same.
    Keep,
    /// Replace it: nobody knows whether it is whole.
    Replace,
}

/// A directory that gets another name when it is whole.
#[derive(Debug)]
pub(crate) struct DraftDirectory {
    parent: OwnedFd,
    name: String,
    path: PathBuf,
    _lock: Option<Flock>,
}

impl DraftDirectory {
    pub(crate) fn create(parent: &Path) -> Result<Self> {
        let fd = open_directory(parent)?;
        let random = kernel::random::hex::<16>()
            .map_err(|e| Error::kernel("create directory in", parent.display(), e))?;
        let name = format!("{PREFIX}{random}");
        let path = parent.join(&name);
        mkdirat(&fd, &name, Mode::RWXU)
            .map_err(|e| Error::io("create directory", path.display(), e.into()))?;
        let lock = Flock::acquire(open_directory(&path)?, Sharing::Exclusive, Wait::No)
            .map_err(|e| Error::kernel("lock", path.display(), e))?;
        Ok(Self {
            parent: fd,
            name,
            path,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes all content durable and moves `child` out of it to `name` beside it, replacing what is there.
    pub(crate) fn publish(self, child: &str, name: &str) -> Result<()> {
        let failed = |e: Errno| Error::io("write", self.path.join(child).display(), e.into());
        rustix::fs::syncfs(&self.parent).map_err(failed)?;
        kernel::tree::remove(&self.parent, name).map_err(|e| Error::kernel("replace", name, e))?;
        renameat(
            &self.parent,
            format!("{}/{child}", self.name),
            &self.parent,
            name,
        )
        .map_err(failed)?;
        fsync(&self.parent).map_err(failed)
    }
}

impl Drop for DraftDirectory {
    fn drop(&mut self) {
        // What stays is swept by whoever comes next.
        drop(kernel::tree::remove(&self.parent, &self.name));
    }
}

/// Removes drafts whose owners are dead. Returns how many.
pub(crate) fn sweep(directory: &Path) -> Result<u64> {
    let failed = |e| Error::io("sweep", directory.display(), e);
    let fd = open_directory(directory)?;
    let mut swept = 0;
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !name.to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = openat(
            &fd,
            &name,
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) else {
            continue;
        };
        let shown = directory.join(&name);
        let lock = Flock::acquire(file, Sharing::Exclusive, Wait::No);
        if lock
            .map_err(|e| Error::kernel("sweep", shown.display(), e))?
            .is_some()
        {
            kernel::tree::remove(&fd, &name)
                .map_err(|e| Error::kernel("sweep", shown.display(), e))?;
            swept += 1;
        }
    }
    Ok(swept)
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // What stays is swept by whoever comes next.
            let _ = unlinkat(&self.directory, name, AtFlags::empty());
        }
    }
}

/// A directory of the store's own, for fsync and as a base.
pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd> {
    openat(
        CWD,
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Error::io("open directory", path.display(), e.into()))
}

/// An unnamed file for as long as it is open.
pub(crate) fn scratch(directory: &Path) -> std::io::Result<File> {
    // Not `Draft`: this one never gets a name.
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(file.into()),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let random = kernel::random::hex::<16>().map_err(std::io::Error::other)?;
            let path = directory.join(format!("{PREFIX}{random}"));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
            let file = openat(CWD, &path, flags, Mode::RUSR | Mode::WUSR)?;
            std::fs::remove_file(&path)?;
            Ok(file.into())
        }
        Err(error) => Err(error.into()),
    }
}
