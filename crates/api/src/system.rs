//! The engine and its machine.

use std::collections::BTreeMap;

use crate::object::{Empty, Labels};

object! {
    /// The engine's name.
    pub struct PlatformName {
        /// `Docker Engine - Community`.
        pub name: String = "Name",
    }
}

object! {
    /// A part of the engine.
    pub struct Component {
        /// `Engine`.
        pub name: String = "Name",
        /// Its version.
        pub version: String = "Version",
        /// More about it.
        pub details: Option<Labels> = "Details" omit,
    }
}

object! {
    /// The engine's version.
    pub struct Version {
        /// The engine's name.
        pub platform: PlatformName = "Platform",
        /// Its parts.
        pub components: Vec<Component> = "Components",
        /// Its version.
        pub version: String = "Version",
        /// The newest API version.
        pub api_version: String = "ApiVersion",
        /// The oldest API version.
        pub min_api_version: String = "MinAPIVersion",
        /// Its source's commit.
        pub git_commit: String = "GitCommit",
        /// Its compiler: of Go.
        pub go_version: String = "GoVersion",
        /// `linux`.
        pub os: String = "Os",
        /// `amd64`.
        pub arch: String = "Arch",
        /// The kernel's release.
        pub kernel_version: String = "KernelVersion",
        /// Experimental features are on.
        pub experimental: bool = "Experimental" omit,
        /// When it was built.
        pub build_time: String = "BuildTime" omit,
    }
}

object! {
    /// What can be plugged in.
    pub struct Plugins {
        /// Volume drivers.
        pub volume: Option<Vec<String>> = "Volume",
        /// Network drivers.
        pub network: Option<Vec<String>> = "Network",
        /// Authorization.
        pub authorization: Option<Vec<String>> = "Authorization",
        /// Log drivers.
        pub log: Option<Vec<String>> = "Log",
    }
}

object! {
    /// A registry.
    pub struct IndexInfo {
        /// Its name.
        pub name: String = "Name",
        /// Its mirrors.
        pub mirrors: Vec<String> = "Mirrors",
        /// TLS is verified.
        pub secure: bool = "Secure",
        /// It is Docker's own.
        pub official: bool = "Official",
    }
}

object! {
    /// Registries.
    pub struct RegistryConfig {
        /// Networks without TLS.
        pub insecure_registry_cidrs: Vec<String> = "InsecureRegistryCIDRs",
        /// By name.
        pub index_configs: BTreeMap<String, IndexInfo> = "IndexConfigs",
        /// Mirrors of Docker's own.
        pub mirrors: Vec<String> = "Mirrors",
    }
}

object! {
    /// A runtime.
    pub struct Runtime {
        /// Its program.
        pub path: String = "path" omit,
        /// Its arguments.
        pub runtime_args: Option<Vec<String>> = "runtimeArgs" omit,
    }
}

object! {
    /// A part's source.
    pub struct Commit {
        /// Its commit.
        pub id: String = "ID",
    }
}

object! {
    /// Swarm: never active here.
    pub struct SwarmInfo {
        /// Empty.
        pub node_id: String = "NodeID",
        /// Empty.
        pub node_addr: String = "NodeAddr",
        /// `inactive`.
        pub local_node_state: String = "LocalNodeState",
        /// False.
        pub control_available: bool = "ControlAvailable",
        /// Empty.
        pub error: String = "Error",
        /// Null.
        pub remote_managers: Option<Vec<Empty>> = "RemoteManagers",
    }
}

object! {
    /// Something that is not as it should be.
    pub struct Finding {
        /// What it is about.
        pub subject: String = "Subject",
        /// What is wrong.
        pub problem: String = "Problem",
    }
}

object! {
    /// What the engine and its machine are.
    pub struct Info {
        /// An id of this installation.
        pub id: String = "ID",
        /// Containers in all states.
        pub containers: u64 = "Containers",
        /// Those that run.
        pub containers_running: u64 = "ContainersRunning",
        /// Those that are paused.
        pub containers_paused: u64 = "ContainersPaused",
        /// Those that do not run.
        pub containers_stopped: u64 = "ContainersStopped",
        /// Images.
        pub images: u64 = "Images",
        /// How things are stored.
        pub driver: String = "Driver",
        /// More about that: names and values.
        pub driver_status: Vec<(String, String)> = "DriverStatus",
        /// What can be plugged in.
        pub plugins: Plugins = "Plugins",
        /// Can be limited.
        pub memory_limit: bool = "MemoryLimit",
        /// Can be limited.
        pub swap_limit: bool = "SwapLimit",
        /// Can be set.
        pub cpu_cfs_period: bool = "CpuCfsPeriod",
        /// Can be limited.
        pub cpu_cfs_quota: bool = "CpuCfsQuota",
        /// Can be weighted.
        pub cpu_shares: bool = "CPUShares",
        /// Can be chosen.
        pub cpu_set: bool = "CPUSet",
        /// Can be limited.
        pub pids_limit: bool = "PidsLimit",
        /// Packets between containers may be forwarded.
        pub ipv4_forwarding: bool = "IPv4Forwarding",
        /// The server talks much.
        pub debug: bool = "Debug",
        /// Open files.
        pub n_fd: u64 = "NFd",
        /// Can be turned off.
        pub oom_kill_disable: bool = "OomKillDisable",
        /// Of Go.
        pub n_goroutines: u64 = "NGoroutines",
        /// The clock.
        pub system_time: String = "SystemTime",
        /// How logs are kept.
        pub logging_driver: String = "LoggingDriver",
        /// How cgroups are made.
        pub cgroup_driver: String = "CgroupDriver",
        /// `1` or `2`.
        pub cgroup_version: String = "CgroupVersion" omit,
        /// Who follows events.
        pub n_events_listener: u64 = "NEventsListener",
        /// The kernel's release.
        pub kernel_version: String = "KernelVersion",
        /// The distribution.
        pub operating_system: String = "OperatingSystem",
        /// The distribution's version.
        pub os_version: String = "OSVersion",
        /// `linux`.
        pub os_type: String = "OSType",
        /// `x86_64`.
        pub architecture: String = "Architecture",
        /// Docker's registry.
        pub index_server_address: String = "IndexServerAddress",
        /// Registries.
        pub registry_config: RegistryConfig = "RegistryConfig",
        /// Processors.
        pub ncpu: usize = "NCPU",
        /// Bytes of memory.
        pub mem_total: u64 = "MemTotal",
        /// Swarm.
        pub generic_resources: Option<Vec<Empty>> = "GenericResources",
        /// Where things live.
        pub docker_root_dir: String = "DockerRootDir",
        /// For pulls.
        pub http_proxy: String = "HttpProxy",
        /// For pulls.
        pub https_proxy: String = "HttpsProxy",
        /// For pulls.
        pub no_proxy: String = "NoProxy",
        /// The machine's name.
        pub name: String = "Name",
        /// The server's labels.
        pub labels: Vec<String> = "Labels",
        /// Experimental features are on.
        pub experimental_build: bool = "ExperimentalBuild",
        /// The engine's version.
        pub server_version: String = "ServerVersion",
        /// By name.
        pub runtimes: BTreeMap<String, Runtime> = "Runtimes",
        /// The one used.
        pub default_runtime: String = "DefaultRuntime",
        /// Swarm.
        pub swarm: SwarmInfo = "Swarm",
        /// Containers outlive the server.
        pub live_restore_enabled: bool = "LiveRestoreEnabled",
        /// Windows.
        pub isolation: String = "Isolation",
        /// The init program.
        pub init_binary: String = "InitBinary",
        /// A part's source.
        pub containerd_commit: Commit = "ContainerdCommit",
        /// A part's source.
        pub runc_commit: Commit = "RuncCommit",
        /// A part's source.
        pub init_commit: Commit = "InitCommit",
        /// `name=seccomp,profile=builtin`.
        pub security_options: Vec<String> = "SecurityOptions",
        /// Where device descriptions live.
        pub cdi_spec_dirs: Vec<String> = "CDISpecDirs",
        /// What this machine can't do.
        pub warnings: Option<Vec<String>> = "Warnings",
    }
}
