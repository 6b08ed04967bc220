//! Snapshots: the writable part of a container above its layers.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use kernel::lock::{Flock, Sharing, Wait};
use kernel::mount::{Attr, Mount};
use spec::{ContainerId, LayerId};

use crate::draft::open_directory;
use crate::error::{Error, Kind, Result};
use crate::mount::Upper;
use crate::store::Store;

/// The writable part of one container.
#[derive(Debug)]
pub struct Snapshot {
    id: ContainerId,
    layers: Vec<LayerId>,
    directory: PathBuf,
    unseen: Vec<Vec<u8>>,
}

/// Who owns the files of a mount. The seam for user namespaces: so far always the host's owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdMap {
    /// Owners are what the layers say.
    Identity,
}

/// Whether what is written must survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is synced when programs ask for it, and at the end.
    Durable,
    /// It is never synced: for containers that are removed when they end.
    Volatile,
}

/// Whether a mount may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may.
    ReadWrite,
    /// It may not.
    ReadOnly,
}

/// How a snapshot is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountOptions {
    /// Whether what is written must survive a crash of the machine.
    pub durability: Durability,
    /// Whether it may be written to.
    pub access: Access,
    /// Who owns the files.
    pub id_map: IdMap,
}

/// A mounted snapshot: the overlay, and the lock that keeps others from mounting the same one, which kernels allow and
/// which would corrupt it. The lock is on the container's directory and goes where its descriptor goes.
#[derive(Debug)]
pub struct Mounted {
    /// The overlay, attached nowhere.
    pub mount: Mount,
    /// The container's directory, locked. Give it to the monitor: the snapshot is in use as long as it is open.
    pub directory: OwnedFd,
}

impl Snapshot {
    /// The layers below it, bottom first.
    #[must_use]
    pub fn layers(&self) -> &[LayerId] {
        &self.layers
    }

    /// Whether anything was ever written, or made ready for it.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.directory.join("upper").is_dir()
    }

    /// The same, where these paths count as never written: places for the engine's own mounts.
    #[must_use]
    pub fn without(mut self, paths: &[&str]) -> Self {
        self.unseen = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        self
    }

    /// Whether a path of a tar counts as never written.
    pub(crate) fn is_unseen(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        self.unseen.iter().any(|unseen| unseen == path)
    }

    /// The directory of all that was written.
    pub(crate) fn open_upper(&self) -> Result<OwnedFd> {
        open_directory(&self.directory.join("upper"))
    }
}

impl AsFd for Mounted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}

impl Store {
    /// Makes the directories of a new snapshot above `layers`, bottom first. What is there already stays.
    ///
    /// # Errors
    /// A directory can't be made.
    pub fn prepare(&self, id: &ContainerId, layers: &[LayerId]) -> Result<Snapshot> {
        use std::os::unix::fs::PermissionsExt;
        let snapshot = self.snapshot(id, layers);
        self.make_directory(&snapshot.directory.join("work"))?;
        failpoint::failpoint!("store.snapshot.prepare.after_directory");
        let upper = snapshot.directory.join("upper");
        self.make_directory(&upper)?;
        // The root directory in the container has the mode of this one.
        std::fs::set_permissions(&upper, std::fs::Permissions::from_mode(0o755))
            .map_err(|e| Error::io("prepare snapshot of", id, e))?;
        Ok(snapshot)
    }

    /// The snapshot that [`Store::prepare`] made.
    #[must_use]
    pub fn snapshot(&self, id: &ContainerId, layers: &[LayerId]) -> Snapshot {
        Snapshot {
            id: *id,
            layers: layers.to_vec(),
            directory: self.container_directory(id),
            unseen: Vec::new(),
        }
    }

    /// Mounts a snapshot: an overlay that is attached nowhere and ends with its last descriptor.
    ///
    /// # Errors
    /// [`Kind::Busy`] while it is mounted elsewhere, or it can't be mounted.
    pub fn mount(&self, snapshot: &Snapshot, options: MountOptions) -> Result<Mounted> {
        const OP: &str = "mount snapshot of";
        let directory = self.lock_snapshot(&snapshot.id)?;
        let upper = Upper {
            upper: open_directory(&snapshot.directory.join("upper"))?,
            work: open_directory(&snapshot.directory.join("work"))?,
            volatile: options.durability == Durability::Volatile,
        };
        let attr = match options.access {
            Access::ReadOnly => Attr::MOUNT_ATTR_RDONLY,
            Access::ReadWrite => Attr::empty(),
        };
        let mounted = self.overlay(&snapshot.layers, Some(&upper), attr);
        let mount = mounted.map_err(|e| Error::caused(e.kind, OP, snapshot.id, e))?;
        failpoint::failpoint!("store.snapshot.mount.after_mount");
        Ok(Mounted { mount, directory })
    }

    /// Locks a snapshot that nobody has mounted: its directory, locked as long as the descriptor is open anywhere.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody has it, [`Kind::NotFound`].
    pub fn lock_snapshot(&self, id: &ContainerId) -> Result<OwnedFd> {
        const OP: &str = "lock snapshot of";
        let directory = open_directory(&self.container_directory(id))?;
        let lock = Flock::acquire(directory, Sharing::Exclusive, Wait::No)
            .map_err(|e| Error::kernel(OP, id, e))?;
        let busy = || {
            Error::because(
                Kind::Busy,
                OP,
                id,
                "the container runs, or its files are being copied",
            )
        };
        lock.map(Flock::into_fd).ok_or_else(busy)
    }

    /// Removes the whole directory of a container. What is gone already is no error.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody has the snapshot mounted, or it can't be removed.
    pub fn discard(&self, id: &ContainerId) -> Result<()> {
        let _lock = match self.lock_snapshot(id) {
            Err(error) if error.kind == Kind::NotFound => return Ok(()),
            other => other?,
        };
        failpoint::failpoint!("store.snapshot.discard.before_remove");
        let parent = open_directory(&self.root().join("containers"))?;
        kernel::tree::remove(&parent, id.to_string())
            .map_err(|e| Error::kernel("remove snapshot of", id, e))
    }

    fn container_directory(&self, id: &ContainerId) -> PathBuf {
        self.root().join("containers").join(id.to_string())
    }
}
