//! The layers below, as a mounted view.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use super::lower::{Found, FoundKind, Lower};
use super::tree::{Meta, Xattrs};
use super::xattr;
use super::{FileData, Sink};
use crate::erofs::Source;
use crate::error::{Error, Result, shown};
use crate::tar::{Kind, Segment, Time};
use crate::walk::{kind_of, segments};

const OP: &str = "look into the layers below";

/// Asks a merged view of the layers below, which is mounted when the first question comes.
pub(crate) struct Below<'a, S, M> {
    sink: &'a mut S,
    mount: M,
    root: Option<OwnedFd>,
    /// Bytes of data that the layers below have at most.
    held: u64,
}

impl<'a, S, M: FnMut() -> Result<OwnedFd>> Below<'a, S, M> {
    pub(crate) fn new(sink: &'a mut S, held: u64, mount: M) -> Self {
        Self {
            sink,
            mount,
            root: None,
            held,
        }
    }

    fn root(&mut self) -> Result<&OwnedFd> {
        if self.root.is_none() {
            self.root = Some((self.mount)()?);
        }
        self.root
            .as_ref()
            .ok_or_else(|| Error::invalid(OP, "root", "it is not mounted"))
    }

    /// Nothing on the way is followed: the caller has done that.
    fn open(&mut self, path: &[u8], flags: OFlags) -> Result<Option<OwnedFd>> {
        let resolve =
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = self.root()?;
        loop {
            match openat2(root, OsStr::from_bytes(path), flags, Mode::empty(), resolve) {
                Ok(fd) => return Ok(Some(fd)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
                    return Ok(None);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(Error::io(OP, shown(path), error.into())),
            }
        }
    }
}

impl<S: Sink, M: FnMut() -> Result<OwnedFd>> Lower<S::Data> for Below<'_, S, M> {
    fn lookup(&mut self, path: &[u8]) -> Result<Option<Found>> {
        let Some(fd) = self.open(path, OFlags::PATH)? else {
            return Ok(None);
        };
        found(&fd).map_err(|e| Error::io(OP, shown(path), e.into()))
    }

    fn names(&mut self) -> Result<Vec<Vec<u8>>> {
        let failed = |e| Error::io(OP, "root", e);
        let path = format!("/proc/self/fd/{}", self.root()?.as_raw_fd());
        let entries = std::fs::read_dir(path).map_err(failed)?;
        entries
            .map(|entry| Ok(entry.map_err(failed)?.file_name().into_vec()))
            .collect()
    }

    fn copy(&mut self, path: &[u8], xattrs: &Xattrs) -> Result<S::Data> {
        let failed = |e: Errno| Error::io("copy file from the layers below", shown(path), e.into());
        let fd = self
            .open(path, OFlags::RDONLY | OFlags::NONBLOCK)?
            .ok_or_else(|| failed(Errno::NOENT))?;
        let size = u64::try_from(fstat(&fd).map_err(failed)?.st_size).unwrap_or(0);
        let map = segments(&fd, size).map_err(failed)?;
        let whole = map.len() == 1 && map[0].length == size;
        if map.iter().map(|segment| segment.length).sum::<u64>() > self.held {
            // EROFS does not tell where holes are, and to read a PiB of them takes a day.
            let why = "a hard link to a sparse file of a layer below, larger than all data there";
            return Err(Error::limit(
                "copy file from the layers below",
                shown(path),
                why,
            ));
        }
        let file = FileData {
            size,
            sparse: Some(map.as_slice()).filter(|_| size > 0 && !whole),
            xattrs,
        };
        let mut source = FileSource {
            file: BufReader::with_capacity(256 << 10, File::from(fd)),
            map: map.clone(),
            left: 0,
        };
        self.sink.store(&file, &mut source)
    }
}

/// The data of a file, segment by segment.
struct FileSource {
    file: BufReader<File>,
    /// The segments not begun yet.
    map: Vec<Segment>,
    left: u64,
}

impl Source for FileSource {
    fn fill(&mut self) -> Result<&[u8]> {
        let failed = |e| Error::io("copy file from the layers below", "data", e);
        if self.left == 0 && !self.map.is_empty() {
            let Segment { offset, length } = self.map.remove(0);
            std::io::Seek::seek(&mut self.file, std::io::SeekFrom::Start(offset))
                .map_err(failed)?;
            self.left = length;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = self.file.fill_buf().map_err(failed)?;
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, count: usize) {
        self.file.consume(count);
        self.left -= count as u64;
    }
}

fn found(fd: &OwnedFd) -> Result<Option<Found>, Errno> {
    let stat = fstat(fd)?;
    let Some(kind) = kind_of(FileType::from_raw_mode(stat.st_mode), fd, &stat)? else {
        // A socket, or a whiteout in a view of a single layer.
        return Ok(None);
    };
    let (xattrs, _) = xattr::read(fd, &kind)?;
    let kind = match kind {
        Kind::Directory => FoundKind::Directory,
        Kind::File | Kind::HardLink(_) => FoundKind::File,
        Kind::Symlink(target) => FoundKind::Symlink(target),
        Kind::Character(major, minor) => FoundKind::Character(major, minor),
        Kind::Block(major, minor) => FoundKind::Block(major, minor),
        Kind::Fifo => FoundKind::Fifo,
    };
    let meta = Meta {
        mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time {
            seconds: stat.st_mtime,
            nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        },
    };
    Ok(Some(Found { meta, xattrs, kind }))
}
