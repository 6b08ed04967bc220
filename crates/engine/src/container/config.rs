//! What a user asks for. Stored with the container as JSON, so every field has a default and a name that stays.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What runs in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The image, as the user named it.
    pub image: String,
    /// The arguments; the image's if none.
    pub cmd: Option<Vec<String>>,
    /// The program; the image's if none.
    pub entrypoint: Option<Vec<String>>,
    /// The environment: `NAME=value`, or `NAME` to take one of the image's away.
    pub env: Vec<String>,
    /// `user[:group]`; empty for the image's.
    pub user: String,
    /// The directory that the program starts in; empty for the image's.
    pub working_dir: String,
    /// The name that the container has for itself; empty for the short id.
    pub hostname: String,
    /// The domain that it has for itself.
    pub domainname: String,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether standard input stays open when nobody is attached.
    pub open_stdin: bool,
    /// Whether standard input ends with the first that was attached.
    pub stdin_once: bool,
    /// Whether the creator will attach to standard input.
    pub attach_stdin: bool,
    /// Whether the creator will attach to standard output.
    pub attach_stdout: bool,
    /// Whether the creator will attach to standard error.
    pub attach_stderr: bool,
    /// Data for people and tools.
    pub labels: BTreeMap<String, String>,
    /// The signal that stops it; the image's if none.
    pub stop_signal: Option<String>,
    /// Seconds until a stop becomes a kill; the image's if none.
    pub stop_timeout: Option<i64>,
    /// Directories that become volumes without a name.
    pub volumes: BTreeSet<String>,
    /// Ports that it serves: `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// How to tell whether it is well.
    pub healthcheck: Option<Healthcheck>,
    /// The shell of instructions in shell form.
    pub shell: Option<Vec<String>>,
    /// Whether it has no network at all.
    pub network_disabled: bool,
    /// The address of its link.
    pub mac_address: String,
}

/// How to tell whether a container is well. Durations in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    /// Empty for the image's, `NONE`, or `CMD` and arguments, or `CMD-SHELL` and a command.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// For one check.
    pub timeout: i64,
    /// While failures do not count.
    pub start_period: i64,
    /// Between two checks in the start period.
    pub start_interval: i64,
    /// How many failures in a row make it unwell.
    pub retries: i64,
}

/// What the host does for a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostConfig {
    /// `source:target[:options]`: a host path or a volume's name.
    pub binds: Vec<String>,
    /// The same in a longer form.
    pub mounts: Vec<MountRequest>,
    /// File systems in memory: target and options.
    pub tmpfs: BTreeMap<String, String>,
    /// Containers whose volumes it gets too.
    pub volumes_from: Vec<String>,
    /// The driver of volumes without one.
    pub volume_driver: String,

    /// `none`, `host` or a network; empty for the default.
    pub network_mode: String,
    /// Ports to publish, by `80/tcp`.
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
    /// Publish every exposed port.
    pub publish_all_ports: bool,
    /// Containers to know by name.
    pub links: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// The resolver's options.
    pub dns_options: Vec<String>,
    /// The resolver's search list.
    pub dns_search: Vec<String>,
    /// `name:address` lines for /etc/hosts.
    pub extra_hosts: Vec<String>,

    /// Bytes of memory; 0 for no limit.
    pub memory: i64,
    /// Bytes below which memory is not reclaimed under pressure.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; 0 for twice the memory, -1 for no limit.
    pub memory_swap: i64,
    /// 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Weight; 1024 is usual.
    pub cpu_shares: i64,
    /// Microseconds of processor a period.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// Microseconds.
    pub cpu_realtime_runtime: i64,
    /// Microseconds.
    pub cpu_realtime_period: i64,
    /// `0-2,4`.
    pub cpuset_cpus: String,
    /// `0-2,4`.
    pub cpuset_mems: String,
    /// How many tasks; none, 0 and -1 for no limit.
    pub pids_limit: Option<i64>,
    /// 10 to 1000.
    pub blkio_weight: u16,
    /// The same of single block devices.
    pub blkio_weight_device: Vec<BlockWeight>,
    /// Bytes read a second.
    pub blkio_read_bps: Vec<BlockRate>,
    /// Bytes written a second.
    pub blkio_write_bps: Vec<BlockRate>,
    /// Reads a second.
    pub blkio_read_iops: Vec<BlockRate>,
    /// Writes a second.
    pub blkio_write_iops: Vec<BlockRate>,
    /// Whether running out of memory does not kill.
    pub oom_kill_disable: bool,
    /// -1000 to 1000.
    pub oom_score_adj: i64,
    /// Limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// The cgroup below which its cgroup is made; empty for the engine's.
    pub cgroup_parent: String,

    /// Remove it when it ends.
    pub auto_remove: bool,
    /// Start it again when it ends.
    pub restart_policy: RestartPolicy,
    /// How its log is kept.
    pub log_config: LogConfig,
    /// An init process of the engine's as its first.
    pub init: Option<bool>,
    /// The runtime's name; empty for the engine's.
    pub runtime: String,
    /// Windows.
    pub isolation: String,
    /// Options of its root.
    pub storage_opt: BTreeMap<String, String>,
    /// Data for the runtime.
    pub annotations: BTreeMap<String, String>,
    /// Rows and columns of its terminal at first.
    pub console_size: (u16, u16),

    /// Nearly all that root of the host can do.
    pub privileged: bool,
    /// Capabilities more than the default.
    pub cap_add: Vec<String>,
    /// Capabilities less than the default.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges`, `seccomp=unconfined`, `seccomp=<profile as JSON>`, …
    pub security_opt: Vec<String>,
    /// More groups for the program's user.
    pub group_add: Vec<String>,
    /// A root that can't be written.
    pub readonly_rootfs: bool,
    /// Bytes of /dev/shm; 0 for the default.
    pub shm_size: i64,
    /// Kernel parameters of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// `c 13:* rwm`.
    pub device_cgroup_rules: Vec<String>,
    /// Whether devices are asked of a driver (`--gpus`): refused.
    pub device_requests: bool,
    /// Paths that can't be seen; the default if none.
    pub masked_paths: Option<Vec<String>>,
    /// Paths that can't be written; the default if none.
    pub readonly_paths: Option<Vec<String>>,
    /// `private` or `host`; empty for the default.
    pub ipc_mode: String,
    /// `host`; empty for its own.
    pub pid_mode: String,
    /// `host`; empty for its own.
    pub uts_mode: String,
    /// `host`; empty for the default.
    pub userns_mode: String,
    /// `private` or `host`; empty for the default.
    pub cgroupns_mode: String,
}

/// Something to mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRequest {
    /// What kind of thing.
    pub kind: MountKind,
    /// A host path or a volume's name.
    pub source: String,
    /// Where in the container.
    pub target: String,
    /// Whether it can't be written.
    pub read_only: bool,
    /// `default`, `cached` …: of no meaning on Linux.
    pub consistency: String,
    /// Options of a bind.
    pub bind: Option<BindOptions>,
    /// Options of a volume.
    pub volume: Option<VolumeOptions>,
    /// Options of a file system in memory.
    pub tmpfs: Option<TmpfsOptions>,
}

/// What kind of thing to mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A directory or file of the host.
    Bind,
    /// A volume.
    Volume,
    /// A file system in memory.
    Tmpfs,
    /// An image's files: refused.
    Image,
    /// A named pipe (Windows), or a cluster's volume: refused.
    Other,
}

impl MountKind {
    /// Its name, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Image => "image",
            Self::Other => "other",
        }
    }
}

/// Options of a bind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BindOptions {
    /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`; empty for the default.
    pub propagation: String,
    /// Without the mounts below it.
    pub non_recursive: bool,
    /// Make the source's directory if it is missing.
    pub create_mountpoint: bool,
    /// Only the top mount is read-only.
    pub read_only_non_recursive: bool,
    /// Fail if the mounts below can't be read-only too.
    pub read_only_force_recursive: bool,
}

/// Options of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeOptions {
    /// Do not fill an empty volume with what the image has there.
    pub no_copy: bool,
    /// Labels, if it is made.
    pub labels: BTreeMap<String, String>,
    /// The driver, if it is made.
    pub driver: String,
    /// The driver's options, if it is made.
    pub driver_options: BTreeMap<String, String>,
    /// A directory in the volume instead of its top.
    pub subpath: String,
}

/// Options of a file system in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TmpfsOptions {
    /// Bytes; 0 for no limit.
    pub size: i64,
    /// Permissions; 0 for the default.
    pub mode: u32,
}

/// Where a port is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortBinding {
    /// The host's address; empty for all.
    pub host_ip: String,
    /// The host's port; empty for any.
    pub host_port: String,
}

/// The weight of a block device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockWeight {
    /// Its path on the host.
    pub path: String,
    /// 10 to 1000.
    pub weight: u16,
}

/// A rate of a block device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockRate {
    /// Its path on the host.
    pub path: String,
    /// A second.
    pub rate: u64,
}

/// A limit of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`.
    pub name: String,
    /// What counts; -1 for no limit.
    pub soft: i64,
    /// What the soft limit may be raised to; -1 for no limit.
    pub hard: i64,
}

/// A device of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its path on the host.
    pub host_path: String,
    /// Its path in the container.
    pub container_path: String,
    /// `rwm`.
    pub permissions: String,
}

/// When a container is started again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty for `no`.
    pub name: String,
    /// How often, for `on-failure`; 0 for ever.
    pub maximum_retry_count: i64,
}

/// How a log is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// `local`, `json-file` or empty for the engine's own, `none` for no log.
    pub driver: String,
    /// `max-size` and `max-file`.
    pub options: BTreeMap<String, String>,
}
