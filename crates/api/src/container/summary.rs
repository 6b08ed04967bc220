//! A line in the list of containers.

use std::collections::BTreeMap;

use super::mount::MountPoint;
use crate::network::EndpointSettings;
use crate::object::Labels;

object! {
    /// A port.
    pub struct Port {
        /// The host's address.
        pub ip: String = "IP" omit,
        /// The container's port.
        pub private_port: u16 = "PrivatePort",
        /// The host's port.
        pub public_port: u16 = "PublicPort" omit,
        /// `tcp`, `udp`, `sctp`.
        pub kind: String = "Type",
    }
}

object! {
    /// A little of what the host does for it.
    pub struct SummaryHostConfig {
        /// `none`, `host` or a network.
        pub network_mode: String = "NetworkMode" omit,
        /// Data for the runtime.
        pub annotations: Labels = "Annotations" omit,
    }
}

object! {
    /// Its networks.
    pub struct SummaryNetworks {
        /// By name.
        pub networks: BTreeMap<String, EndpointSettings> = "Networks",
    }
}

object! {
    /// Whether it is well.
    pub struct HealthSummary {
        /// `none`, `starting`, `healthy`, `unhealthy`.
        pub status: String = "Status" omit,
        /// How many failed in a row.
        pub failing_streak: i64 = "FailingStreak",
    }
}

object! {
    /// A line in the list of containers.
    pub struct ContainerSummary {
        /// Its id.
        pub id: String = "Id",
        /// With a slash before each.
        pub names: Vec<String> = "Names",
        /// The image as it was named.
        pub image: String = "Image",
        /// The image's id.
        pub image_id: String = "ImageID",
        /// The program and its arguments.
        pub command: String = "Command",
        /// When it was made, in seconds.
        pub created: i64 = "Created",
        /// Its ports.
        pub ports: Vec<Port> = "Ports",
        /// Bytes that it wrote.
        pub size_rw: Option<i64> = "SizeRw" omit,
        /// Those and the image's.
        pub size_root_fs: Option<i64> = "SizeRootFs" omit,
        /// Data for people and tools.
        pub labels: Labels = "Labels",
        /// `created`, `running`, …
        pub state: String = "State",
        /// The same for people: `Up 3 minutes`.
        pub status: String = "Status",
        /// A little of what the host does for it.
        pub host_config: SummaryHostConfig = "HostConfig",
        /// Whether it is well: since 1.52.
        pub health: Option<HealthSummary> = "Health" omit,
        /// Its networks.
        pub network_settings: SummaryNetworks = "NetworkSettings",
        /// What is mounted in it.
        pub mounts: Vec<MountPoint> = "Mounts",
    }
}
