//! Containers.

mod config;
mod host;
mod inspect;
mod mount;
mod stats;
mod summary;
mod update;

pub use config::{
    ContainerConfig, CreateRequest, CreateResponse, Healthcheck, NetworkingConfig, Words,
};
pub use host::{
    BlkioLimit, BlkioWeight, Device, DeviceRequest, HostConfig, LogConfig, PortBinding,
    PortBindings, RestartPolicy, Ulimit,
};
pub use inspect::{ContainerInspect, ContainerState, Health, HealthResult, NetworkSettings};
pub use mount::{
    BindOptions, ImageOptions, Mount, MountPoint, TmpfsOptions, VolumeDriver, VolumeOptions,
};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats,
    StatsResponse, ThrottlingData,
};
pub use summary::{ContainerSummary, HealthSummary, Port, SummaryHostConfig, SummaryNetworks};
pub use update::{UpdateRequest, UpdateResponse};

object! {
    /// Why a wait failed.
    pub struct WaitError {
        /// For people.
        pub message: String = "Message",
    }
}

object! {
    /// How a container ended.
    pub struct WaitResponse {
        /// Why the engine could not tell.
        pub error: Option<WaitError> = "Error" omit,
        /// Its exit code.
        pub status_code: i64 = "StatusCode",
    }
}

object! {
    /// The processes of a container.
    pub struct TopResponse {
        /// The columns' names.
        pub titles: Vec<String> = "Titles",
        /// A row each.
        pub processes: Vec<Vec<String>> = "Processes",
    }
}

#[cfg(test)]
mod tests;
