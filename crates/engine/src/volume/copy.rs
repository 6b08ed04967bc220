//! Filling a new volume with what the image has in its place.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kernel::root::RootDir;
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, Uid,
    XattrFlags,
};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::launch::open_dir;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Where a volume is filled before it is put in place.
pub(crate) const DRAFT: &str = ".tare-fill-";
/// A deeper tree is no tree of files that somebody needs.
const DEPTH: usize = 512;

type Step<T> = std::result::Result<T, Errno>;

/// Copies what `image` has at `place` into the empty volume `name` below `volumes`. Nothing there leaves it empty.
pub(super) fn fill(volumes: &Path, name: &str, image: &RootDir, place: &str) -> Result<()> {
    let failed = |e: Errno| {
        Error::internal(
            format!("fill volume {name} with {place} of the image"),
            std::io::Error::from(e),
        )
    };
    let Ok(source) = image.open_dir(place) else {
        return Ok(());
    };
    let parent = open_dir(volumes)?;
    let draft = format!("{DRAFT}{name}");
    // Left by a kill, and locked by nobody: the volume's lock is held.
    kernel::tree::remove(&parent, &draft)?;
    rustix::fs::mkdirat(&parent, &draft, Mode::from_raw_mode(0o700)).map_err(failed)?;
    let copied = (|| {
        let from = reopen(source.as_fd())?;
        let to = rustix::fs::openat(&parent, &draft, DIRECTORY, Mode::empty())?;
        tree(&from, &to, 0)?;
        like(&to, &rustix::fs::fstat(&from)?)?;
        rustix::fs::syncfs(&to)?;
        rustix::fs::renameat_with(&parent, &draft, &parent, name, RenameFlags::EXCHANGE)
    })();
    // The draft, or, after the exchange, the empty directory.
    let removed = kernel::tree::remove(&parent, &draft);
    copied.map_err(failed)?;
    Ok(removed?)
}

fn reopen(directory: BorrowedFd<'_>) -> Step<OwnedFd> {
    rustix::fs::openat(directory, ".", DIRECTORY, Mode::empty())
}

fn tree(from: &OwnedFd, to: &OwnedFd, depth: usize) -> Step<()> {
    if depth == DEPTH {
        return Err(Errno::LOOP);
    }
    let mut entries = Dir::read_from(from)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            one(from, to, name, depth)?;
        }
    }
    Ok(())
}

fn one(from: &OwnedFd, to: &OwnedFd, name: &CStr, depth: usize) -> Step<()> {
    let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::Directory => {
            rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700))?;
            let inside = rustix::fs::openat(from, name, DIRECTORY, Mode::empty())?;
            let copy = rustix::fs::openat(to, name, DIRECTORY, Mode::empty())?;
            tree(&inside, &copy, depth + 1)?;
            like(&copy, &stat)?;
            xattrs(&inside, &copy)
        }
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inside = rustix::fs::openat(from, name, flags, Mode::empty())?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let copy = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o600))?;
            content(&inside, &copy)?;
            like(&copy, &stat)?;
            // After the owner, whose change takes a file's capabilities away.
            xattrs(&inside, &copy)
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            rustix::fs::symlinkat(&target, to, name)?;
            owner(to, name, &stat)
        }
        FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice => {
            let mode = Mode::from_raw_mode(stat.st_mode);
            rustix::fs::mknodat(to, name, kind, mode, stat.st_rdev)?;
            owner(to, name, &stat)?;
            rustix::fs::chmodat(to, name, mode, AtFlags::empty())
        }
        // A socket without its process means nothing.
        _ => Ok(()),
    }
}

fn content(from: &OwnedFd, to: &OwnedFd) -> Step<()> {
    const MOST: usize = 1 << 30;
    loop {
        match rustix::fs::copy_file_range(from, None, to, None, MOST) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Not between these two file systems.
            Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => break,
            Err(e) => return Err(e),
        }
    }
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = rustix::io::read(from, &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = rustix::io::write(to, rest)?;
            rest = &rest[written..];
        }
    }
}

fn ids(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )
}

fn owner(to: &OwnedFd, name: &CStr, stat: &Stat) -> Step<()> {
    let (uid, gid) = ids(stat);
    rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
}

/// Owner, permissions (after the owner, whose change clears set-id bits) and times.
fn like(to: &OwnedFd, stat: &Stat) -> Step<()> {
    let (uid, gid) = ids(stat);
    rustix::fs::fchown(to, uid, gid)?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let time = |sec: i64, nsec: u64| Timespec {
        tv_sec: sec,
        tv_nsec: i64::try_from(nsec).unwrap_or(0),
    };
    rustix::fs::futimens(
        to,
        &Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
        },
    )
}

/// Extended attributes that containers may have: those of overlayfs are the engine's own.
fn xattrs(from: &OwnedFd, to: &OwnedFd) -> Step<()> {
    let size = match rustix::fs::flistxattr(from, &mut [0_u8; 0][..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    let mut names = vec![0; size];
    let size = rustix::fs::flistxattr(from, &mut names[..])?;
    names.truncate(size);
    for name in names.split(|b| *b == 0).filter(|n| !n.is_empty()) {
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0; 64 * 1024];
        let size = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        match rustix::fs::fsetxattr(to, name, &value[..size], XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
