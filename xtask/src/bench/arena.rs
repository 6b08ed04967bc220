//! Where contenders meet: one fresh journalled file system, and a host that none of them has seen before.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{images, peers, shell};

/// The mounted scratch of one bench.
#[derive(Debug)]
pub(super) struct Arena {
    /// The folder on the host.
    pub(super) dir: PathBuf,
    /// The journalled file system.
    pub(super) disk: PathBuf,
    /// The parent of all cgroups, without a leading slash.
    pub(super) cgroup: String,
}

/// The name of the bench's cgroups, from its folder's.
pub(super) fn cgroup(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("tare-{name}")
}

impl Arena {
    /// Mounts everything. Only in a mount namespace of its own.
    pub(super) fn set_up(dir: &Path) -> Result<Self> {
        let arena = Self {
            dir: dir.to_owned(),
            disk: dir.join("disk"),
            cgroup: cgroup(dir),
        };
        let image = dir.join("disk.ext4");
        let image = image.to_str().context("path is not UTF-8")?;
        shell::output("mkfs.ext4", &["-q", "-F", image, "16G"])?;
        std::fs::create_dir_all(&arena.disk)?;
        let disk = arena.disk();
        shell::output("mount", &["-o", "loop", image, disk])?;
        arena.lay_peers_over_the_host()?;
        for fresh in ["/run", "/var/lib"] {
            shell::output("mount", &["-t", "tmpfs", "tmpfs", fresh])?;
        }
        // crun refuses a v2 hierarchy with controllers beside v1, which is then of no use to the others either.
        if Path::new("/sys/fs/cgroup/unified").is_dir() {
            shell::output("umount", &["-l", "/sys/fs/cgroup/unified"])?;
        }
        let busybox = images::busybox_binary()?;
        let busybox = busybox.to_str().context("path is not UTF-8")?;
        shell::output(busybox, &["ip", "link", "set", "lo", "up"])?;
        Ok(arena)
    }

    /// The file system's path as text.
    pub(super) fn disk(&self) -> &str {
        self.disk.to_str().unwrap_or_default()
    }

    /// Programs, libraries and configuration of the peers where they expect them.
    fn lay_peers_over_the_host(&self) -> Result<()> {
        let (docker, podman) = (peers::DOCKER.unpack()?, peers::PODMAN.unpack()?);
        let over = |top: &str| {
            let (docker, podman) = (docker.join(top), podman.join(top));
            format!("lowerdir={}:{}:/{top}", docker.display(), podman.display())
        };
        let usr = format!("ro,{}", over("usr"));
        shell::output("mount", &["-t", "overlay", "-o", &usr, "overlay", "/usr"])?;
        let (upper, work) = (self.disk.join("etc"), self.disk.join("etc-work"));
        for dir in [&upper, &work] {
            std::fs::create_dir_all(dir)?;
        }
        let etc = format!(
            "{},upperdir={},workdir={}",
            over("etc"),
            upper.display(),
            work.display()
        );
        shell::output("mount", &["-t", "overlay", "-o", &etc, "overlay", "/etc"])?;
        Ok(())
    }
}
