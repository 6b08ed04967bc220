//! The plan of mounts, carried out in the container's mount namespace, before its root is pivoted to.

use std::os::fd::{AsFd, OwnedFd};

use kernel::mount::{Attr, FsContext, Mount, Propagation as Spread, Recursive};
use kernel::root::RootDir;
use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, fstat, fstatfs, openat};
use rustix::io::Errno;

use super::copyup;
use super::options::{self, Change, Depth, Propagation, attr};
use super::plan::{Place, Plan, Step, What, clean};
use crate::error::{Error, Kind, Result};
use crate::sources::{Sources, map_owners};

/// What carrying out the plan leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The container's own procfs, whatever is mounted over it later.
    pub(crate) proc: Option<OwnedFd>,
    /// What becomes read-only when everything in it is made.
    sealed: Vec<Mount>,
}

/// Mounts everything but the container's cgroups, for which `cgroup` is called with the step.
pub(crate) fn apply(
    plan: &Plan,
    sources: &Sources,
    root: &RootDir,
    label: &str,
    mut cgroup: impl FnMut(&Step, &OwnedFd) -> Result<()>,
) -> Result<Made> {
    let mut made = Made::default();
    for (number, step) in plan.steps.iter().enumerate() {
        let mount = match &step.what {
            What::New { kind, source } => new(step, kind, source, label, &mut made)?,
            What::Bind { source, depth } => match sources.bind(number) {
                Some(mount) => mount.try_clone()?,
                None => open_bind(step, source, *depth, None)?,
            },
            What::Cgroup => {
                cgroup(step, &destination(root, step, Directory::Yes)?)?;
                continue;
            }
        };
        let at = |error: kernel::Error| Error::io("mount at", &step.destination, error.source);
        if let Some((propagation, depth)) = step.options.propagation {
            let none = Attr::empty();
            mount
                .set_attr(none, none, Some(spread(propagation)), recursive(depth))
                .map_err(at)?;
        }
        let target = destination(root, step, is_directory(&mount)?)?;
        if step.options.copy_up {
            copyup::copy(&target, mount.as_fd(), &step.destination)?;
        }
        mount.attach(&target, "").map_err(at)?;
    }
    Ok(made)
}

impl Made {
    /// Makes read-only what was to be.
    pub(crate) fn seal(&self) -> Result<()> {
        for mount in &self.sealed {
            mount.set_attr(Attr::MOUNT_ATTR_RDONLY, Attr::empty(), None, Recursive::No)?;
        }
        Ok(())
    }
}

fn new(step: &Step, kind: &str, source: &str, label: &str, made: &mut Made) -> Result<Mount> {
    let named = |error: kernel::Error| {
        let kernel::Error {
            subject, source, ..
        } = error;
        Error::io(
            "mount",
            format!("{subject} at {}", step.destination),
            source,
        )
    };
    if step.options.id_map.is_some() {
        return Err(Error::unsupported(
            "map owners of mount at",
            &step.destination,
        ));
    }
    let mut context = FsContext::new(kind).map_err(named)?;
    if !source.is_empty() {
        context = context.string("source", source);
    }
    for (key, value) in &step.options.data {
        context = match value {
            Some(value) => context.string(key, value),
            // devpts is always an instance of its own since Linux 4.7.
            None if kind == "devpts" && key == "newinstance" => context,
            None => context.flag(key),
        };
    }
    if !label.is_empty() && matches!(kind, "tmpfs" | "devpts" | "mqueue") {
        context = context.string("context", label);
    }
    let mut change = step.options.attr;
    // What is mounted below, and the nodes of /dev, must still be made in it.
    let sealed = kind == "tmpfs" && change.set & attr::RDONLY != 0;
    if sealed {
        change.set &= !attr::RDONLY;
    }
    let mount = context
        .create()
        .and_then(|fs| fs.mount(bits(change.set)))
        .map_err(named)?;
    if sealed {
        made.sealed.push(mount.try_clone()?);
    }
    if step.place == Place::ProcRoot {
        made.proc = Some(mount.try_clone()?.into_fd());
    }
    Ok(mount)
}

/// A copy of what is bound, with its attributes, and with its owners seen through `map`.
pub(crate) fn open_bind(
    step: &Step,
    source: &str,
    depth: Depth,
    map: Option<&OwnedFd>,
) -> Result<Mount> {
    let at = Error::at::<Errno>("open source of mount", source);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let fd = openat(CWD, source, flags, Mode::empty()).map_err(at)?;
    if step.place == Place::ProcRoot && !is_proc_root(&fd)? {
        return Err(Error::invalid(
            "mount over /proc what is not a procfs:",
            source,
        ));
    }
    let mount = Mount::clone_tree(&fd, "", recursive(depth))
        .map_err(|e| Error::io("bind", source, e.source))?;
    if let Some(map) = map {
        map_owners(&mount, step, map)?;
    }
    for (change, depth) in [
        (step.options.attr, Depth::One),
        (step.options.recursive, Depth::All),
    ] {
        set(&mount, change, depth)
            .map_err(|e| Error::io("set attributes of mount at", &step.destination, e.source))?;
    }
    Ok(mount)
}

fn set(mount: &Mount, change: Change, depth: Depth) -> kernel::Result<()> {
    if change.is_empty() {
        return Ok(());
    }
    mount.set_attr(bits(change.set), bits(change.clear), None, recursive(depth))
}

/// Finds, or makes, the place of `step` in the container.
fn destination(root: &RootDir, step: &Step, directory: Directory) -> Result<OwnedFd> {
    let path = &step.destination;
    let at = |error: kernel::Error| Error::io("make mount point", path, error.source);
    if matches!(step.place, Place::ProcRoot | Place::Fixed) {
        return fixed(root, &clean(path));
    }
    let fd = match directory {
        Directory::Yes => root.create_dir_all(path, 0o755).map_err(at)?,
        Directory::No => root.ensure_file(path, 0o755).map_err(at)?,
    };
    // Whatever led there, a link or `..`.
    if step.place == Place::Free && is_proc(&fd)? {
        return Err(Error::invalid("mount in /proc", path));
    }
    Ok(fd)
}

/// `/proc`, `/sys` or `/dev`: a link there would lead what the engine makes astray.
fn fixed(root: &RootDir, path: &str) -> Result<OwnedFd> {
    let fd = match root.open_path_nofollow(path) {
        Err(error) if error.is_not_found() => root.create_dir_all(path, 0o755)?,
        other => other?,
    };
    let stat = fstat(&fd).map_err(Error::at("look at", path))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(Error::new(
            Kind::Invalid,
            "mount on what is not a directory:",
            path,
        ));
    }
    Ok(fd)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directory {
    Yes,
    No,
}

fn is_directory(mount: &Mount) -> Result<Directory> {
    let stat = fstat(mount.as_fd()).map_err(Error::at("look at", "mount"))?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Directory::Yes,
        _ => Directory::No,
    })
}

fn is_proc(fd: &OwnedFd) -> Result<bool> {
    let stat = fstatfs(fd).map_err(Error::at("look at", "mount point"))?;
    Ok(stat.f_type == PROC_SUPER_MAGIC)
}

fn is_proc_root(fd: &OwnedFd) -> Result<bool> {
    /// PROC_ROOT_INO.
    const ROOT: u64 = 1;
    Ok(is_proc(fd)? && fstat(fd).map_err(Error::at("look at", "/proc"))?.st_ino == ROOT)
}

/// Attributes of a mount; all that options name are in the lower half.
pub(crate) fn bits(bits: u64) -> Attr {
    Attr::from_bits_retain(u32::try_from(bits).unwrap_or(0))
}

pub(crate) fn recursive(depth: Depth) -> Recursive {
    match depth {
        Depth::One => Recursive::No,
        Depth::All => Recursive::Yes,
    }
}

pub(crate) fn spread(propagation: Propagation) -> Spread {
    match propagation {
        options::Propagation::Shared => Spread::Shared,
        options::Propagation::Slave => Spread::Slave,
        options::Propagation::Private => Spread::Private,
        options::Propagation::Unbindable => Spread::Unbindable,
    }
}
