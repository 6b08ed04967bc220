//! Mounts by descriptor: made detached, attached last, so that no path is looked at twice.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};

use crate::error::At;
use crate::{Result, raw};

mod context;

pub use context::{FileSystem, FsContext};
pub use rustix::mount::MountAttrFlags as Attr;

/// MOUNT_ATTR__ATIME: the bits in which the three ways to keep access times are told.
const ATIME: u32 = 0x70;
const ATTR_IDMAP: u64 = 0x0010_0000;
const AT_RECURSIVE: i32 = 0x8000;

/// How mounts below one spread to its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Neither way.
    Private,
    /// From the master only.
    Slave,
    /// Both ways.
    Shared,
    /// As private, and it can't be cloned.
    Unbindable,
}

impl Propagation {
    fn flag(self) -> u64 {
        match self {
            Self::Private => libc::MS_PRIVATE,
            Self::Slave => libc::MS_SLAVE,
            Self::Shared => libc::MS_SHARED,
            Self::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

/// Whether what is mounted below is meant too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursive {
    /// The whole tree.
    Yes,
    /// The one mount.
    No,
}

/// A mount behind a descriptor, detached until [`Mount::attach`]; a detached one ends with its last descriptor.
#[derive(Debug)]
pub struct Mount(OwnedFd);

impl Mount {
    /// A detached copy of the mount at `path` below `dir`, or of the tree of mounts there; with an empty path, of the one that `dir` is in, with
    /// `dir` (a directory or a file) as its root. A final link is not followed.
    ///
    /// # Errors
    /// Nothing is there, it may not be cloned, or no right.
    pub fn clone_tree(
        dir: impl AsFd,
        path: impl AsRef<Path>,
        recursive: Recursive,
    ) -> Result<Self> {
        let path = path.as_ref();
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH
            | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
        if recursive == Recursive::Yes {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        Ok(Self(
            open_tree(dir, path, flags).at("clone mount", path.display())?,
        ))
    }

    /// Puts the mount at `path` below `dir`; with an empty path, on `dir` itself, which may be a file. A final link is not followed.
    ///
    /// # Errors
    /// The place does not exist, a directory was to go on a file or a file on a directory, or no right.
    pub fn attach(&self, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.0, c"", dir, path, flags).at("attach mount", path.display())
    }

    /// Sets and clears attributes, and the propagation if one is given. An attribute of access times replaces the one that was.
    ///
    /// # Errors
    /// As mount_setattr(2): no right, or a read-only mount with writers.
    pub fn set_attr(
        &self,
        set: Attr,
        clear: Attr,
        propagation: Option<Propagation>,
        recursive: Recursive,
    ) -> Result<()> {
        let attr = attributes(set, clear, propagation);
        set_attributes(self.0.as_fd(), c"", &attr, recursive).at("set attributes of", "mount")
    }

    /// Maps the owners of files through the user namespace behind `namespace`. Only before the mount was ever attached (Linux 5.12).
    ///
    /// # Errors
    /// The file system can't, or no right.
    pub fn set_id_map(&self, namespace: impl AsFd, recursive: Recursive) -> Result<()> {
        let namespace = u64::from(namespace.as_fd().as_raw_fd().unsigned_abs());
        let attr = raw::mount::MountAttr {
            attr_set: ATTR_IDMAP,
            attr_clr: 0,
            propagation: 0,
            userns_fd: namespace,
        };
        set_attributes(self.0.as_fd(), c"", &attr, recursive).at("map owners of", "mount")
    }

    /// A second descriptor of the same mount, not a second mount.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self(self.0.try_clone().at("duplicate", "mount")?))
    }

    /// The mount behind a descriptor that came from elsewhere.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The descriptor: an `O_PATH` one of the mount's root.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Mount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Mount> for OwnedFd {
    fn from(mount: Mount) -> Self {
        mount.0
    }
}

/// Sets and clears attributes and propagation of what is mounted at a path of the host's own; see [`Mount::set_attr`].
///
/// # Errors
/// Nothing is mounted there, or no right.
pub fn set_attr_at(
    path: impl AsRef<Path>,
    set: Attr,
    clear: Attr,
    propagation: Option<Propagation>,
    recursive: Recursive,
) -> Result<()> {
    const OP: &str = "set attributes of mount";
    let path = path.as_ref();
    let attr = attributes(set, clear, propagation);
    let name = CString::new(path.as_os_str().as_bytes()).at(OP, path.display())?;
    set_attributes(CWD, &name, &attr, recursive).at(OP, path.display())
}

/// Sets the propagation of the mount at a path of the host's own.
///
/// # Errors
/// As [`set_attr_at`].
pub fn set_propagation(
    path: impl AsRef<Path>,
    propagation: Propagation,
    recursive: Recursive,
) -> Result<()> {
    set_attr_at(
        path,
        Attr::empty(),
        Attr::empty(),
        Some(propagation),
        recursive,
    )
}

/// Whether nobody can write through the mount that the file or directory behind `fd` was opened in.
///
/// # Errors
/// fstatvfs(3) failed.
pub fn is_read_only(fd: impl AsFd) -> Result<bool> {
    let stat = rustix::fs::fstatvfs(fd).at("look at mount of", "file")?;
    Ok(stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Takes the topmost mount at a path of the host's own out of the tree now; it ends when its last user does. A final link is not followed.
///
/// # Errors
/// Nothing is mounted there (`EINVAL`), nothing is there at all (`ENOENT`), or no right.
pub fn unmount_detach(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).at("unmount", path.display())
}

/// As [`unmount_detach`], of the mount whose root `fd` is.
///
/// # Errors
/// As [`unmount_detach`].
pub fn unmount_detach_fd(fd: impl AsFd) -> Result<()> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    unmount(&path, UnmountFlags::DETACH).at("unmount", path)
}

/// Makes `root`, the root of an attached mount, the root of the calling process's mount namespace, takes the old one out of it, and goes to `/`.
///
/// The old root is put on the new one for a moment, below no directory, so nothing in the new root is touched.
///
/// # Errors
/// As pivot_root(2): `root` is not the root of a mount, or mounts spread to its parent.
pub fn pivot_root(root: impl AsFd) -> Result<()> {
    const OP: &str = "pivot to";
    rustix::process::fchdir(root).at(OP, "new root")?;
    rustix::process::pivot_root(c".", c".").at(OP, "new root")?;
    unmount(c".", UnmountFlags::DETACH).at("unmount", "old root")?;
    rustix::process::chdir(c"/").at("change directory to", "/")
}

/// Makes `root`, a mount that is attached over the root directory, the root of this process by chroot(2): for a host that runs from
/// its first file system (an initramfs), which pivot_root(2) can't leave.
///
/// What is mounted at `/proc` and `/sys` of the host is taken out of this mount namespace before: who breaks out of the new root finds there
/// nothing that isn't masked.
///
/// # Errors
/// It can't be unmounted, or a step failed.
pub fn chroot_to(root: impl AsFd) -> Result<()> {
    const OP: &str = "change root to";
    for path in ["/proc", "/sys"] {
        // Paths begin at the host's root still. Several may be mounted over each other.
        loop {
            match unmount_detach(path) {
                Ok(()) => {}
                Err(error) if matches!(error.errno(), Errno::INVAL | Errno::NOENT) => break,
                Err(error) => return Err(error),
            }
        }
    }
    rustix::process::fchdir(root).at(OP, "new root")?;
    rustix::process::chroot(c".").at(OP, "new root")?;
    rustix::process::chdir(c"/").at("change directory to", "/")
}

fn attributes(set: Attr, clear: Attr, propagation: Option<Propagation>) -> raw::mount::MountAttr {
    let mut clear = clear.bits();
    if set.bits() & ATIME != 0 {
        // The kernel refuses to set one of the three without clearing their common field.
        clear |= ATIME;
    }
    raw::mount::MountAttr {
        attr_set: u64::from(set.bits()),
        attr_clr: u64::from(clear),
        propagation: propagation.map_or(0, Propagation::flag),
        userns_fd: 0,
    }
}

fn set_attributes(
    dir: BorrowedFd<'_>,
    path: &CStr,
    attr: &raw::mount::MountAttr,
    recursive: Recursive,
) -> std::io::Result<()> {
    let flags = match recursive {
        Recursive::Yes => AT_RECURSIVE,
        Recursive::No => 0,
    };
    let flags = flags | libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
    raw::mount::mount_setattr(dir, path, flags, attr)
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Slave => "slave",
            Self::Shared => "shared",
            Self::Unbindable => "unbindable",
        })
    }
}
