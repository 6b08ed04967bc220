//! A container's files, running or not, from a descriptor of its root.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

use kernel::mount::{Attr, Mount, Propagation, Recursive};
use kernel::namespace::{self, Kind as Namespace};
use kernel::root::RootDir;
use protocol::Liveness;
use rustix::fs::OFlags;
use state::ContainerRow;
use store::Mounted;

use super::config::MountKind;
use super::stored::{Stored, StoredMount};
use crate::error::{Error, Result};
use crate::launch::open_dir;
use crate::open::{Inner, make_dir};
use crate::rootfs;

/// What of a container's files is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Its own files alone: volumes are empty directories.
    Own,
    /// All that its programs see.
    Everything,
}

/// Calls `f` with the root of a container. One that does not run is mounted for as long as that takes, with its volumes in a mount namespace that
/// nobody else sees; then it can't be started.
pub(crate) fn with_root<T: Send>(
    inner: &Inner,
    row: &ContainerRow,
    view: View,
    f: impl FnOnce(&RootDir) -> Result<T> + Send,
) -> Result<T> {
    if let Some(root) = running(inner, row, view)? {
        return f(&root);
    }
    let stored = Stored::parse(&row.id, &row.config)?;
    let mounted = rootfs::mount(inner, row, "")?;
    if view == View::Own {
        let root = duplicate(mounted.as_fd())?;
        return f(&RootDir::from_fd(root));
    }
    thread::scope(|scope| {
        let alone = scope.spawn(|| {
            // Its lock is held until `f` is done.
            let root = assemble(inner, &mounted, &stored)?;
            f(&root)
        });
        match alone.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn duplicate(fd: impl AsFd) -> Result<OwnedFd> {
    fd.as_fd()
        .try_clone_to_owned()
        .map_err(|e| Error::internal("duplicate a descriptor", e))
}

/// The root that the programs of a running container have; none if it does not run.
fn running(inner: &Inner, row: &ContainerRow, view: View) -> Result<Option<RootDir>> {
    let alive = |row: &ContainerRow| match protocol::probe(&inner.config.paths.run, &row.id) {
        Ok(Liveness::Running(alive)) => Ok(Some(alive)),
        Ok(_) => Ok(None),
        Err(e) => Err(Error::from(e)),
    };
    let Some(before) = alive(row)? else {
        return Ok(None);
    };
    let path = format!("/proc/{}/root", before.pid);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::PATH | OFlags::DIRECTORY).bits().cast_signed())
        .open(&path);
    let namespace = kernel::Pid::from_raw(before.pid)
        .map(|pid| namespace::open(Some(pid), Namespace::Mount))
        .transpose();
    // Still the same: so the pid was nobody else's when it was looked at.
    let after = alive(row)?;
    if after.is_none_or(|after| after.started_at != before.started_at) {
        return Ok(None);
    }
    let root = OwnedFd::from(opened.map_err(|e| Error::internal(format!("open {path}"), e))?);
    match (view, namespace?) {
        (View::Own, Some(namespace)) => alone(&root, &namespace).map(Some),
        _ => Ok(Some(RootDir::from_fd(root))),
    }
}

/// The same root without what is mounted in it. Only in its own namespace can a mount be cloned.
fn alone(root: &OwnedFd, namespace: &OwnedFd) -> Result<RootDir> {
    thread::scope(|scope| {
        let inside = scope.spawn(|| -> Result<RootDir> {
            namespace::unshare(&[Namespace::Mount])?;
            namespace::setns_one(namespace, Namespace::Mount)?;
            let mount = Mount::clone_tree(root, "", Recursive::No)?;
            Ok(RootDir::from_fd(mount.into_fd()))
        });
        match inside.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Mounts a container's root and its volumes where only this thread sees them.
fn assemble(inner: &Inner, mounted: &Mounted, stored: &Stored) -> Result<RootDir> {
    let place = inner.config.paths.run.join("empty");
    make_dir(&place)?;
    let sources = sources(inner, stored)?;
    namespace::unshare(&[Namespace::Mount])?;
    kernel::mount::set_propagation("/", Propagation::Private, Recursive::Yes)?;
    let base = open_dir(&place)?;
    mounted.mount.attach(&base, "")?;
    let root = RootDir::from_fd(duplicate(mounted.as_fd())?);
    for (mount, source) in sources {
        let target = if is_directory(source.as_fd())? {
            root.create_dir_all(&mount.destination, 0o755)?
        } else {
            root.ensure_file(&mount.destination, 0o644)?
        };
        if mount.read_only {
            let attr = Attr::MOUNT_ATTR_RDONLY;
            source.set_attr(attr, Attr::empty(), None, Recursive::No)?;
        }
        source.attach(&target, "")?;
    }
    if stored.host.readonly_rootfs {
        let attr = Attr::MOUNT_ATTR_RDONLY;
        let mount = &mounted.mount;
        mount.set_attr(attr, Attr::empty(), None, Recursive::No)?;
    }
    Ok(root)
}

/// What is mounted in a container from the host; what is not there (any more) is left out, and file systems in memory are empty anyway.
fn sources<'s>(inner: &Inner, stored: &'s Stored) -> Result<Vec<(&'s StoredMount, Mount)>> {
    let mut found = Vec::new();
    for mount in &stored.mounts {
        let source = match mount.kind {
            MountKind::Bind => RootDir::open("/")?.open_path(Path::new(&mount.source)),
            MountKind::Volume => RootDir::open(inner.volumes_dir().join(&mount.source))
                .and_then(|volume| volume.open_path(&mount.subpath)),
            _ => continue,
        };
        match source {
            // Cloned here: in the other namespace this mount is none of its own.
            Ok(source) => found.push((mount, Mount::clone_tree(source, "", Recursive::Yes)?)),
            Err(e) if e.errno() == kernel::Errno::NOENT => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(found)
}

fn is_directory(fd: BorrowedFd<'_>) -> Result<bool> {
    let stat =
        rustix::fs::fstat(fd).map_err(|e| Error::internal("stat", std::io::Error::from(e)))?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}
