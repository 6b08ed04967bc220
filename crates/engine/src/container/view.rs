//! What is known of a container.

use std::path::PathBuf;

use jiff::Timestamp;
use spec::{ContainerId, ImageId};

use super::config::{Config, HostConfig, MountKind};
use super::health::{Health, HealthStatus};
use crate::network::{End, PublishedPort};

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Never started.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are stopped until somebody lets them go on.
    Paused,
    /// Its program ended and will be started again.
    Restarting,
    /// Its program ended.
    Exited,
    /// It is being removed.
    Removing,
}

impl Status {
    /// Its name, as users know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }
}

/// A container's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where it is in its life.
    pub status: Status,
    /// The pid of its first process on the host, while it runs; else 0.
    pub pid: u32,
    /// How its program ended; 0 before.
    pub exit_code: i64,
    /// Whether it ran out of memory.
    pub oom_killed: bool,
    /// Why it did not start or how it was lost; else empty.
    pub error: String,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// When it last ended.
    pub finished: Option<Timestamp>,
    /// How often it was started again by its policy.
    pub restarts: u32,
    /// Whether it is well, if somebody looks.
    pub health: Option<Health>,
}

/// Something that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// What kind of thing.
    pub kind: MountKind,
    /// The volume's name; else empty.
    pub name: String,
    /// The path on the host; empty for a file system in memory.
    pub source: String,
    /// Where in the container.
    pub destination: String,
    /// The volume's driver; else empty.
    pub driver: String,
    /// The options as they were written.
    pub mode: String,
    /// Whether it can be written.
    pub rw: bool,
    /// Its propagation; empty for volumes.
    pub propagation: String,
}

/// Everything about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspect {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its state.
    pub state: State,
    /// The image.
    pub image: ImageId,
    /// The image's platform: `linux`.
    pub os: String,
    /// What runs in it, together with what the image says.
    pub config: Config,
    /// What the host does for it.
    pub host: HostConfig,
    /// Its networks.
    pub ends: Vec<End>,
    /// Its ports, while it runs.
    pub ports: Vec<PublishedPort>,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
    /// Its /etc/hostname on the host.
    pub hostname_path: PathBuf,
    /// Its /etc/hosts on the host.
    pub hosts_path: PathBuf,
    /// Its /etc/resolv.conf on the host.
    pub resolv_conf_path: PathBuf,
    /// Its log's directory on the host.
    pub log_path: PathBuf,
    /// The programs that run in it beside its own.
    pub execs: Vec<String>,
    /// The bytes that it wrote to its own files, if asked for.
    pub size_rw: Option<u64>,
    /// Those and the image's, if asked for.
    pub size_root: Option<u64>,
}

/// A line in the list of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// The image as it was named; its id if that name now leads elsewhere.
    pub image: String,
    /// The image.
    pub image_id: ImageId,
    /// The program and its arguments.
    pub command: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its state.
    pub state: State,
    /// Data for people and tools.
    pub labels: std::collections::BTreeMap<String, String>,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
    /// `none`, `host` or a network.
    pub network_mode: String,
    /// Its networks.
    pub ends: Vec<End>,
    /// Its ports, while it runs.
    pub ports: Vec<PublishedPort>,
    /// The bytes that it wrote to its own files, if asked for.
    pub size_rw: Option<u64>,
    /// Those and the image's, if asked for.
    pub size_root: Option<u64>,
}

/// Which containers to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Also those that do not run.
    pub all: bool,
    /// The newest so many, running or not.
    pub limit: Option<usize>,
    /// With the size of their files, which reads all of them.
    pub size: bool,
    /// Only those that match.
    pub filters: Filters,
}

/// Which containers to list. Every list that is not empty must match; in a list one term suffices, of labels all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// The beginning of the id.
    pub id: Vec<String>,
    /// Part of the name.
    pub name: Vec<String>,
    /// `key` or `key=value`.
    pub label: Vec<String>,
    /// Where in their life.
    pub status: Vec<Status>,
    /// The exit code of those that ended.
    pub exited: Vec<i64>,
    /// The image, by name or id.
    pub ancestor: Vec<String>,
    /// Made before this container.
    pub before: Vec<String>,
    /// Made after this container.
    pub since: Vec<String>,
    /// A volume's name or a destination.
    pub volume: Vec<String>,
    /// A network's name, or the beginning of its id.
    pub network: Vec<String>,
    /// Whether they are well.
    pub health: Vec<HealthStatus>,
}
