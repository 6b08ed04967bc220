//! The directory of a log.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::record::Header;
use crate::error::{Error, Result};

/// A place in a log: before a record, or at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
}

/// A log's directory.
#[derive(Debug)]
pub struct Segments {
    dir: OwnedFd,
}

impl Segments {
    /// The number of the first segment of a new log.
    pub const FIRST: u64 = 1;

    /// The log in `container_dir`'s subdirectory `log`; it is created if it isn't there.
    ///
    /// # Errors
    /// It can't be created or opened, or is a link.
    pub fn create(container_dir: impl AsFd) -> Result<Self> {
        match rustix::fs::mkdirat(&container_dir, "log", Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Self::open(container_dir),
            Err(e) => Err(Error::io("create", "log directory", e)),
        }
    }

    /// The log in `container_dir`'s subdirectory `log`.
    ///
    /// # Errors
    /// There is none, or it is a link.
    pub fn open(container_dir: impl AsFd) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(container_dir, "log", flags, Mode::empty())
            .map(Self::at)
            .map_err(|e| Error::io("open", "log directory", e))
    }

    /// The log whose directory is `dir`.
    #[must_use]
    pub const fn at(dir: OwnedFd) -> Self {
        Self { dir }
    }

    /// The segments that there are, oldest first.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn list(&self) -> Result<Vec<u64>> {
        let failed = |e| Error::io("list", "log directory", e);
        let mut found = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            found.extend(number(entry.file_name().to_bytes()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The oldest segment; `None` for a log that was never written.
    ///
    /// # Errors
    /// As [`Segments::list`].
    pub fn oldest(&self) -> Result<Option<u64>> {
        Ok(self.list()?.first().copied())
    }

    /// Opens a segment for reading; `None` if it isn't there.
    ///
    /// # Errors
    /// It can't be opened, or is not a regular file.
    pub fn read(&self, number: u64) -> Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match rustix::fs::openat(&self.dir, name(number), flags, Mode::empty()) {
            Ok(file) => regular(file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::io("open", "log segment", e)),
        }
    }

    /// Opens a segment for writing, made if it isn't there.
    pub(super) fn write(&self, number: u64) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::openat(&self.dir, name(number), flags | OFlags::NONBLOCK, mode)
            .map_err(|e| Error::io("open", "log segment", e))
            .and_then(regular)
    }

    /// Removes a segment, if it is there.
    pub(super) fn remove(&self, number: u64) -> Result<()> {
        match rustix::fs::unlinkat(&self.dir, name(number), rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(Error::io("remove", "log segment", e)),
        }
    }

    pub(super) fn try_clone(&self) -> Result<Self> {
        let dir = self.dir.try_clone();
        dir.map(Self::at)
            .map_err(|e| Error::io("duplicate", "log directory", e))
    }
}

/// A reader could be made to wait for a pipe, or read the host through a device.
fn regular(file: OwnedFd) -> Result<OwnedFd> {
    let stat = rustix::fs::fstat(&file).map_err(|e| Error::io("stat", "log segment", e))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        Ok(file)
    } else {
        Err(Error::io("open", "log segment", Errno::INVAL))
    }
}

fn name(number: u64) -> String {
    format!("{number:08}")
}

fn number(name: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(name).ok()?;
    let good = text.len() >= 8 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| good)?;
    // A name with surplus zeros is not one of ours.
    (number >= Segments::FIRST && self::name(number) == text).then_some(number)
}

/// The header of the record at `offset`, if all of the record is there: `size` is what of the file is to be considered.
pub(super) fn whole_record(file: &OwnedFd, offset: u64, size: u64) -> Result<Found> {
    if offset.saturating_add((Header::SIZE + Header::TRAILER) as u64) > size {
        return Ok(Found::Nothing);
    }
    let mut head = [0; Header::SIZE];
    if !read_exact_at(file, &mut head, offset)? {
        return Ok(Found::Nothing);
    }
    let Some(header) = Header::parse(head) else {
        return Ok(Found::Garbage);
    };
    let end = offset + header.record_size();
    if end > size {
        return Ok(Found::Nothing);
    }
    let mut trailer = [0; Header::TRAILER];
    if !read_exact_at(file, &mut trailer, end - Header::TRAILER as u64)? {
        return Ok(Found::Nothing);
    }
    Ok(if u32::from_le_bytes(trailer) == header.length {
        Found::Record(header)
    } else {
        Found::Garbage
    })
}

/// What is at a place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record.
    Record(Header),
    /// Nothing, or not all of a record.
    Nothing,
    /// What is no record: a torn end, or one that is being overwritten.
    Garbage,
}

pub(super) fn read_exact_at(file: &OwnedFd, target: &mut [u8], offset: u64) -> Result<bool> {
    let mut done = 0;
    while done < target.len() {
        match rustix::io::pread(file, &mut target[done..], offset + done as u64) {
            Ok(0) => return Ok(false),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(Error::io("read", "log segment", e)),
        }
    }
    Ok(true)
}

pub(super) fn size(file: &OwnedFd) -> Result<u64> {
    let stat = rustix::fs::fstat(file).map_err(|e| Error::io("stat", "log segment", e))?;
    Ok(u64::try_from(stat.st_size).unwrap_or_default())
}

/// Where the last whole record of a segment ends, found from its beginning.
pub(super) fn valid_end(file: &OwnedFd) -> Result<u64> {
    let size = size(file)?;
    let mut offset = 0;
    while let Found::Record(header) = whole_record(file, offset, size)? {
        offset += header.record_size();
    }
    Ok(offset)
}
