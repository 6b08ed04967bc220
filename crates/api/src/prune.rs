//! What was removed because nobody used it.

use crate::image::ImageDeleted;

object! {
    /// Containers that are gone.
    pub struct ContainersPruned {
        /// Their ids.
        pub containers: Option<Vec<String>> = "ContainersDeleted",
        /// Bytes.
        pub space: i64 = "SpaceReclaimed",
    }
}

object! {
    /// Images that are gone.
    pub struct ImagesPruned {
        /// References, images and layers.
        pub images: Option<Vec<ImageDeleted>> = "ImagesDeleted",
        /// Bytes.
        pub space: i64 = "SpaceReclaimed",
    }
}

object! {
    /// Volumes that are gone.
    pub struct VolumesPruned {
        /// Their names.
        pub volumes: Option<Vec<String>> = "VolumesDeleted",
        /// Bytes.
        pub space: i64 = "SpaceReclaimed",
    }
}

object! {
    /// What builds kept and is gone.
    pub struct BuildsPruned {
        /// Ids.
        pub caches: Option<Vec<String>> = "CachesDeleted",
        /// Bytes.
        pub space: i64 = "SpaceReclaimed",
    }
}
