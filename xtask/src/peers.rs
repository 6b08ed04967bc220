//! Peers to compare with, and the stock client for the tests: unpacked from Debian's packages into `target/peers`,
//! never installed.
//!
//! A peer is run in namespaces of its own with its files laid over the host's `/usr` and `/etc` (see [`crate::bench`]),
//! so that its programs and libraries are where they expect each other.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::tree::{Tree, place};
use crate::{packages, shell};

/// An engine of others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its folder in `target/peers`.
    pub(crate) name: &'static str,
    packages: &'static [&'static str],
}

/// Debian's Docker with containerd and runc.
pub(crate) const DOCKER: Peer = Peer {
    name: "docker",
    packages: &["docker.io"],
};

/// Debian's podman with conmon and crun.
pub(crate) const PODMAN: Peer = Peer {
    name: "podman",
    packages: &["podman", "crun"],
};

/// Debian's skopeo, a client of registries.
pub(crate) const SKOPEO: Peer = Peer {
    name: "skopeo",
    packages: &["skopeo"],
};

/// Debian's CRIU, which works on Debian's kernels, and so in the guest.
pub(crate) const CRIU: Peer = Peer {
    name: "criu",
    packages: &["criu"],
};

/// Debian's emulator, for the guest: installing it beside another version's tools would remove them.
pub(crate) const QEMU: Peer = Peer {
    name: "qemu",
    packages: &["qemu-system-x86", "qemu-system-data", "seabios"],
};

/// What every Debian host has already, or what only installing or signing needs.
const LEFT_OUT: &[&str] = &[
    "adduser",
    "base-",
    "debconf",
    "dirmngr",
    "dpkg",
    "gcc-",
    "gnupg",
    "gpg",
    "init-system",
    "iptables",
    "libc6",
    "libc-bin",
    "libcrypt1",
    "libgcc",
    "libperl",
    "libpam",
    "login",
    "lsb-base",
    "passwd",
    "perl",
    "pinentry",
    "python",
    "tar",
    "usrmerge",
    "usr-is-merged",
    "sysvinit",
];

/// Unpacks all peers.
pub(crate) fn run() -> Result<()> {
    for peer in [DOCKER, PODMAN, SKOPEO, CRIU] {
        let dir = peer.unpack()?;
        shell::say(&format!("{}: {}", peer.version()?, dir.display()));
    }
    python()
}

/// Unpacks all peers that aren't there yet.
pub(crate) fn unpack_all() -> Result<()> {
    for peer in [DOCKER, PODMAN, SKOPEO] {
        let _dir = peer.unpack()?;
    }
    python()
}

/// PyPI's client of the Engine API and what it needs, into `target/peers/python`; without pip the tests that call it say that they skip.
fn python() -> Result<()> {
    const CLIENT: &str = "docker==7.1.0";
    let dir = shell::root().join("target/peers/python");
    let done = dir.join("unpacked");
    if done.exists() || shell::output("python3", &["-m", "pip", "--version"]).is_err() {
        return Ok(());
    }
    shell::say(&format!(
        "unpacking {CLIENT} into target/peers (nothing is installed)"
    ));
    let target = dir.to_str().context("path is not UTF-8")?;
    let args = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--upgrade",
        "--target",
        target,
        CLIENT,
    ];
    shell::run("python3", &args)?;
    place(&done, |file| Ok(file.write_all(CLIENT.as_bytes())?))
}

impl Peer {
    /// Fetches and unpacks the peer unless it is there; gives its folder.
    pub(crate) fn unpack(&self) -> Result<PathBuf> {
        let dir = shell::root().join("target/peers").join(self.name);
        let done = dir.join("unpacked");
        if done.exists() {
            return Ok(dir);
        }
        shell::say(&format!(
            "unpacking {} into target/peers (nothing is installed)",
            self.packages.join(" and ")
        ));
        let skip = |name: &str| {
            let wanted = self.packages.contains(&name);
            !wanted && LEFT_OUT.iter().any(|start| name.starts_with(start))
        };
        let packages = packages::fetch_with_dependencies(self.packages, &skip)?;
        let mut tree = Tree::default();
        for top in ["usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc"] {
            tree.dir(top, 0o755);
        }
        for top in ["bin", "sbin", "lib", "lib64"] {
            tree.symlink(top, &format!("usr/{top}"));
        }
        for package in &packages {
            tree.add_package(package)?;
        }
        let wanted = |path: &str| {
            let own = [
                "etc/docker",
                "etc/containers",
                "etc/containerd",
                "usr/share/containers",
                "usr/share/qemu",
                "usr/share/seabios",
            ];
            let own = own.iter().any(|dir| path.starts_with(dir));
            let elsewhere = path.starts_with("usr") && !path.starts_with("usr/share/");
            own || elsewhere || path == "etc"
        };
        tree.retain(wanted);
        tree.write_dir(&dir)
            .with_context(|| format!("unpack {}", self.name))?;
        let list: String = packages
            .iter()
            .filter_map(|package| package.deb.file_name()?.to_str())
            .map(|name| format!("{name}\n"))
            .collect();
        // Last: its presence says that all is there.
        place(&done, |file| Ok(file.write_all(list.as_bytes())?))?;
        Ok(dir)
    }

    /// Name and version for a table, as the package says them.
    pub(crate) fn version(&self) -> Result<String> {
        let list = fs::read_to_string(self.unpack()?.join("unpacked"))?;
        let start = format!("{}_", self.packages[0]);
        let version = list
            .lines()
            .find_map(|line| line.strip_prefix(&start)?.split(['+', '~', '_']).next())
            .unwrap_or("?");
        Ok(format!("{} {version}", self.name))
    }
}
