//! Layers and snapshots as mounts.
//!
//! Each layer is mounted once, at `<run>/layers/<id>`, by whoever needs it first; all overlays share it. The directory
//! `<run>/layers` is a private mount, so that nothing spreads to other namespaces. Overlays are never attached anywhere.
//!
//! Three ways to make an overlay, by what the kernel takes: descriptors of the layers (Linux 6.13), their paths one by
//! one (6.7), or all paths in one option. Paths are those of procfs to our descriptors: short, and nobody else's.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kernel::Errno;
use kernel::mount::{Attr, FsContext, Mount, Propagation, Recursive};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, openat, statx};
use spec::LayerId;
use state::LockKind;

use crate::draft::open_directory;
use crate::error::{Error, Kind, Result};
use crate::layer::image::file_name;
use crate::store::{PATIENCE, Store};

mod legacy;

/// The most layers that overlayfs stacks (OVL_MAX_STACK).
const MAX_LAYERS: usize = 500;

/// How the kernel is told the layers of an overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayMode {
    /// `lowerdir+` with descriptors.
    Descriptors,
    /// `lowerdir+` with paths.
    Paths,
    /// `lowerdir` with all paths.
    OnePath,
}

/// Whether EROFS images can be mounted here.
pub(crate) fn erofs_works() -> bool {
    FsContext::new("erofs").is_ok()
}

/// The directories of a writable overlay.
pub(crate) struct Upper {
    pub(crate) upper: OwnedFd,
    pub(crate) work: OwnedFd,
    /// Nothing of it is synced: for what nobody wants back after a crash (Linux 5.10).
    pub(crate) volatile: bool,
}

impl Store {
    /// A detached, read-only mount of layers, bottom first, merged.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a layer, or it can't be mounted.
    pub fn view(&self, layers: &[LayerId]) -> Result<Mount> {
        self.overlay(layers, None, Attr::MOUNT_ATTR_RDONLY)
    }

    /// A detached overlay of `layers`, bottom first.
    pub(crate) fn overlay(
        &self,
        layers: &[LayerId],
        upper: Option<&Upper>,
        attr: Attr,
    ) -> Result<Mount> {
        const OP: &str = "mount overlay of";
        let subject = format!("{} layers", layers.len());
        if layers.len() > MAX_LAYERS {
            return Err(Error::limit(
                OP,
                subject,
                format!("overlayfs stacks {MAX_LAYERS} at most"),
            ));
        }
        // A layer that comes again above shows all that it has there: below it adds nothing, and overlayfs takes it for a loop.
        let mut seen = HashSet::new();
        let mut lowers = layers
            .iter()
            .rev()
            .filter(|id| seen.insert(**id))
            .map(|id| self.mounted(id))
            .collect::<Result<Vec<_>>>()?;
        // Overlayfs wants two layers, be they empty.
        let wanted = 2_usize.saturating_sub(usize::from(upper.is_some()));
        for number in lowers.len()..wanted {
            // Not the same twice, which overlayfs takes for a loop.
            lowers.push(self.empty_directory(number)?);
        }
        let known = self.overlay_mode();
        let modes = match known.get() {
            Some(OverlayMode::OnePath) => &[OverlayMode::OnePath][..],
            Some(OverlayMode::Paths) => &[OverlayMode::Paths],
            Some(OverlayMode::Descriptors) => &[OverlayMode::Descriptors],
            None => &[
                OverlayMode::Descriptors,
                OverlayMode::Paths,
                OverlayMode::OnePath,
            ],
        };
        let mut first = None;
        for &mode in modes {
            match self.try_overlay(mode, &lowers, upper, attr) {
                Ok(mount) => {
                    known.get_or_init(|| mode);
                    return Ok(mount);
                }
                // The way that the kernel knows has the best message.
                Err(error) => first = first.or(Some(error)),
            }
        }
        let cause = first.unwrap_or_else(|| {
            kernel::Error::new(OP, &subject, std::io::Error::from(Errno::NOSYS))
        });
        Err(Error::kernel(OP, subject, cause))
    }

    fn try_overlay(
        &self,
        mode: OverlayMode,
        lowers: &[OwnedFd],
        upper: Option<&Upper>,
        attr: Attr,
    ) -> kernel::Result<Mount> {
        let mut context = FsContext::new("overlay")?;
        match mode {
            OverlayMode::Descriptors => {
                for lower in lowers {
                    context = context.fd("lowerdir+", lower.as_fd());
                }
            }
            OverlayMode::Paths => {
                for lower in lowers {
                    context = context.string("lowerdir+", fd_path(lower.as_fd()));
                }
            }
            OverlayMode::OnePath => {
                let all: Vec<String> = lowers.iter().map(|lower| fd_path(lower.as_fd())).collect();
                let all = all.join(":");
                // fsconfig(2) takes 255 bytes.
                if all.len() > 255 {
                    return legacy::overlay(&self.run().join("layers"), &all, upper, attr);
                }
                context = context.string("lowerdir", all);
            }
        }
        for (key, value) in OPTIONS {
            context = context.string(key, value);
        }
        match upper {
            Some(Upper {
                upper,
                work,
                volatile,
            }) => {
                context = if mode == OverlayMode::Descriptors {
                    context
                        .fd("upperdir", upper.as_fd())
                        .fd("workdir", work.as_fd())
                } else {
                    context
                        .string("upperdir", fd_path(upper.as_fd()))
                        .string("workdir", fd_path(work.as_fd()))
                };
                if *volatile {
                    context = context.flag("volatile");
                }
            }
            None => context = context.flag("ro"),
        }
        context.create()?.mount(attr)
    }

    /// The root of a layer's mount, which is mounted if it is not.
    pub(crate) fn mounted(&self, id: &LayerId) -> Result<OwnedFd> {
        let name = id.to_string();
        let place = self.run().join("layers").join(&name);
        if let Some(fd) = mount_root(&place)? {
            return Ok(fd);
        }
        if let Ok(fd) = open_directory(&self.layers().join(&name)) {
            return Ok(fd);
        }
        self.private_base()?;
        let _lock = self
            .locks()
            .lock(LockKind::Layer, &name, PATIENCE)
            .map_err(|e| Error::state("mount layer", id, e))?;
        if let Some(fd) = mount_root(&place)? {
            return Ok(fd);
        }
        self.make_directory(&place)?;
        let image = self.layers().join(file_name(&name));
        if !image.exists() {
            return Err(Error::because(
                Kind::NotFound,
                "mount layer",
                id,
                "the store does not have it",
            ));
        }
        let mount = mount_image(&image).map_err(|e| Error::kernel("mount layer", id, e))?;
        failpoint::failpoint!("store.layer.mount.before_attach");
        let base = open_directory(&self.run().join("layers"))?;
        mount
            .attach(&base, &name)
            .map_err(|e| Error::kernel("mount layer", id, e))?;
        failpoint::failpoint!("store.layer.mount.after_attach");
        Ok(mount.into_fd())
    }

    /// Makes `<run>/layers` a mount of its own from which nothing spreads.
    pub(crate) fn private_base(&self) -> Result<()> {
        let base = self.run().join("layers");
        if mount_root(&base)?.is_some() {
            return Ok(());
        }
        self.make_directory(&base)?;
        let _lock = self
            .locks()
            .lock(LockKind::Layer, "base", PATIENCE)
            .map_err(|e| Error::state("mount", base.display(), e))?;
        if mount_root(&base)?.is_some() {
            return Ok(());
        }
        let failed = |e| Error::kernel("mount", base.display(), e);
        let fd = open_directory(&base)?;
        let mount = Mount::clone_tree(&fd, "", Recursive::No).map_err(failed)?;
        mount.attach(&fd, "").map_err(failed)?;
        mount
            .set_attr(
                Attr::empty(),
                Attr::empty(),
                Some(Propagation::Private),
                Recursive::No,
            )
            .map_err(failed)
    }

    /// Detaches a layer's mount if it has one. Overlays that have it keep it.
    pub(crate) fn unmount_layer(&self, id: &LayerId) -> Result<()> {
        let place = self.run().join("layers").join(id.to_string());
        self.unmount(&place)
    }

    pub(crate) fn unmount(&self, place: &Path) -> Result<()> {
        while mount_root(place)?.is_some() {
            kernel::mount::unmount_detach(place)
                .map_err(|e| Error::kernel("unmount", place.display(), e))?;
        }
        match std::fs::remove_dir(place) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", place.display(), e))
            }
            _ => Ok(()),
        }
    }

    fn empty_directory(&self, number: usize) -> Result<OwnedFd> {
        let path = self.run().join("empty").join(number.to_string());
        self.make_directory(&path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, &path, flags, Mode::empty())
            .map_err(|e| Error::io("open", path.display(), e.into()))
    }
}

/// Layers' own marks are ours, so that none of overlayfs's extensions is needed; a redirect or a reference to data elsewhere
/// would let a layer name files that it does not have (security rule D5).
const OPTIONS: [(&str, &str); 3] = [
    ("index", "off"),
    ("metacopy", "off"),
    ("redirect_dir", "nofollow"),
];

fn fd_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// What is at `path`, if it is the root of a mount.
fn mount_root(path: &Path) -> Result<Option<OwnedFd>> {
    let failed = |e: Errno| Error::io("look at", path.display(), e.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = match openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let stat = statx(&fd, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()).map_err(failed)?;
    Ok(stat
        .stx_attributes
        .contains(StatxAttributes::MOUNT_ROOT)
        .then_some(fd))
}

/// A detached mount of an image. Its files are for overlays: programs and devices in them work there, not here.
fn mount_image(image: &Path) -> kernel::Result<Mount> {
    let attr = Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV;
    let source = |path: &Path| {
        FsContext::new("erofs")?
            .flag("ro")
            .string("source", path)
            .create()?
            .mount(attr)
    };
    match source(image) {
        // Before Linux 6.12 EROFS takes block devices only.
        Err(error) if error.errno() == Errno::NOTBLK => legacy::mount_by_loop(image, attr),
        other => other,
    }
}
