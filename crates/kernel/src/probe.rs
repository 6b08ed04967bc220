//! What the running kernel can do, found out by asking for it. Versions say nothing: features are backported, built out, and forbidden.

use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::error::At;
use crate::mount::FsContext;
use crate::{Result, capability, raw};

/// Whether the kernel has the file system `kind` now; one in a module that is not loaded counts if asking for it loads it.
///
/// # Errors
/// No right to ask.
pub fn has_file_system(kind: &str) -> Result<bool> {
    match FsContext::new(kind) {
        Ok(_) => Ok(true),
        Err(error) if error.errno() == Errno::NODEV => Ok(false),
        Err(error) => Err(error),
    }
}

/// How overlayfs takes its lower layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverlayLayers {
    /// As one text of paths.
    Text,
    /// One option `lowerdir+` a path (Linux 6.7).
    Paths,
    /// One option `lowerdir+` a descriptor (Linux 6.13); detached mounts from 6.15.
    Descriptors,
}

/// How overlayfs takes its lower layers here.
///
/// # Errors
/// No overlayfs, or no right to ask.
pub fn overlay_layers() -> Result<OverlayLayers> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, c"/", flags, Mode::empty()).at("open", "/")?;
    // Nothing is mounted: only the options are looked at.
    if FsContext::new("overlay")?
        .fd("lowerdir+", root.as_fd())
        .accepted()
    {
        return Ok(OverlayLayers::Descriptors);
    }
    if FsContext::new("overlay")?
        .string("lowerdir+", "/")
        .accepted()
    {
        return Ok(OverlayLayers::Paths);
    }
    Ok(OverlayLayers::Text)
}

/// Whether the calling thread has `cap` now.
///
/// # Errors
/// capget(2) failed.
pub fn has_capability(cap: capability::Cap) -> Result<bool> {
    let (effective, _, _) = raw::capability::get().at("read", "capabilities")?;
    Ok(effective & 1 << cap.number() != 0)
}
