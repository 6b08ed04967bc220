//! What files are copied from: the context's layer, or another stage's file system, as a read-only mount.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use kernel::root::RootDir;
use rustix::fs::{Dir, FileType};
use spec::LayerId;
use store::Bounds;

use crate::error::{Error, Result};
use crate::open::Inner;

/// A tree whose names lead nowhere but into it.
#[derive(Debug)]
pub(super) struct Tree {
    /// None: nothing is in it. Overlayfs does not show no layers at all.
    root: Option<RootDir>,
    bounds: Bounds,
}

impl Tree {
    pub(super) fn empty() -> Self {
        Self {
            root: None,
            bounds: Bounds::OneMount,
        }
    }

    /// A directory of the host's, with what is mounted in it.
    pub(super) fn directory_of_host(fd: OwnedFd) -> Self {
        Self {
            root: Some(RootDir::from_fd(fd)),
            bounds: Bounds::AllMounts,
        }
    }

    pub(super) fn of(inner: &Inner, layers: &[LayerId]) -> Result<Self> {
        if layers.is_empty() {
            return Ok(Self::empty());
        }
        let mount = inner.store()?.view(layers)?;
        Ok(Self {
            root: Some(RootDir::from_fd(mount.into_fd())),
            bounds: Bounds::OneMount,
        })
    }

    /// The tree below a root.
    pub(super) fn rooted(root: RootDir) -> Self {
        Self {
            root: Some(root),
            bounds: Bounds::OneMount,
        }
    }

    /// A descriptor of what is at a path; all of it if that is empty; none if nothing is there.
    pub(super) fn path(&self, path: &str) -> Result<Option<OwnedFd>> {
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let path = path.trim_matches('/');
        if path.is_empty() || path == "." {
            return Ok(Some(root.open_path(".")?));
        }
        match root.open_path(path) {
            Ok(fd) => Ok(Some(fd)),
            Err(e) if e.errno() == rustix::io::Errno::NOENT => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// A directory of it as a tree of its own; an empty one if it is not there.
    pub(super) fn inside(&self, path: &str) -> Result<Self> {
        match self.kind(path)? {
            Some(FileType::Directory) => Ok(Self {
                root: Some(self.root()?.open_dir(path)?),
                bounds: self.bounds,
            }),
            _ => Ok(Self::empty()),
        }
    }

    /// Whether mounts inside belong to it.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn root(&self) -> Result<&RootDir> {
        self.root
            .as_ref()
            .ok_or_else(|| Error::not_found("there are no files"))
    }

    /// What is at a path, the last link not followed; none if nothing is.
    pub(super) fn kind(&self, path: &str) -> Result<Option<FileType>> {
        if path == "." {
            return Ok(Some(FileType::Directory));
        }
        let Some(root) = &self.root else {
            return Ok(None);
        };
        if !root.exists(path)? {
            return Ok(None);
        }
        Ok(Some(FileType::from_raw_mode(
            root.stat_nofollow(path)?.st_mode,
        )))
    }

    /// Whether a path leads to a directory, links followed inside the tree.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        path == "."
            || self
                .root
                .as_ref()
                .is_some_and(|root| root.open_dir(path).is_ok())
    }

    pub(super) fn directory(&self, path: &str) -> Result<OwnedFd> {
        Ok(self.root()?.open_dir(path)?.into_fd())
    }

    pub(super) fn file(&self, path: &str) -> Result<File> {
        Ok(self.root()?.open_read(path)?)
    }

    /// A small text.
    pub(super) fn text(&self, path: &str, max: u64) -> Result<Option<String>> {
        if self.kind(path)?.is_none() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.file(path)?
            .take(max + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::internal(format!("read {path}"), e))?;
        if bytes.len() as u64 > max {
            return Err(Error::invalid(format!("{path} is larger than {max} bytes")));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::invalid(format!("{path} is not text in UTF-8")))
    }

    /// The names in a directory, sorted.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>> {
        let failed =
            |e: rustix::io::Errno| Error::internal(format!("read {path}"), std::io::Error::from(e));
        let directory = if path == "." {
            self.root()?.open_dir("/")?
        } else {
            self.root()?.open_dir(path)?
        };
        let fd = directory.into_fd();
        let readable = rustix::fs::openat(
            &fd,
            c".",
            rustix::fs::OFlags::RDONLY
                | rustix::fs::OFlags::DIRECTORY
                | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(failed)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&readable).map_err(failed)? {
            let name = entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}
