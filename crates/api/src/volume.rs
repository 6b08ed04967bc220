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
