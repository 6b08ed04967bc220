//! Images.

use std::collections::BTreeMap;

use crate::container::{Healthcheck, Words};
use crate::object::{Empty, Labels};
use crate::time::Time;

object! {
    /// A line in the list of images.
    pub struct ImageSummary {
        /// How many containers were made from it; -1 if not counted.
        pub containers: i64 = "Containers",
        /// When it was made, in seconds.
        pub created: i64 = "Created",
        /// Its id.
        pub id: String = "Id",
        /// Data for people and tools.
        pub labels: Option<Labels> = "Labels",
        /// The image that it was built upon.
        pub parent_id: String = "ParentId",
        /// `busybox@sha256:…`.
        pub repo_digests: Vec<String> = "RepoDigests",
        /// `busybox:latest`.
        pub repo_tags: Vec<String> = "RepoTags",
        /// Bytes shared with other images; -1 if not counted.
        pub shared_size: i64 = "SharedSize",
        /// Bytes.
        pub size: i64 = "Size",
        /// The old name of `Size`: gone since 1.44.
        pub virtual_size: Option<i64> = "VirtualSize" omit,
    }
}

object! {
    /// What a container gets from its image.
    pub struct ImageConfig {
        /// Whose it is on the host: gone since 1.50.
        pub user: String = "User" omit,
        /// Ports that it serves.
        pub exposed_ports: BTreeMap<String, Empty> = "ExposedPorts" omit,
        /// `NAME=value`.
        pub env: Option<Vec<String>> = "Env" omit,
        /// The program.
        pub entrypoint: Option<Words> = "Entrypoint" omit,
        /// The arguments.
        pub cmd: Option<Words> = "Cmd" omit,
        /// How to tell whether it is well.
        pub healthcheck: Option<Healthcheck> = "Healthcheck" omit,
        /// Windows.
        pub args_escaped: bool = "ArgsEscaped" omit,
        /// Directories that become volumes.
        pub volumes: BTreeMap<String, Empty> = "Volumes" omit,
        /// Where the program starts.
        pub working_dir: String = "WorkingDir" omit,
        /// Instructions of builds upon it.
        pub on_build: Option<Vec<String>> = "OnBuild" omit,
        /// Data for people and tools.
        pub labels: Labels = "Labels" omit,
        /// What stops it.
        pub stop_signal: String = "StopSignal" omit,
        /// The shell of instructions in shell form.
        pub shell: Option<Vec<String>> = "Shell" omit,
    }
}

object! {
    /// An image's layers.
    pub struct RootFs {
        /// `layers`.
        pub kind: String = "Type",
        /// Their diff ids, bottom first.
        pub layers: Vec<String> = "Layers" omit,
    }
}

object! {
    /// What only this engine knows of an image.
    pub struct ImageMetadata {
        /// When a tag was last given to it.
        pub last_tag_time: Time = "LastTagTime",
    }
}

object! {
    /// How something is stored.
    pub struct DriverData {
        /// More about it.
        pub data: Option<Labels> = "Data",
        /// The driver.
        pub name: String = "Name",
    }
}

object! {
    /// Everything about an image.
    pub struct ImageInspect {
        /// Its id.
        pub id: String = "Id",
        /// `busybox:latest`.
        pub repo_tags: Vec<String> = "RepoTags",
        /// `busybox@sha256:…`.
        pub repo_digests: Vec<String> = "RepoDigests",
        /// The image that it was built upon.
        pub parent: String = "Parent",
        /// Remarks.
        pub comment: String = "Comment",
        /// When it was made.
        pub created: Option<Time> = "Created" omit,
        /// The engine that made it.
        pub docker_version: String = "DockerVersion",
        /// Who made it.
        pub author: String = "Author",
        /// What a container gets from it.
        pub config: Option<ImageConfig> = "Config",
        /// For which machines.
        pub architecture: String = "Architecture",
        /// For which machines exactly.
        pub variant: String = "Variant" omit,
        /// `linux`.
        pub os: String = "Os",
        /// Windows.
        pub os_version: String = "OsVersion" omit,
        /// Bytes.
        pub size: i64 = "Size",
        /// The old name of `Size`: gone since 1.44.
        pub virtual_size: Option<i64> = "VirtualSize" omit,
        /// How it is stored.
        pub graph_driver: DriverData = "GraphDriver",
        /// Its layers.
        pub root_fs: RootFs = "RootFS",
        /// What only this engine knows of it.
        pub metadata: ImageMetadata = "Metadata",
    }
}

object! {
    /// One step in which an image was made.
    pub struct HistoryItem {
        /// Remarks.
        pub comment: String = "Comment",
        /// When, in seconds.
        pub created: i64 = "Created",
        /// By which instruction.
        pub created_by: String = "CreatedBy",
        /// The image's id, or `<missing>`.
        pub id: String = "Id",
        /// Bytes.
        pub size: i64 = "Size",
        /// The image's tags.
        pub tags: Option<Vec<String>> = "Tags",
    }
}

object! {
    /// What removing an image did: one of the two.
    pub struct ImageDeleted {
        /// A reference is gone.
        pub untagged: Option<String> = "Untagged" omit,
        /// An image or a layer is gone.
        pub deleted: Option<String> = "Deleted" omit,
    }
}
