//! What takes how much of the disk.

use crate::container::ContainerSummary;
use crate::image::ImageSummary;
use crate::time::Time;
use crate::volume::Volume;

object! {
    /// What builds keep.
    pub struct BuildCache {
        /// Its id.
        pub id: String = "ID",
        /// What kind of thing.
        pub kind: String = "Type",
        /// For people.
        pub description: String = "Description",
        /// Whether something needs it now.
        pub in_use: bool = "InUse",
        /// Whether something else has it too.
        pub shared: bool = "Shared",
        /// Bytes.
        pub size: i64 = "Size",
        /// When it was made.
        pub created_at: Time = "CreatedAt",
        /// When it was last of use.
        pub last_used_at: Option<Time> = "LastUsedAt",
        /// How often it was of use.
        pub usage_count: i64 = "UsageCount",
    }
}

object! {
    /// What takes how much of the disk.
    pub struct DiskUsage {
        /// The bytes of all images' layers, each counted once.
        pub layers_size: i64 = "LayersSize",
        /// Images.
        pub images: Option<Vec<ImageSummary>> = "Images",
        /// Containers.
        pub containers: Option<Vec<ContainerSummary>> = "Containers",
        /// Volumes.
        pub volumes: Option<Vec<Volume>> = "Volumes",
        /// What builds keep.
        pub build_cache: Option<Vec<BuildCache>> = "BuildCache",
    }
}
