//! A container as the database keeps it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::{Config, HostConfig, MountKind};
use super::view::MountPoint;
use crate::error::{Error, Result};
use crate::network::EndpointRequest;

/// Everything about a container that was decided when it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// The format's version.
    pub(crate) v: u32,
    /// What runs in it, together with what the image says.
    pub(crate) config: Config,
    /// What the host does for it.
    pub(crate) host: HostConfig,
    /// The program and its arguments.
    pub(crate) args: Vec<String>,
    /// What is mounted in it.
    pub(crate) mounts: Vec<StoredMount>,
    /// The image's operating system.
    pub(crate) os: String,
    /// The networks that it is on when it runs, by name, and what it wants of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) networks: BTreeMap<String, EndpointRequest>,
}

/// Something that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMount {
    /// What kind of thing.
    pub(crate) kind: MountKind,
    /// The host's path of a bind, the volume's name; empty for a volume that has none yet.
    pub(crate) source: String,
    /// Where in the container.
    pub(crate) destination: String,
    /// Whether it can't be written.
    pub(crate) read_only: bool,
    /// Without the mounts below it.
    pub(crate) non_recursive: bool,
    /// `rprivate`, `rslave`, …
    pub(crate) propagation: String,
    /// The options as they were written.
    pub(crate) mode: String,
    /// The mount options of a file system in memory.
    pub(crate) tmpfs: Vec<String>,
    /// A directory in the volume instead of its top.
    pub(crate) subpath: String,
    /// What happens to a source that isn't there.
    pub(crate) missing: Missing,
    /// Read-only, but for what is mounted in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) writable_inside: bool,
}

/// What happens to the source of a mount that isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Missing {
    /// It is made: an empty directory.
    Create,
    /// A volume is made and filled with what the image has there.
    Fill,
    /// It is an error.
    Refuse,
}

impl Stored {
    pub(crate) const VERSION: u32 = 1;

    pub(crate) fn to_json(&self) -> Result<String> {
        let encode = || {
            let mut value = serde_json::to_value(self)?;
            // A row is short when it says only what is not as usual: each field has a default.
            prune(
                &mut value["config"],
                &serde_json::to_value(Config::default())?,
            );
            prune(
                &mut value["host"],
                &serde_json::to_value(HostConfig::default())?,
            );
            serde_json::to_string(&value)
        };
        encode().map_err(|e| Error::internal("encode container", e))
    }

    pub(crate) fn parse(id: &spec::ContainerId, text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|e| Error::internal(format!("read configuration of container {id}"), e))
    }

    /// The names of the volumes that it uses.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let volumes = self.mounts.iter().filter(|m| m.kind == MountKind::Volume);
        volumes.map(|m| m.source.clone()).collect()
    }

    /// The name that the container has for itself.
    pub(crate) fn hostname(&self, id: &spec::ContainerId) -> String {
        if self.config.hostname.is_empty() {
            id.short()
        } else {
            self.config.hostname.clone()
        }
    }
}

/// Takes the fields away that are as in `default`.
fn prune(value: &mut Value, default: &Value) {
    if let (Value::Object(fields), Value::Object(default)) = (value, default) {
        fields.retain(|name, value| default.get(name) != Some(value));
    }
}

impl StoredMount {
    /// The mount as users see it; `volumes` is the directory of all volumes.
    pub(crate) fn point(&self, volumes: &std::path::Path) -> MountPoint {
        let volume = self.kind == MountKind::Volume;
        MountPoint {
            kind: self.kind,
            name: if volume {
                self.source.clone()
            } else {
                String::new()
            },
            source: match self.kind {
                MountKind::Volume => volumes.join(&self.source).display().to_string(),
                MountKind::Bind => self.source.clone(),
                MountKind::Tmpfs | MountKind::Image | MountKind::Other => String::new(),
            },
            destination: self.destination.clone(),
            driver: if volume {
                "local".to_owned()
            } else {
                String::new()
            },
            mode: self.mode.clone(),
            rw: !self.read_only,
            propagation: if self.kind == MountKind::Bind {
                self.propagation.clone()
            } else {
                String::new()
            },
        }
    }
}
