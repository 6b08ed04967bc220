//! The one door to the store's snapshots.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use kernel::root::RootDir;
use spec::ContainerId;
use state::ContainerRow;
use store::{Access, Durability, IdMap, MountOptions, Mounted};

use crate::error::{Error, Result};
use crate::open::Inner;

/// How long a monitor may take to let go of what it held.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container's root, mounted and attached nowhere, and its directory, whose lock says that it is.
pub(crate) fn mount(inner: &Inner, row: &ContainerRow, working_dir: &str) -> Result<Mounted> {
    let layers = inner.db.read(|tx| tx.container_layers(&row.id))?;
    let store = inner.store()?;
    let snapshot = store.prepare(&row.id, &layers)?;
    let options = MountOptions {
        // What it wrote goes with it: nothing has to reach the disk.
        durability: if row.auto_remove {
            Durability::Volatile
        } else {
            Durability::Durable
        },
        access: Access::ReadWrite,
        id_map: IdMap::Identity,
    };
    let mounted = patiently(|| store.mount(&snapshot, options))?;
    if !matches!(working_dir, "" | "/") {
        // Made if the image has none, also under a root that will be read-only.
        let root = mounted
            .mount
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::internal("duplicate a descriptor", e))?;
        drop(RootDir::from_fd(root).create_dir_all(working_dir, 0o755)?);
    }
    Ok(mounted)
}

/// Takes away all that a container has on disk.
pub(crate) fn discard(inner: &Inner, id: &ContainerId) -> Result<()> {
    let store = inner.store()?;
    patiently(|| store.discard(id))
}

/// Tries again while somebody else has the snapshot: a monitor that has said its last word is about to end.
fn patiently<T>(mut step: impl FnMut() -> store::Result<T>) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        match step() {
            Err(e) if e.kind == store::Kind::Busy && Instant::now() < end => {
                std::thread::sleep(Duration::from_micros(200));
            }
            other => return Ok(other?),
        }
    }
}
