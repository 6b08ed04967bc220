//! Device nodes and links in `/dev`.

use kernel::mount::{Mount, Recursive};
use kernel::root::RootDir;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, makedev, mknodat, openat,
    statat, symlinkat,
};
use rustix::io::Errno;
use spec::profile;
use spec::runtime::{Device, DeviceKind, Spec};

use crate::error::{Error, Result};
use crate::mount::clean;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Absolute, clean.
    pub(crate) path: String,
    pub(crate) kind: FileType,
    pub(crate) device: (u32, u32),
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
}

/// The nodes of every container and those of `spec`, which win.
pub(crate) fn plan(spec: &Spec) -> Result<Vec<Node>> {
    let mut nodes: Vec<Node> = profile::DEVICES
        .iter()
        .map(|&(name, major, minor)| Node {
            path: format!("/dev/{name}"),
            kind: FileType::CharacterDevice,
            device: (major, minor),
            mode: 0o666,
            owner: (0, 0),
        })
        .collect();
    for device in spec.linux.iter().flat_map(|l| &l.devices) {
        let node = node(device)?;
        nodes.retain(|n| n.path != node.path);
        nodes.push(node);
    }
    Ok(nodes)
}

fn node(device: &Device) -> Result<Node> {
    let path = clean(&device.path);
    let refused = |why| {
        Err(Error::invalid(
            why,
            device.path.escape_default().to_string(),
        ))
    };
    if path == "/" || path == "/dev" || path.contains('\0') {
        return refused("make device at");
    }
    if path == "/proc" || path.starts_with("/proc/") {
        return refused("make device in /proc:");
    }
    let kind = match device.kind {
        DeviceKind::Block => FileType::BlockDevice,
        DeviceKind::Char => FileType::CharacterDevice,
        DeviceKind::Fifo => FileType::Fifo,
        DeviceKind::All => return refused("make device of no kind:"),
    };
    let (Ok(major), Ok(minor)) = (u32::try_from(device.major), u32::try_from(device.minor)) else {
        return refused("read numbers of device");
    };
    Ok(Node {
        path,
        kind,
        device: (major, minor),
        mode: device.file_mode.unwrap_or(0o666) & 0o7777,
        owner: (device.uid.unwrap_or(0), device.gid.unwrap_or(0)),
    })
}

/// Makes `nodes`, and the links of every container. The caller's file mode creation mask is 0.
pub(crate) fn apply(root: &RootDir, nodes: &[Node]) -> Result<()> {
    let dev = RootDir::from_fd(root.create_dir_all("/dev", 0o755)?);
    for node in nodes {
        match node.path.strip_prefix("/dev/") {
            Some(name) if !name.contains('/') => make(&dev, name, node)?,
            _ => {
                let (parent, name) = node.path.rsplit_once('/').unwrap_or(("", &node.path));
                make(
                    &RootDir::from_fd(root.create_dir_all(parent, 0o755)?),
                    name,
                    node,
                )?;
            }
        }
    }
    for (name, target) in profile::DEVICE_LINKS {
        link(&dev, name, target)?;
    }
    if rustix::fs::access("/proc/kcore", rustix::fs::Access::EXISTS).is_ok() {
        link(&dev, "core", "/proc/kcore")?;
    }
    Ok(())
}

fn make(dir: &RootDir, name: &str, node: &Node) -> Result<()> {
    let device = makedev(node.device.0, node.device.1);
    match mknodat(dir, name, node.kind, Mode::from_raw_mode(node.mode), device) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            // The same node in an image, or in a volume that another container used: as it is. Anything else is not.
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(Error::at("look at", &node.path))?;
            let same = FileType::from_raw_mode(stat.st_mode) == node.kind
                && (node.kind == FileType::Fifo || stat.st_rdev == device);
            return if same {
                Ok(())
            } else {
                Err(Error::io("make device", &node.path, Errno::EXIST))
            };
        }
        // In a user namespace nobody makes devices: the host's own is bound, if it is the same.
        Err(Errno::PERM) if node.kind != FileType::Fifo => return bind(dir, name, node),
        Err(error) => return Err(Error::io("make device", &node.path, error)),
    }
    if node.owner == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(node.owner.0), Gid::from_raw(node.owner.1));
    chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(Error::at("own device", &node.path))
}

fn bind(dir: &RootDir, name: &str, node: &Node) -> Result<()> {
    let at = |error: Errno| Error::io("bind device", &node.path, error);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let host = openat(CWD, &node.path, flags, Mode::empty()).map_err(at)?;
    let stat = fstat(&host).map_err(at)?;
    let device = makedev(node.device.0, node.device.1);
    if FileType::from_raw_mode(stat.st_mode) != node.kind || stat.st_rdev != device {
        return Err(Error::invalid(
            "bind another device of the host's as",
            &node.path,
        ));
    }
    let file = dir.ensure_file(name, 0o666)?;
    let mount = Mount::clone_tree(&host, "", Recursive::No)?;
    mount
        .attach(&file, "")
        .map_err(|e| Error::io("bind device", &node.path, e.source))
}

fn link(dev: &RootDir, name: &str, target: &str) -> Result<()> {
    match symlinkat(target, dev, name) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(Error::io("make link", format!("/dev/{name}"), error)),
    }
}

#[cfg(test)]
mod tests;
