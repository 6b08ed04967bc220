//! A container for one step of a build: of layers instead of an image.

use spec::{ContainerId, Digest, ImageId, LayerId};
use state::ContainerRow;

use super::stored::Stored;
use super::{Config, HostConfig, check, create, merge, mounts};
use crate::bundle;
use crate::error::Result;
use crate::network_files;
use crate::open::Engine;

/// Makes it; its name is made of its id, and it goes with the step.
pub(crate) fn create(
    engine: &Engine,
    config: Config,
    mut host: HostConfig,
    layers: &[LayerId],
) -> Result<ContainerId> {
    let inner = &*engine.0;
    let args = merge::program(&config)?;
    check::check(&config, &mut host, create::machine())?;
    network_files::check(&host)?;
    let plan = mounts::plan(&config, &host)?;
    let stored = Stored {
        v: Stored::VERSION,
        config,
        host,
        args,
        mounts: plan,
        os: "linux".to_owned(),
    };
    bundle::validate(&stored)?;
    let id = ContainerId::from_bytes(kernel::random::bytes()?);
    let row = ContainerRow {
        id,
        name: format!("build-{id}"),
        // Of no image; nobody looks for it.
        image: ImageId::new(Digest::of(b"")),
        auto_remove: false,
        config: stored.to_json()?,
        created_at: inner.nanos(),
    };
    inner.db.write(|tx| tx.add_container(&row, layers, &[]))?;
    Ok(id)
}
