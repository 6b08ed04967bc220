//! Which extended attributes of a layer are kept.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{getxattr, listxattr, listxattr_query};
use rustix::io::Errno;

use super::tree::Xattrs;
use crate::tar::Kind;

/// Keeps what is the user's business. Overlayfs's own marks would hide or redirect files (security rule D5), and labels of
/// security modules are the host's to give; file capabilities are bounded by the container's.
pub(crate) fn kept(xattrs: Xattrs, kind: &Kind) -> Xattrs {
    let takes_user = matches!(kind, Kind::File | Kind::Directory | Kind::HardLink(_));
    xattrs
        .into_iter()
        .filter(|(name, value)| is_kept(name, value, takes_user))
        .collect()
}

/// Whether an attribute of the layers below is taken into the new layer.
fn is_kept(name: &[u8], value: &[u8], takes_user: bool) -> bool {
    match name {
        b"security.capability" => is_capability(value),
        b"system.posix_acl_access" | b"system.posix_acl_default" => is_acl(value),
        _ if name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.overlay.") => false,
        // The kernel lets only files and directories have them (xattr(7)).
        _ if name.starts_with(b"user.") => takes_user && name.len() > 5,
        _ => name.starts_with(b"trusted.") && name.len() > 8,
    }
}

/// A revision and the length that it has (linux/capability.h): the kernel takes no others.
fn is_capability(value: &[u8]) -> bool {
    matches!(
        (value.get(3), value.len()),
        (Some(1), 12) | (Some(2), 20) | (Some(3), 24)
    )
}

/// Version 2 and whole entries: the kernel refuses to look into a file with any other.
fn is_acl(value: &[u8]) -> bool {
    value.starts_with(&[2, 0, 0, 0]) && value.len() % 8 == 4
}

/// The attributes of an open file that are kept, and whether overlayfs marked it as opaque. They are read by a path of procfs: an `O_PATH`
/// descriptor gives none itself.
pub(crate) fn read(fd: impl AsFd, kind: &Kind) -> Result<(Xattrs, bool), Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let takes_user = matches!(kind, Kind::File | Kind::Directory | Kind::HardLink(_));
    let (mut xattrs, mut opaque) = (Vec::new(), false);
    for name in names(&path)?
        .split(|&b| b == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 64 << 10];
        let len = match getxattr(&path, name, &mut value) {
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            other => other?,
        };
        value.truncate(len);
        opaque |= name == b"trusted.overlay.opaque" && value == b"y";
        if is_kept(name, &value, takes_user) {
            value.shrink_to_fit();
            xattrs.push((name.to_vec(), value));
        }
    }
    xattrs.sort();
    Ok((xattrs, opaque))
}

/// Most files have none, and asking how many there are is cheap.
fn names(path: &str) -> Result<Vec<u8>, Errno> {
    match listxattr_query(path) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        other => drop(other?),
    }
    let mut names = vec![0; 64 << 10];
    let len = listxattr(path, &mut names)?;
    names.truncate(len);
    Ok(names)
}
