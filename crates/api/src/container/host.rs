//! What the host does for a container.

use std::collections::BTreeMap;

use super::mount::Mount;
use crate::object::Labels;

/// Ports to publish, by `80/tcp`.
pub type PortBindings = BTreeMap<String, Option<Vec<PortBinding>>>;

object! {
    /// Where a port is published.
    pub struct PortBinding {
        /// The host's address; empty for all.
        pub host_ip: String = "HostIp",
        /// The host's port; empty for any.
        pub host_port: String = "HostPort",
    }
}

object! {
    /// How a log is kept.
    pub struct LogConfig {
        /// The driver.
        pub kind: String = "Type",
        /// Its options.
        pub config: Labels = "Config",
    }
}

object! {
    /// When a container is started again.
    pub struct RestartPolicy {
        /// `no`, `always`, `unless-stopped`, `on-failure`.
        pub name: String = "Name",
        /// How often, for `on-failure`.
        pub maximum_retry_count: i64 = "MaximumRetryCount",
    }
}

object! {
    /// A device of the host.
    pub struct Device {
        /// Its path on the host.
        pub path_on_host: String = "PathOnHost",
        /// Its path in the container.
        pub path_in_container: String = "PathInContainer",
        /// `rwm`.
        pub cgroup_permissions: String = "CgroupPermissions",
    }
}

object! {
    /// Devices asked of a driver.
    pub struct DeviceRequest {
        /// The driver.
        pub driver: String = "Driver",
        /// How many; -1 for all.
        pub count: i64 = "Count",
        /// Which.
        pub device_ids: Option<Vec<String>> = "DeviceIDs",
        /// What they must be able to do: one of the lists.
        pub capabilities: Option<Vec<Vec<String>>> = "Capabilities",
        /// The driver's options.
        pub options: Option<Labels> = "Options",
    }
}

object! {
    /// A block device's weight.
    pub struct BlkioWeight {
        /// The device.
        pub path: String = "Path",
        /// 10 to 1000.
        pub weight: u16 = "Weight",
    }
}

object! {
    /// A block device's limit.
    pub struct BlkioLimit {
        /// The device.
        pub path: String = "Path",
        /// A second.
        pub rate: u64 = "Rate",
    }
}

object! {
    /// A limit of processes.
    pub struct Ulimit {
        /// `nofile`.
        pub name: String = "Name",
        /// What the soft limit may be raised to.
        pub hard: i64 = "Hard",
        /// What counts.
        pub soft: i64 = "Soft",
    }
}

object! {
    /// What the host does for a container.
    pub struct HostConfig {
        /// `source:target[:options]`.
        pub binds: Option<Vec<String>> = "Binds",
        /// Of no meaning to a server.
        pub container_id_file: String = "ContainerIDFile",
        /// How its log is kept.
        pub log_config: LogConfig = "LogConfig",
        /// `none`, `host` or a network.
        pub network_mode: String = "NetworkMode",
        /// Ports to publish.
        pub port_bindings: Option<PortBindings> = "PortBindings",
        /// Start it again when it ends.
        pub restart_policy: RestartPolicy = "RestartPolicy",
        /// Remove it when it ends.
        pub auto_remove: bool = "AutoRemove",
        /// The driver of volumes without one.
        pub volume_driver: String = "VolumeDriver",
        /// Containers whose volumes it gets too.
        pub volumes_from: Option<Vec<String>> = "VolumesFrom",
        /// Rows and columns of its terminal at first.
        pub console_size: (u16, u16) = "ConsoleSize",
        /// Data for the runtime.
        pub annotations: Labels = "Annotations" omit,
        /// Capabilities more.
        pub cap_add: Option<Vec<String>> = "CapAdd",
        /// Capabilities less.
        pub cap_drop: Option<Vec<String>> = "CapDrop",
        /// `private` or `host`.
        pub cgroupns_mode: String = "CgroupnsMode",
        /// Name servers.
        pub dns: Option<Vec<String>> = "Dns",
        /// The resolver's options.
        pub dns_options: Option<Vec<String>> = "DnsOptions",
        /// The resolver's search list.
        pub dns_search: Option<Vec<String>> = "DnsSearch",
        /// `name:address`.
        pub extra_hosts: Option<Vec<String>> = "ExtraHosts",
        /// More groups.
        pub group_add: Option<Vec<String>> = "GroupAdd",
        /// Whose IPC namespace.
        pub ipc_mode: String = "IpcMode",
        /// Windows.
        pub cgroup: String = "Cgroup",
        /// Containers to know by name.
        pub links: Option<Vec<String>> = "Links",
        /// -1000 to 1000.
        pub oom_score_adj: i64 = "OomScoreAdj",
        /// Whose pid namespace.
        pub pid_mode: String = "PidMode",
        /// Nearly all that root of the host can do.
        pub privileged: bool = "Privileged",
        /// Publish every exposed port.
        pub publish_all_ports: bool = "PublishAllPorts",
        /// A root that can't be written.
        pub readonly_rootfs: bool = "ReadonlyRootfs",
        /// `no-new-privileges`, `seccomp=…`.
        pub security_opt: Option<Vec<String>> = "SecurityOpt",
        /// Options of its root.
        pub storage_opt: Labels = "StorageOpt" omit,
        /// File systems in memory: target and options.
        pub tmpfs: Labels = "Tmpfs" omit,
        /// Whose UTS namespace.
        pub uts_mode: String = "UTSMode",
        /// Whose user namespace.
        pub userns_mode: String = "UsernsMode",
        /// Bytes of /dev/shm.
        pub shm_size: i64 = "ShmSize",
        /// Kernel parameters.
        pub sysctls: Labels = "Sysctls" omit,
        /// The runtime's name.
        pub runtime: String = "Runtime" omit,
        /// Windows.
        pub isolation: String = "Isolation",
        /// Weight.
        pub cpu_shares: i64 = "CpuShares",
        /// Bytes of memory.
        pub memory: i64 = "Memory",
        /// Billionths of a processor.
        pub nano_cpus: i64 = "NanoCpus",
        /// The cgroup above its cgroup.
        pub cgroup_parent: String = "CgroupParent",
        /// 10 to 1000.
        pub blkio_weight: u16 = "BlkioWeight",
        /// By device.
        pub blkio_weight_device: Option<Vec<BlkioWeight>> = "BlkioWeightDevice",
        /// By device.
        pub blkio_device_read_bps: Option<Vec<BlkioLimit>> = "BlkioDeviceReadBps",
        /// By device.
        pub blkio_device_write_bps: Option<Vec<BlkioLimit>> = "BlkioDeviceWriteBps",
        /// By device.
        pub blkio_device_read_iops: Option<Vec<BlkioLimit>> = "BlkioDeviceReadIOps",
        /// By device.
        pub blkio_device_write_iops: Option<Vec<BlkioLimit>> = "BlkioDeviceWriteIOps",
        /// Microseconds.
        pub cpu_period: i64 = "CpuPeriod",
        /// Microseconds a period.
        pub cpu_quota: i64 = "CpuQuota",
        /// Microseconds.
        pub cpu_realtime_period: i64 = "CpuRealtimePeriod",
        /// Microseconds.
        pub cpu_realtime_runtime: i64 = "CpuRealtimeRuntime",
        /// `0-2,4`.
        pub cpuset_cpus: String = "CpusetCpus",
        /// `0-2,4`.
        pub cpuset_mems: String = "CpusetMems",
        /// Devices of the host.
        pub devices: Option<Vec<Device>> = "Devices",
        /// `c 13:* rwm`.
        pub device_cgroup_rules: Option<Vec<String>> = "DeviceCgroupRules",
        /// Devices asked of a driver.
        pub device_requests: Option<Vec<DeviceRequest>> = "DeviceRequests",
        /// Bytes: gone since 1.42.
        pub kernel_memory: i64 = "KernelMemory" omit,
        /// Bytes.
        pub kernel_memory_tcp: i64 = "KernelMemoryTCP" omit,
        /// Bytes.
        pub memory_reservation: i64 = "MemoryReservation",
        /// Bytes of memory and swap together; -1 for no limit.
        pub memory_swap: i64 = "MemorySwap",
        /// 0 to 100; -1 for the default.
        pub memory_swappiness: Option<i64> = "MemorySwappiness",
        /// Running out of memory does not kill.
        pub oom_kill_disable: Option<bool> = "OomKillDisable",
        /// How many tasks.
        pub pids_limit: Option<i64> = "PidsLimit",
        /// Limits of processes.
        pub ulimits: Option<Vec<Ulimit>> = "Ulimits",
        /// Windows.
        pub cpu_count: i64 = "CpuCount",
        /// Windows.
        pub cpu_percent: i64 = "CpuPercent",
        /// Windows.
        pub io_maximum_iops: u64 = "IOMaximumIOps",
        /// Windows.
        pub io_maximum_bandwidth: u64 = "IOMaximumBandwidth",
        /// What to mount, in the longer form.
        pub mounts: Option<Vec<Mount>> = "Mounts" omit,
        /// Paths that can't be seen.
        pub masked_paths: Option<Vec<String>> = "MaskedPaths",
        /// Paths that can't be written.
        pub readonly_paths: Option<Vec<String>> = "ReadonlyPaths",
        /// An init process of the engine's.
        pub init: Option<bool> = "Init" omit,
    }
}
