//! Devices of the host in a container: what they are is looked up here, just before a start.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use spec::runtime::{Device as Node, DeviceKind, DeviceRule};

use crate::container::{Device, HostConfig};
use crate::error::{Error, Kind, Result};

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostDevice {
    /// Its path in the container.
    pub(crate) path: String,
    pub(crate) kind: DeviceKind,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// `rwm`.
    pub(crate) access: String,
}

impl HostDevice {
    pub(super) fn node(&self) -> Node {
        Node {
            path: self.path.clone(),
            kind: self.kind,
            major: self.major.into(),
            minor: self.minor.into(),
            file_mode: Some(self.mode & 0o7777),
            uid: Some(self.uid),
            gid: Some(self.gid),
        }
    }

    pub(super) fn rule(&self) -> DeviceRule {
        DeviceRule {
            allow: true,
            kind: Some(self.kind),
            major: Some(self.major.into()),
            minor: Some(self.minor.into()),
            access: self.access.clone(),
        }
    }

    fn new(path: String, access: &str, metadata: &Metadata) -> Option<Self> {
        let kind = metadata.file_type();
        let kind = if kind.is_char_device() {
            DeviceKind::Char
        } else if kind.is_block_device() {
            DeviceKind::Block
        } else {
            return None;
        };
        Some(Self {
            path,
            kind,
            major: rustix::fs::major(metadata.rdev()),
            minor: rustix::fs::minor(metadata.rdev()),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            access: access.to_owned(),
        })
    }
}

/// What a device may be used for.
pub(super) fn permissions(device: &Device) -> Result<&str> {
    let access = device.permissions.as_str();
    if access.is_empty() {
        return Ok("rwm");
    }
    if access.chars().all(|c| "rwm".contains(c)) {
        return Ok(access);
    }
    Err(Error::invalid(format!("invalid device mode: {access}")))
}

/// The devices that a container asks for.
pub(crate) fn look_up(host: &HostConfig) -> Result<Vec<HostDevice>> {
    let mut found = Vec::new();
    if host.privileged {
        walk(Path::new("/dev"), "/dev", "rwm", &mut found);
        // Every container has these, made by the runtime.
        let own = |d: &HostDevice| {
            spec::profile::DEVICES
                .iter()
                .any(|(name, ..)| d.path == format!("/dev/{name}"))
        };
        found.retain(|d| !own(d) && !matches!(d.path.as_str(), "/dev/console" | "/dev/ptmx"));
    }
    for device in &host.devices {
        let access = permissions(device)?;
        let target = if device.container_path.is_empty() {
            &device.host_path
        } else {
            &device.container_path
        };
        let failed = |why: &str| {
            Error::new(
                Kind::InvalidParameter,
                format!(
                    "error gathering device information while adding custom device \"{}\": {why}",
                    device.host_path
                ),
            )
        };
        let metadata = std::fs::metadata(&device.host_path)
            .map_err(|_| failed("no such file or directory"))?;
        if metadata.is_dir() {
            walk(Path::new(&device.host_path), target, access, &mut found);
        } else {
            let one = HostDevice::new(target.clone(), access, &metadata)
                .ok_or_else(|| failed("not a device node"))?;
            found.retain(|d| d.path != one.path);
            found.push(one);
        }
    }
    Ok(found)
}

/// The device nodes in a directory of the host. What can't be read is no device that could be given.
fn walk(directory: &Path, target: &str, access: &str, found: &mut Vec<HostDevice>) {
    const SKIPPED: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let (Some(name), Ok(metadata)) = (
            path.file_name().and_then(|n| n.to_str()),
            std::fs::symlink_metadata(&path),
        ) else {
            continue;
        };
        let inside = format!("{target}/{name}");
        if metadata.is_dir() {
            if !SKIPPED.contains(&name) {
                walk(&path, &inside, access, found);
            }
        } else {
            found.extend(HostDevice::new(inside, access, &metadata));
        }
    }
}
