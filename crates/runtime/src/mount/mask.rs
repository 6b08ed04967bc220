//! Paths that can't be read, and paths that can't be written.

use std::os::fd::{AsFd, OwnedFd};

use kernel::mount::{Attr, FsContext, Mount, Recursive};
use kernel::root::RootDir;
use rustix::fs::{CWD, FileType, Mode, fstat, makedev, mkdirat, mknodat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// What covers masked paths: one read-only tmpfs with an empty directory and a null device, ours and nobody else's. The
/// container's own `/dev/null` may be anything (CVE-2025-31133).
#[derive(Debug)]
pub(crate) struct Masks {
    mount: Mount,
}

const DIRECTORY: &str = "empty";
const FILE: &str = "null";

impl Masks {
    /// Makes them, attached in the root that is to be left: kernels before 6.15 don't clone what is detached. Not on that
    /// root itself, where it would be what is unmounted after pivot_root(2).
    pub(crate) fn new() -> Result<Self> {
        let attr = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC;
        let mount = FsContext::new("tmpfs")?
            .string("source", "tmpfs")
            .string("mode", "755")
            .string("size", "4k")
            .string("nr_inodes", "4")
            .create()?
            .mount(attr)?;
        mkdirat(&mount, DIRECTORY, Mode::from_raw_mode(0o555))
            .map_err(Error::at("make", "mask"))?;
        let null = makedev(1, 3);
        let made = mknodat(
            &mount,
            FILE,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            null,
        );
        if made == Err(Errno::PERM) {
            // In a user namespace nobody makes devices; an empty file that can't be written hides as well.
            let mode = Mode::from_raw_mode(0o444);
            mknodat(&mount, FILE, FileType::RegularFile, mode, 0)
                .map_err(Error::at("make", "mask"))?;
        } else {
            made.map_err(Error::at("make", "mask"))?;
        }
        mount.set_attr(Attr::MOUNT_ATTR_RDONLY, Attr::empty(), None, Recursive::No)?;
        mount.attach(CWD, "/proc")?;
        Ok(Self { mount })
    }

    /// Covers each of `paths` that exists.
    pub(crate) fn apply(&self, root: &RootDir, paths: &[String]) -> Result<()> {
        for path in paths {
            let Some(target) = existing(root, path)? else {
                continue;
            };
            let stat = fstat(&target).map_err(Error::at("look at", path))?;
            let name = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => DIRECTORY,
                _ => FILE,
            };
            self.clone(name)
                .and_then(|m| m.attach(&target, ""))
                .map_err(|e| Error::io("mask", path, e.source))?;
        }
        Ok(())
    }

    fn clone(&self, name: &str) -> kernel::Result<Mount> {
        Mount::clone_tree(&self.mount, name, Recursive::No)
    }
}

/// Makes each of `paths` that exists read-only, with all that is mounted below.
pub(crate) fn read_only(root: &RootDir, paths: &[String]) -> Result<()> {
    for path in paths {
        let Some(target) = existing(root, path)? else {
            continue;
        };
        let sealed = Mount::clone_tree(target.as_fd(), "", Recursive::Yes).and_then(|mount| {
            mount.set_attr(Attr::MOUNT_ATTR_RDONLY, Attr::empty(), None, Recursive::Yes)?;
            mount.attach(&target, "")
        });
        sealed.map_err(|e| Error::io("make read-only", path, e.source))?;
    }
    Ok(())
}

/// What is at `path`. Only absence is harmless: any other error would leave something open.
fn existing(root: &RootDir, path: &str) -> Result<Option<OwnedFd>> {
    match root.open_path(path) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if matches!(error.errno(), Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
