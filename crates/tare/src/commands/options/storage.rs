//! What the container sees as files.

use crate::flag::{self, Bind, MountSpec};

/// Flags about volumes, mounts and the root file system.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Bind mount a volume
    #[arg(short, long, value_name = "list", value_parser = flag::bind)]
    pub(crate) volume: Vec<Bind>,
    /// Attach a filesystem mount to the container
    #[arg(long, value_name = "mount", value_parser = flag::mount)]
    pub(crate) mount: Vec<MountSpec>,
    /// Mount a tmpfs directory
    #[arg(long, value_name = "list", value_parser = flag::tmpfs)]
    pub(crate) tmpfs: Vec<(String, String)>,
    /// Mount volumes from the specified container(s)
    #[arg(long, value_name = "list")]
    pub(crate) volumes_from: Vec<String>,
    /// Optional volume driver for the container
    #[arg(long, value_name = "string")]
    pub(crate) volume_driver: Option<String>,
    /// Mount the container's root filesystem as read only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Size of /dev/shm
    #[arg(long, value_name = "bytes", value_parser = flag::bytes)]
    pub(crate) shm_size: Option<i64>,
    /// Storage driver options for the container
    #[arg(long, value_name = "list", value_parser = flag::pair)]
    pub(crate) storage_opt: Vec<(String, String)>,
}
