//! What an image has where a new file system is mounted, copied into that: `tmpcopyup`.
//!
//! The image's tree is a stranger's: each name is opened once, below the directory that was opened before, and no link is followed.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chownat, fchmod,
    fchown, fstat, futimens, mkdirat, mknodat, openat, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// No tree of an image is deeper by itself; paths end at 4096 bytes.
const DEEPEST: usize = 512;

const OPEN: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Copies what is in the directory `from` into the directory `to`, with owners, modes and times; `shown` names it in errors.
pub(crate) fn copy(from: &OwnedFd, to: BorrowedFd<'_>, shown: &str) -> Result<()> {
    let at = |error: Errno| Error::io("copy up into mount at", shown, error);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OPEN;
    let source = openat(from, ".", flags, Mode::empty()).map_err(at)?;
    let target = openat(to, ".", flags, Mode::empty()).map_err(at)?;
    tree(&source, &target, 0).map_err(at)
}

fn tree(source: &OwnedFd, target: &OwnedFd, depth: usize) -> rustix::io::Result<()> {
    if depth > DEEPEST {
        return Err(Errno::NAMETOOLONG);
    }
    let stat = fstat(source)?;
    for entry in Dir::read_from(source)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            one(source, target, entry.file_name(), depth)?;
        }
    }
    dress(target.as_fd(), &stat)
}

fn one(source: &OwnedFd, target: &OwnedFd, name: &CStr, depth: usize) -> rustix::io::Result<()> {
    let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let private = Mode::from_raw_mode(0o700);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            mkdirat(target, name, private)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OPEN;
            let inner = openat(source, name, flags, Mode::empty())?;
            let made = openat(target, name, flags, Mode::empty())?;
            tree(&inner, &made, depth + 1)
        }
        FileType::RegularFile => {
            let inner = openat(source, name, OFlags::RDONLY | OPEN, Mode::empty())?;
            // What was a file a moment ago may be another now.
            let stat = fstat(&inner)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(Errno::STALE);
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OPEN;
            let made = openat(target, name, flags, private)?;
            content(&inner, &made)?;
            dress(made.as_fd(), &stat)
        }
        FileType::Symlink => {
            let link = readlinkat(source, name, Vec::new())?;
            symlinkat(link, target, name)?;
            let (uid, gid) = owner(&stat);
            chownat(
                target,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )
        }
        kind @ (FileType::Fifo | FileType::Socket) => {
            mknodat(
                target,
                name,
                kind,
                Mode::from_raw_mode(stat.st_mode & 0o7777),
                0,
            )?;
            let (uid, gid) = owner(&stat);
            chownat(
                target,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )
        }
        // A device of the image's is nothing that it may have.
        _ => Ok(()),
    }
}

fn content(from: &OwnedFd, to: &OwnedFd) -> rustix::io::Result<()> {
    const CHUNK: usize = 1 << 20;
    loop {
        match rustix::fs::sendfile(to, from, None, CHUNK) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn dress(target: BorrowedFd<'_>, stat: &Stat) -> rustix::io::Result<()> {
    let (uid, gid) = owner(stat);
    fchown(target, Some(uid), Some(gid))?;
    fchmod(target, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    futimens(
        target,
        &Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
        },
    )
}
