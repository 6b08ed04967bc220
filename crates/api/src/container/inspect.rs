//! Everything about a container.

use std::collections::BTreeMap;

use super::config::ContainerConfig;
use super::host::{HostConfig, PortBindings};
use super::mount::MountPoint;
use crate::image::DriverData;
use crate::network::EndpointSettings;
use crate::time::Time;

object! {
    /// One check.
    pub struct HealthResult {
        /// When it began.
        pub start: Time = "Start",
        /// When it ended.
        pub end: Time = "End",
        /// 0 for well.
        pub exit_code: i64 = "ExitCode",
        /// What it wrote.
        pub output: String = "Output",
    }
}

object! {
    /// Whether it is well.
    pub struct Health {
        /// `none`, `starting`, `healthy`, `unhealthy`.
        pub status: String = "Status",
        /// How many failed in a row.
        pub failing_streak: i64 = "FailingStreak",
        /// The last checks.
        pub log: Option<Vec<HealthResult>> = "Log",
    }
}

object! {
    /// A container's state.
    pub struct ContainerState {
        /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
        pub status: String = "Status",
        /// It runs (or is paused).
        pub running: bool = "Running",
        /// It is paused.
        pub paused: bool = "Paused",
        /// It is being started again.
        pub restarting: bool = "Restarting",
        /// It ran out of memory.
        pub oom_killed: bool = "OOMKilled",
        /// It could not be removed.
        pub dead: bool = "Dead",
        /// Its first process on the host.
        pub pid: u32 = "Pid",
        /// How it ended.
        pub exit_code: i64 = "ExitCode",
        /// Why it did not start.
        pub error: String = "Error",
        /// When it was last started.
        pub started_at: Time = "StartedAt",
        /// When it last ended.
        pub finished_at: Time = "FinishedAt",
        /// Whether it is well.
        pub health: Option<Health> = "Health" omit,
    }
}

object! {
    /// A container's networks.
    pub struct NetworkSettings {
        /// Of no meaning any more.
        pub bridge: String = "Bridge",
        /// The network namespace's id.
        pub sandbox_id: String = "SandboxID",
        /// The network namespace's path.
        pub sandbox_key: String = "SandboxKey",
        /// Published ports.
        pub ports: PortBindings = "Ports",
        /// Of no meaning any more.
        pub hairpin_mode: bool = "HairpinMode",
        /// Of no meaning any more.
        pub link_local_ipv6_address: String = "LinkLocalIPv6Address",
        /// Of no meaning any more.
        pub link_local_ipv6_prefix_len: i64 = "LinkLocalIPv6PrefixLen",
        /// Of no meaning any more.
        pub secondary_ip_addresses: Option<Vec<String>> = "SecondaryIPAddresses",
        /// Of no meaning any more.
        pub secondary_ipv6_addresses: Option<Vec<String>> = "SecondaryIPv6Addresses",
        /// On the default bridge.
        pub endpoint_id: String = "EndpointID",
        /// On the default bridge.
        pub gateway: String = "Gateway",
        /// On the default bridge.
        pub global_ipv6_address: String = "GlobalIPv6Address",
        /// On the default bridge.
        pub global_ipv6_prefix_len: i64 = "GlobalIPv6PrefixLen",
        /// On the default bridge.
        pub ip_address: String = "IPAddress",
        /// On the default bridge.
        pub ip_prefix_len: i64 = "IPPrefixLen",
        /// On the default bridge.
        pub ipv6_gateway: String = "IPv6Gateway",
        /// On the default bridge.
        pub mac_address: String = "MacAddress",
        /// By name.
        pub networks: BTreeMap<String, EndpointSettings> = "Networks",
    }
}

object! {
    /// Everything about a container.
    pub struct ContainerInspect {
        /// Its id.
        pub id: String = "Id",
        /// When it was made.
        pub created: Time = "Created",
        /// The program.
        pub path: String = "Path",
        /// Its arguments.
        pub args: Vec<String> = "Args",
        /// Its state.
        pub state: ContainerState = "State",
        /// The image's id.
        pub image: String = "Image",
        /// On the host.
        pub resolv_conf_path: String = "ResolvConfPath",
        /// On the host.
        pub hostname_path: String = "HostnamePath",
        /// On the host.
        pub hosts_path: String = "HostsPath",
        /// On the host.
        pub log_path: String = "LogPath",
        /// With a slash before it.
        pub name: String = "Name",
        /// How often it was started again.
        pub restart_count: u64 = "RestartCount",
        /// How its root is stored.
        pub driver: String = "Driver",
        /// `linux`.
        pub platform: String = "Platform",
        /// SELinux.
        pub mount_label: String = "MountLabel",
        /// SELinux.
        pub process_label: String = "ProcessLabel",
        /// AppArmor.
        pub app_armor_profile: String = "AppArmorProfile",
        /// The programs that run in it beside its own.
        pub exec_ids: Option<Vec<String>> = "ExecIDs",
        /// What the host does for it.
        pub host_config: HostConfig = "HostConfig",
        /// How its root is stored.
        pub graph_driver: DriverData = "GraphDriver",
        /// Bytes that it wrote.
        pub size_rw: Option<i64> = "SizeRw" omit,
        /// Those and the image's.
        pub size_root_fs: Option<i64> = "SizeRootFs" omit,
        /// What is mounted in it.
        pub mounts: Vec<MountPoint> = "Mounts",
        /// What runs in it.
        pub config: ContainerConfig = "Config",
        /// Its networks.
        pub network_settings: NetworkSettings = "NetworkSettings",
    }
}
