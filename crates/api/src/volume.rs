//! Volumes.

use crate::object::Labels;
use crate::time::Time;

object! {
    /// A volume to make.
    pub struct VolumeCreateRequest {
        /// Its name; made up if empty.
        pub name: String = "Name" omit,
        /// Its driver.
        pub driver: String = "Driver" omit,
        /// The driver's options.
        pub driver_opts: Labels = "DriverOpts" omit,
        /// Data for people and tools.
        pub labels: Labels = "Labels" omit,
    }
}

object! {
    /// A volume.
    pub struct Volume {
        /// When it was made.
        pub created_at: Option<Time> = "CreatedAt" omit,
        /// Its driver.
        pub driver: String = "Driver",
        /// Data for people and tools.
        pub labels: Option<Labels> = "Labels",
        /// Its directory.
        pub mountpoint: String = "Mountpoint",
        /// Its name.
        pub name: String = "Name",
        /// The driver's options.
        pub options: Option<Labels> = "Options",
        /// `local`.
        pub scope: String = "Scope",
        /// What it takes of the disk, if that was asked for.
        pub usage: Option<UsageData> = "UsageData" omit,
    }
}

object! {
    /// What a volume takes of the disk.
    pub struct UsageData {
        /// Bytes.
        pub size: i64 = "Size",
        /// How many containers have it.
        pub ref_count: i64 = "RefCount",
    }
}

object! {
    /// Volumes.
    pub struct VolumeList {
        /// The volumes.
        pub volumes: Vec<Volume> = "Volumes",
        /// What went wrong in finding them.
        pub warnings: Option<Vec<String>> = "Warnings",
    }
}
