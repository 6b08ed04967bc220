//! A container for one step of a build: of layers instead of an image. It is journaled from its row to its removal, so that
//! whoever comes after a killed build takes it away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use spec::{ContainerId, Digest, ImageId, LayerId};
use state::{ContainerRow, EntryId, NewEntry};

use super::stored::{Stored, StoredMount};
use super::{Config, HostConfig, RemoveRequest, check, create, merge, mounts, remove, start, stop};
use crate::bundle;
use crate::error::{Error, Kind, Result};
use crate::network::request;
use crate::network_files;
use crate::open::{Engine, Inner};
use crate::truth;

/// The journal's word for a step under way.
pub(crate) const KIND: &str = "build.step";
/// How long what a dead build left running may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

const REMOVE: RemoveRequest = RemoveRequest {
    force: true,
    volumes: true,
};

/// The container of a step.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    pub(crate) id: ContainerId,
    entry: EntryId,
}

impl Container {
    /// Makes it; its name is made of its id, and it goes with the step.
    pub(crate) fn create(
        engine: &Engine,
        mut config: Config,
        mut host: HostConfig,
        layers: &[LayerId],
    ) -> Result<Self> {
        let inner = &*engine.0;
        let args = merge::program(&config)?;
        check::check(&config, &mut host, create::machine())?;
        network_files::check(&host)?;
        let (networks, _vain) = request::settle(inner, &mut config, &mut host, BTreeMap::new())?;
        let plan = mounts::plan(&config, &host)?;
        let stored = Stored {
            v: Stored::VERSION,
            config,
            host,
            args,
            mounts: plan,
            os: "linux".to_owned(),
            networks,
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
        let owner = inner.owner()?;
        let entry = inner.db.write(|tx| {
            tx.add_container(&row, layers, &[])?;
            tx.begin(&NewEntry {
                kind: KIND,
                subject: &id.to_string(),
                owner,
                payload: "{}",
                created_at: inner.nanos(),
            })
        })?;
        Ok(Self {
            engine: engine.clone(),
            id,
            entry,
        })
    }

    /// Starts it with mounts and variables that are for this run alone and are never written down.
    pub(crate) fn start(&self, mounts: Vec<StoredMount>, env: Vec<String>) -> Result<()> {
        start::start_with(&self.engine, &self.id.to_string(), |stored| {
            stored.mounts.extend(mounts);
            stored.config.env.extend(env);
        })
    }

    /// Takes it away, killed if it runs.
    pub(crate) async fn remove(self) -> Result<()> {
        let name = self.id.to_string();
        match self.engine.containers().remove(&name, REMOVE).await {
            Err(error) if error.kind != Kind::NotFound => {
                drop(self.engine.0.db.write(|tx| tx.give_up(self.entry)));
                Err(error)
            }
            _ => Ok(self.engine.0.db.write(|tx| tx.finish(self.entry))?),
        }
    }
}

/// Takes away what a step of a dead build left: its program may still run.
pub(crate) fn resume(inner: &Inner, id: &ContainerId, entry: EntryId) -> Result<()> {
    inner.store()?.clear_area(id)?;
    if let Some(row) = inner.db.read(|tx| tx.container(id))? {
        stop::kill_now(inner, &row)?;
        let end = Instant::now() + PATIENCE;
        while truth::look(inner, &row)?.is_alive() {
            if Instant::now() > end {
                return Err(Error::internal(
                    "remove what a build left",
                    std::io::Error::from(std::io::ErrorKind::TimedOut),
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        remove::once(inner, &row, REMOVE)?;
    }
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}
