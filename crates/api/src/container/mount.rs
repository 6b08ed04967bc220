//! What is mounted in a container.

use crate::object::Labels;

object! {
    /// Something to mount.
    pub struct Mount {
        /// `bind`, `volume`, `tmpfs`, `image`, `npipe`, `cluster`.
        pub kind: String = "Type" omit,
        /// A host path or a volume's name.
        pub source: String = "Source" omit,
        /// Where in the container.
        pub target: String = "Target" omit,
        /// It can't be written.
        pub read_only: bool = "ReadOnly" omit,
        /// Of no meaning on Linux.
        pub consistency: String = "Consistency" omit,
        /// Options of a bind.
        pub bind_options: Option<BindOptions> = "BindOptions" omit,
        /// Options of a volume.
        pub volume_options: Option<VolumeOptions> = "VolumeOptions" omit,
        /// Options of an image.
        pub image_options: Option<ImageOptions> = "ImageOptions" omit,
        /// Options of a file system in memory.
        pub tmpfs_options: Option<TmpfsOptions> = "TmpfsOptions" omit,
    }
}

object! {
    /// Options of a bind.
    pub struct BindOptions {
        /// `rprivate`, …
        pub propagation: String = "Propagation" omit,
        /// Without the mounts below it.
        pub non_recursive: bool = "NonRecursive" omit,
        /// Make the source's directory if it is missing.
        pub create_mountpoint: bool = "CreateMountpoint" omit,
        /// Only the top mount is read-only.
        pub read_only_non_recursive: bool = "ReadOnlyNonRecursive" omit,
        /// Fail if the mounts below can't be read-only too.
        pub read_only_force_recursive: bool = "ReadOnlyForceRecursive" omit,
    }
}

object! {
    /// Options of a volume.
    pub struct VolumeOptions {
        /// Do not fill an empty volume with what the image has there.
        pub no_copy: bool = "NoCopy" omit,
        /// Labels, if it is made.
        pub labels: Labels = "Labels" omit,
        /// A directory in the volume instead of its top.
        pub subpath: String = "Subpath" omit,
        /// The driver, if it is made.
        pub driver_config: Option<VolumeDriver> = "DriverConfig" omit,
    }
}

object! {
    /// A volume's driver.
    pub struct VolumeDriver {
        /// Its name.
        pub name: String = "Name" omit,
        /// Its options.
        pub options: Labels = "Options" omit,
    }
}

object! {
    /// Options of an image.
    pub struct ImageOptions {
        /// A directory in the image instead of its top.
        pub subpath: String = "Subpath" omit,
    }
}

object! {
    /// Options of a file system in memory.
    pub struct TmpfsOptions {
        /// Bytes.
        pub size_bytes: i64 = "SizeBytes" omit,
        /// Permissions.
        pub mode: u32 = "Mode" omit,
        /// More options: a flag, or a name and a value.
        pub options: Option<Vec<Vec<String>>> = "Options" omit,
    }
}

object! {
    /// Something that is mounted.
    pub struct MountPoint {
        /// `bind`, `volume`, `tmpfs`.
        pub kind: String = "Type" omit,
        /// The volume's name.
        pub name: String = "Name" omit,
        /// The path on the host.
        pub source: String = "Source",
        /// Where in the container.
        pub destination: String = "Destination",
        /// The volume's driver.
        pub driver: String = "Driver" omit,
        /// The options as they were written.
        pub mode: String = "Mode",
        /// It can be written.
        pub rw: bool = "RW",
        /// Its propagation.
        pub propagation: String = "Propagation",
    }
}
