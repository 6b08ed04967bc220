//! The container's root: attached over the host's in a mount namespace of its own, filled, and then pivoted to.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kernel::mount::{
    Attr, Mount, Propagation as Spread, Recursive, chroot_to, pivot_root, set_propagation,
};
use kernel::root::RootDir;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use spec::runtime::Spec;

use super::apply::{recursive, spread};
use super::options::{self, Depth, Propagation};
use super::plan::{Plan, What};
use crate::config::Entry;
use crate::error::{Error, Kind, Result};

/// Where the root comes from.
#[derive(Debug)]
pub enum Root<'a> {
    /// A directory of the host.
    Path(PathBuf),
    /// A detached mount. It is cloned where the kernel can (Linux 6.15), so that it serves again.
    Mount(BorrowedFd<'a>),
}

/// How the root is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RootPlan {
    /// What the copied mounts of the host are made, so that binds can begin as it was asked.
    host: Option<Propagation>,
    /// What the root's are in the end.
    root: Option<(Propagation, Depth)>,
    readonly: bool,
}

impl RootPlan {
    pub(crate) fn new(spec: &Spec, mounts: &Plan) -> Result<Self> {
        let asked = spec
            .linux
            .as_ref()
            .map_or("", |l| l.rootfs_propagation.as_str());
        let root = match asked {
            "" => None,
            _ => Some(named(asked).ok_or_else(|| {
                Error::new(Kind::Invalid, "read propagation of the root:", asked)
            })?),
        };
        let bound = |wanted| {
            mounts.steps.iter().any(|s| {
                matches!(s.what, What::Bind { .. })
                    && s.options.propagation.is_some_and(|(p, _)| p == wanted)
            })
        };
        let host = if root.is_some_and(|(p, _)| p == Propagation::Shared)
            || bound(Propagation::Shared)
        {
            None
        } else if root.is_some_and(|(p, _)| p == Propagation::Slave) || bound(Propagation::Slave) {
            Some(Propagation::Slave)
        } else {
            Some(Propagation::Private)
        };
        let readonly = spec.root.as_ref().is_some_and(|r| r.readonly);
        Ok(Self {
            host,
            root,
            readonly,
        })
    }

    /// What mounts of the host become where they are copied; `None`: they spread on.
    pub(crate) fn spreads(&self) -> Option<Spread> {
        self.host.map(spread)
    }

    /// Cuts this mount namespace off from the host's, of which it is a `fresh` copy; what is mounted in one that is joined is left as it is.
    pub(crate) fn isolate(&self, fresh: bool) -> Result<()> {
        if let Some(propagation) = self.host.filter(|_| fresh) {
            set_propagation("/", spread(propagation), Recursive::Yes)?;
        }
        if self.host != Some(Propagation::Private) || !fresh {
            // pivot_root(2) and attaching to the root want a parent that spreads nothing.
            set_propagation("/", Spread::Private, Recursive::No)?;
        }
        Ok(())
    }

    /// Attaches the root: over the host's, or where it is on the host if `seen` by hooks in the container's namespaces.
    pub(crate) fn attach(
        &self,
        made: Option<&Mount>,
        root: &Root<'_>,
        seen: bool,
    ) -> Result<RootDir> {
        let mount = match made {
            Some(mount) => mount.try_clone()?,
            None => open(root)?,
        };
        if self.root.is_none_or(|(p, _)| p != Propagation::Slave) {
            let none = Attr::empty();
            mount.set_attr(none, none, Some(Spread::Private), Recursive::Yes)?;
        }
        match root {
            Root::Path(path) if seen => {
                isolate_parent(path)?;
                mount.attach(CWD, path)?;
            }
            _ => mount.attach(CWD, "/")?,
        }
        Ok(RootDir::from_fd(mount.into_fd()))
    }

    /// Makes the attached root the only one.
    pub(crate) fn enter(&self, root: RootDir, entry: Entry) -> Result<()> {
        let mount = Mount::from_fd(root.into_fd());
        if self.readonly {
            mount.set_attr(Attr::MOUNT_ATTR_RDONLY, Attr::empty(), None, Recursive::No)?;
        }
        match entry {
            Entry::Pivot => pivot_root(&mount)?,
            Entry::Chroot => chroot_to(&mount)?,
        }
        if let Some((propagation, depth)) = self.root {
            set_propagation("/", spread(propagation), recursive(depth))?;
        }
        Ok(())
    }
}

/// pivot_root(2) wants a parent that spreads nothing: the mount that `path` is in, which is the nearest above that is one.
fn isolate_parent(path: &Path) -> Result<()> {
    for above in path.ancestors() {
        match set_propagation(above, Spread::Private, Recursive::No) {
            // Not the root of a mount.
            Err(error) if error.errno() == Errno::INVAL => {}
            other => return Ok(other?),
        }
    }
    Ok(())
}

fn named(text: &str) -> Option<(Propagation, Depth)> {
    match options::propagation(text) {
        Some(propagation) => Some((propagation, Depth::One)),
        None => Some((options::propagation(text.strip_prefix('r')?)?, Depth::All)),
    }
}

/// A copy of the root that can be attached.
pub(crate) fn open(root: &Root<'_>) -> Result<Mount> {
    match root {
        Root::Path(path) => from_path(path),
        Root::Mount(fd) => from_mount(*fd),
    }
}

fn from_path(path: &Path) -> Result<Mount> {
    let shown = path.display().to_string();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd: OwnedFd =
        openat(CWD, path, flags, Mode::empty()).map_err(Error::at("open root", &shown))?;
    Mount::clone_tree(&fd, "", Recursive::Yes).map_err(|e| Error::io("bind root", shown, e.source))
}

fn from_mount(fd: BorrowedFd<'_>) -> Result<Mount> {
    if let Ok(clone) = Mount::clone_tree(fd, "", Recursive::Yes) {
        return Ok(clone);
    }
    let fd = fd
        .try_clone_to_owned()
        .map_err(Error::at("duplicate", "root"))?;
    Ok(Mount::from_fd(fd))
}
