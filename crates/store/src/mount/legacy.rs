//! What kernels before 6.12 need: loop devices, and mount(2) for many layers.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use kernel::Errno;
use kernel::loopdev::{DirectIo, LoopDevice};
use kernel::mount::{Attr, FsContext, Mount, Recursive};
use rustix::mount::MountFlags;

use super::{OPTIONS, Upper, fd_path};
use crate::draft::open_directory;

/// The most that mount(2) takes is a page with the NUL at its end.
const PAGE: usize = 4096;

/// Mounts an image through a loop device that ends with the mount.
pub(super) fn mount_by_loop(image: &Path, attr: Attr) -> kernel::Result<Mount> {
    let file = File::open(image).map_err(|e| kernel::Error::new("open", image.display(), e))?;
    // The container's files are cached above; cached again below they would take twice the memory.
    let device = LoopDevice::attach(&file, DirectIo::Try)?;
    FsContext::new("erofs")?
        .flag("ro")
        .string("source", device.path())
        .create()?
        .mount(attr)
}

/// An overlay by mount(2), whose options may be long: mounted below `base`, from which nothing spreads, cloned, and taken
/// away again.
pub(super) fn overlay(
    base: &Path,
    lowers: &str,
    upper: Option<&Upper>,
    attr: Attr,
) -> kernel::Result<Mount> {
    const OP: &str = "mount overlay";
    let invalid =
        |errno: Errno| kernel::Error::new(OP, base.display(), std::io::Error::from(errno));
    let mut data = format!("lowerdir={lowers}");
    for (key, value) in OPTIONS {
        data.push_str(&format!(",{key}={value}"));
    }
    if let Some(Upper {
        upper,
        work,
        volatile,
    }) = upper
    {
        data.push_str(&format!(
            ",upperdir={},workdir={}",
            fd_path(upper.as_fd()),
            fd_path(work.as_fd())
        ));
        if *volatile {
            data.push_str(",volatile");
        }
    }
    if data.len() >= PAGE {
        return Err(invalid(Errno::TOOBIG));
    }
    let data = CString::new(data).map_err(|_| invalid(Errno::INVAL))?;
    let name = format!(".overlay-{}", kernel::random::hex::<8>()?);
    let place = base.join(&name);
    std::fs::create_dir(&place).map_err(|e| kernel::Error::new(OP, place.display(), e))?;
    let flags = if upper.is_some() {
        MountFlags::empty()
    } else {
        MountFlags::RDONLY
    };
    let mounted = rustix::mount::mount("overlay", &place, "overlay", flags, data.as_c_str())
        .map_err(|e| kernel::Error::new(OP, place.display(), std::io::Error::from(e)));
    let clone = mounted.and_then(|()| {
        let fd = open_directory(&place)
            .map_err(|e| kernel::Error::new(OP, place.display(), std::io::Error::other(e)))?;
        let clone = Mount::clone_tree(&fd, "", Recursive::No);
        drop(fd);
        kernel::mount::unmount_detach(&place)?;
        let clone = clone?;
        clone.set_attr(attr, Attr::empty(), None, Recursive::No)?;
        Ok(clone)
    });
    // What a kill leaves here is swept.
    drop(std::fs::remove_dir(&place));
    clone
}
