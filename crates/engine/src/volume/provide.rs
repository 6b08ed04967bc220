//! The volumes of a new container: those that are missing are made, and filled with what the image has in their place.

use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use failpoint::failpoint;
use kernel::root::RootDir;
use spec::LayerId;
use state::{Durability, EntryId, LockKind, NewEntry, Tx, VolumeRow};

use super::{PATIENCE, PROVIDE, copy, erase};
use crate::container::MountKind;
use crate::container::stored::{Missing, StoredMount};
use crate::disk;
use crate::error::{Error, Result};
use crate::launch::open_dir;
use crate::open::{Inner, make_dir};

/// What was made for a container that has no row yet.
#[derive(Debug, Default)]
pub(crate) struct Provided {
    entry: Option<EntryId>,
    /// Volumes without a name that were made.
    anonymous: Vec<String>,
}

/// Makes the volumes and directories that are missing, and gives those without a name one.
pub(crate) fn provide(
    inner: &Inner,
    mounts: &mut [StoredMount],
    layers: &[LayerId],
) -> Result<Provided> {
    let mut provided = Provided::default();
    for mount in mounts
        .iter_mut()
        .filter(|m| m.source.is_empty() && m.kind == MountKind::Volume)
    {
        mount.source = kernel::random::hex::<32>()?;
        provided.anonymous.push(mount.source.clone());
    }
    if !provided.anonymous.is_empty() {
        let payload = serde_json::to_string(&provided.anonymous)
            .map_err(|e| Error::internal("encode journal", e))?;
        let owner = inner.owner()?;
        let entry = inner.db.write(|tx| {
            tx.begin(&NewEntry {
                kind: PROVIDE,
                subject: "",
                owner,
                payload: &payload,
                created_at: inner.nanos(),
            })
        })?;
        provided.entry = Some(entry);
    }
    match make_all(inner, mounts, layers, &provided.anonymous) {
        Ok(()) => Ok(provided),
        Err(error) => {
            provided.undo(inner);
            Err(error)
        }
    }
}

fn make_all(
    inner: &Inner,
    mounts: &[StoredMount],
    layers: &[LayerId],
    anonymous: &[String],
) -> Result<()> {
    let mut image: Option<RootDir> = None;
    for mount in mounts {
        match mount.kind {
            MountKind::Bind => source(mount)?,
            MountKind::Volume => {
                let anonymous = anonymous.contains(&mount.source);
                volume(inner, mount, layers, anonymous, &mut image)?;
            }
            MountKind::Tmpfs | MountKind::Image | MountKind::Other => {}
        }
    }
    Ok(())
}

/// The host's side of a bind.
fn source(mount: &StoredMount) -> Result<()> {
    let path = Path::new(&mount.source);
    if path.exists() {
        return Ok(());
    }
    if mount.missing == Missing::Refuse {
        return Err(no_source(mount));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(|e| {
            Error::invalid(format!(
                "error while creating mount source path '{}'",
                mount.source
            ))
            .because(e)
        })
}

fn no_source(mount: &StoredMount) -> Error {
    Error::invalid(format!(
        "invalid mount config for type \"bind\": bind source path does not exist: {}",
        mount.source
    ))
}

/// Looks, before a start, whether what is to be mounted is there.
pub(crate) fn check_sources(inner: &Inner, mounts: &[StoredMount]) -> Result<()> {
    for mount in mounts {
        match mount.kind {
            // As Docker: what is gone since the container was made comes back empty.
            MountKind::Bind => source(mount)?,
            MountKind::Volume => {
                let mut path = inner.volumes_dir().join(&mount.source);
                if !path.exists() {
                    return Err(Error::not_found(format!(
                        "get {}: no such volume",
                        mount.source
                    )));
                }
                if !mount.subpath.is_empty() {
                    let top = RootDir::open(&path)?;
                    // The volume's content is the container's: a link in it must not lead out of it.
                    if top.stat_nofollow(&mount.subpath).is_err() {
                        path.push(&mount.subpath);
                        return Err(Error::invalid(format!(
                            "cannot access path {}: no such file or directory",
                            path.display()
                        )));
                    }
                }
            }
            MountKind::Tmpfs | MountKind::Image | MountKind::Other => {}
        }
    }
    Ok(())
}

/// Makes a volume's directory if it is missing.
pub(super) fn directory(inner: &Inner, name: &str) -> Result<OwnedFd> {
    let path = inner.volumes_dir().join(name);
    match std::fs::DirBuilder::new().mode(0o755).create(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::internal(format!("create volume {name}"), e));
        }
        _ => {}
    }
    Ok(open_dir(&path)?.into())
}

fn volume(
    inner: &Inner,
    mount: &StoredMount,
    layers: &[LayerId],
    anonymous: bool,
    image: &mut Option<RootDir>,
) -> Result<()> {
    let name = &mount.source;
    let _lock = inner.locks.lock(LockKind::Volume, name, PATIENCE)?;
    make_dir(&inner.volumes_dir())?;
    let top = directory(inner, name)?;
    failpoint!("volume.provide.after_directory");
    if mount.missing == Missing::Fill && mount.subpath.is_empty() && disk::is_empty(&top)? {
        let image = match image {
            Some(image) => image,
            None => image.insert(RootDir::from_fd(inner.store()?.view(layers)?.into_fd())),
        };
        // A kill in the midst leaves a part; the volume has no row yet, and whoever makes it anew finds it not empty. So what
        // was begun is made elsewhere and put in place whole.
        copy::fill(&inner.volumes_dir(), name, image, &mount.destination)?;
    }
    let row = VolumeRow {
        name: name.clone(),
        anonymous,
        labels: "{}".to_owned(),
        created_at: inner.nanos(),
    };
    if inner.db.read(|tx| tx.volume(name))?.is_none() {
        inner
            .db
            .write_with(Durability::Full, |tx| tx.add_volume(&row))?;
    }
    failpoint!("volume.provide.after_row");
    Ok(())
}

impl Provided {
    /// The container has its row: the volumes are its own.
    pub(crate) fn done(&self, tx: &Tx<'_>) -> state::Result<()> {
        match self.entry {
            Some(entry) => tx.finish(entry),
            None => Ok(()),
        }
    }

    /// There will be no container: what was made for it alone goes. What can't go is tried again by the next.
    pub(crate) fn undo(&self, inner: &Inner) {
        let Some(entry) = self.entry else {
            return;
        };
        if resume(inner, &self.anonymous, entry).is_err() {
            drop(inner.db.write(|tx| tx.give_up(entry)));
        }
    }
}

/// Takes away the volumes of a container that was never made.
pub(crate) fn resume(inner: &Inner, anonymous: &[String], entry: EntryId) -> Result<()> {
    for name in anonymous {
        if inner.db.read(|tx| tx.volume_users(name))?.is_empty() {
            erase(inner, name)?;
            inner.db.write(|tx| tx.remove_volume(name))?;
        }
    }
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}
