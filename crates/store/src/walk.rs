//! A directory tree as entries of a tar, in the canonical order: depth first, a directory before its content, names by their bytes.
//!
//! Nothing is followed: every file is opened by its name in its directory, looked at by that descriptor, and read by it. The tree may be
//! a stranger's and may change meanwhile.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom, Stat, fstat, openat, openat2, readlinkat,
    seek,
};
use rustix::io::Errno;

use crate::error::{Error, Result, shown};
use crate::layer::xattr;
use crate::tar::{Entry, Kind, Segment, Time};

const OP: &str = "read directory";
/// How many levels keep their descriptors open.
const OPEN: usize = 64;

/// What overlayfs's marks mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// The tree is an upper directory or a layer: whiteouts and opaque directories become entries named as OCI names them.
    Translate,
    /// The tree is merged: there are none.
    None,
}

/// Whether mounts inside the tree belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// They do.
    AllMounts,
    /// They don't: their mount points are empty.
    OneMount,
}

/// One entry, and the file that has its data if it has any.
#[derive(Debug)]
pub struct Walked {
    /// What a tar says of it. The size is the file's; of a sparse one the segments are known.
    pub entry: Entry,
    /// Open for reading, for a regular file.
    pub file: Option<File>,
}

/// Walks a tree.
#[derive(Debug)]
pub struct Walk {
    levels: Vec<Level>,
    /// First names of files that have several.
    links: HashMap<(u64, u64), Vec<u8>>,
    marks: Marks,
    bounds: Bounds,
    /// Entries that come before the next name.
    waiting: Option<Walked>,
}

#[derive(Debug)]
struct Level {
    fd: Option<OwnedFd>,
    identity: (u64, u64),
    /// The path of the directory, with a slash at its end unless it is the root.
    path: Vec<u8>,
    /// The names not visited yet, last first.
    names: Vec<Vec<u8>>,
}

impl Walk {
    /// Walks below the directory `root`, which is no entry itself, as a merged tree. Paths begin with `prefix`.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn merged(root: impl AsFd, prefix: &[u8], bounds: Bounds) -> Result<Self> {
        Self::new(root, prefix, bounds, Marks::None)
    }

    /// Walks an upper directory or a single layer.
    pub(crate) fn marked(root: impl AsFd) -> Result<Self> {
        Self::new(root, b"", Bounds::OneMount, Marks::Translate)
    }

    fn new(root: impl AsFd, prefix: &[u8], bounds: Bounds, marks: Marks) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(root, c".", flags, Mode::empty()).map_err(|e| failed(prefix, e))?;
        let mut walk = Self {
            levels: Vec::new(),
            links: HashMap::new(),
            marks,
            bounds,
            waiting: None,
        };
        walk.enter(fd, prefix.to_vec())?;
        Ok(walk)
    }

    /// Walks what is at `name` in the directory `parent`, and all below it, as a merged tree. Its path is `shown`.
    ///
    /// # Errors
    /// It is not there, or can't be read.
    pub fn of(parent: impl AsFd, name: &[u8], shown: &[u8], bounds: Bounds) -> Result<Self> {
        let wrong = |e| failed(shown, e);
        let parent = parent
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io(OP, crate::error::shown(shown), e))?;
        let mut walk = Self {
            levels: Vec::new(),
            links: HashMap::new(),
            marks: Marks::None,
            bounds,
            waiting: None,
        };
        let fd = walk.open(&parent, name).map_err(wrong)?;
        let stat = fstat(&fd).map_err(wrong)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if let Some(kind) = kind_of(kind, &fd, &stat).map_err(wrong)? {
            walk.waiting = Some(walk.describe(shown.to_vec(), kind, fd, &stat)?);
        }
        Ok(walk)
    }

    /// The next entry; none at the end.
    ///
    /// # Errors
    /// Something can't be read, or is nothing that a layer can have.
    pub fn next_entry(&mut self) -> Result<Option<Walked>> {
        loop {
            if let Some(walked) = self.waiting.take() {
                return Ok(Some(walked));
            }
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let Some(name) = level.names.pop() else {
                self.leave()?;
                continue;
            };
            if let Some(walked) = self.visit(&name)? {
                return Ok(Some(walked));
            }
        }
    }

    fn visit(&mut self, name: &[u8]) -> Result<Option<Walked>> {
        let Some(level) = self.levels.last() else {
            return Ok(None);
        };
        let path = [level.path.as_slice(), name].concat();
        let wrong = |e| failed(&path, e);
        let here = level.fd.as_ref().ok_or(Errno::BADF).map_err(wrong)?;
        let fd = match self.open(here, name) {
            // It is gone since the directory was read, or it is another mount.
            Err(Errno::NOENT | Errno::XDEV) => return Ok(None),
            other => other.map_err(wrong)?,
        };
        let stat = fstat(&fd).map_err(wrong)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if self.marks == Marks::Translate {
            if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
                let mut marked = level.path.clone();
                marked.extend_from_slice(b".wh.");
                marked.extend_from_slice(name);
                return Ok(Some(mark(marked)));
            }
            if name.starts_with(b".wh.") {
                let why = "names that begin with .wh. say in a layer what was removed: rename it";
                return Err(Error::invalid("make a layer of", shown(&path), why));
            }
        }
        let Some(kind) = kind_of(kind, &fd, &stat).map_err(wrong)? else {
            return Ok(None);
        };
        self.describe(path, kind, fd, &stat).map(Some)
    }

    fn describe(&mut self, path: Vec<u8>, kind: Kind, fd: OwnedFd, stat: &Stat) -> Result<Walked> {
        let wrong = |e| failed(&path, e);
        let (xattrs, opaque) = xattr::read(&fd, &kind).map_err(wrong)?;
        let mut entry = Entry {
            path: path.clone(),
            mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: Time {
                seconds: stat.st_mtime,
                nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            },
            size: 0,
            sparse: None,
            xattrs,
            kind,
        };
        if entry.kind == Kind::Directory {
            if !entry.path.ends_with(b"/") {
                entry.path.push(b'/');
            }
            let directory = reopen(&fd, OFlags::DIRECTORY).map_err(wrong)?;
            if opaque && self.marks == Marks::Translate {
                self.waiting = Some(mark([entry.path.as_slice(), b".wh..wh..opq"].concat()));
            }
            self.enter(directory, entry.path.clone())?;
            return Ok(Walked { entry, file: None });
        }
        if stat.st_nlink > 1 {
            let identity = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.links.get(&identity) {
                entry.kind = Kind::HardLink(first.clone());
                entry.xattrs.clear();
                return Ok(Walked { entry, file: None });
            }
            self.links.insert(identity, path.clone());
        }
        let mut file = None;
        if entry.kind == Kind::File {
            let open = reopen(&fd, OFlags::NOATIME)
                .or_else(|_| reopen(&fd, OFlags::empty()))
                .map_err(wrong)?;
            entry.size = u64::try_from(stat.st_size).unwrap_or(0);
            if u64::try_from(stat.st_blocks)
                .unwrap_or(0)
                .saturating_mul(512)
                < entry.size
            {
                let map = segments(&open, entry.size).map_err(wrong)?;
                let whole = map.len() == 1 && map[0].length == entry.size;
                entry.sparse = Some(map).filter(|_| !whole);
                rustix::fs::seek(&open, SeekFrom::Start(0)).map_err(wrong)?;
            }
            file = Some(File::from(open));
        }
        Ok(Walked { entry, file })
    }

    fn open(&self, here: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if self.bounds == Bounds::OneMount {
            resolve |= ResolveFlags::NO_XDEV;
        }
        loop {
            match openat2(here, OsStr::from_bytes(name), flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }

    fn enter(&mut self, fd: OwnedFd, path: Vec<u8>) -> Result<()> {
        let wrong = |e| failed(&path, e);
        let stat = fstat(&fd).map_err(wrong)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&fd).map_err(wrong)? {
            let name = entry.map_err(wrong)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_by(|a, b| b.cmp(a));
        // Far above the one that is entered nobody needs a descriptor now.
        if let Some(far) = self.levels.len().checked_sub(OPEN) {
            self.levels[far].fd = None;
        }
        self.levels.push(Level {
            fd: Some(fd),
            identity: (stat.st_dev, stat.st_ino),
            path,
            names,
        });
        Ok(())
    }

    /// Back to the directory above, whose descriptor may have been closed.
    fn leave(&mut self) -> Result<()> {
        let (Some(left), Some(above)) = (self.levels.pop(), self.levels.last_mut()) else {
            return Ok(());
        };
        if above.fd.is_some() {
            return Ok(());
        }
        let wrong = |e| failed(&above.path, e);
        let below = left.fd.as_ref().ok_or(Errno::BADF).map_err(wrong)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(below, c"..", flags, Mode::empty()).map_err(wrong)?;
        let stat = fstat(&fd).map_err(wrong)?;
        // It was moved meanwhile: what is above it now may be anything.
        if (stat.st_dev, stat.st_ino) != above.identity {
            return Err(wrong(Errno::STALE));
        }
        above.fd = Some(fd);
        Ok(())
    }
}

fn failed(path: &[u8], error: Errno) -> Error {
    Error::io(OP, shown(path), error.into())
}

/// An entry that only marks something.
fn mark(path: Vec<u8>) -> Walked {
    Walked {
        entry: Entry::mark(path),
        file: None,
    }
}

/// The same file, open for reading: an `O_PATH` descriptor stays what it was opened as.
pub(crate) fn reopen(fd: &OwnedFd, more: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | more,
        Mode::empty(),
    )
}

/// What a file is in a tar; none for a socket, which no tar can have.
pub(crate) fn kind_of(
    kind: FileType,
    fd: &OwnedFd,
    stat: &Stat,
) -> rustix::io::Result<Option<Kind>> {
    let device = (
        rustix::fs::major(stat.st_rdev),
        rustix::fs::minor(stat.st_rdev),
    );
    Ok(Some(match kind {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Symlink(readlinkat(fd, c"", Vec::new())?.into_bytes()),
        FileType::CharacterDevice if device == (0, 0) => return Ok(None),
        FileType::CharacterDevice => Kind::Character(device.0, device.1),
        FileType::BlockDevice => Kind::Block(device.0, device.1),
        FileType::Fifo => Kind::Fifo,
        _ => return Ok(None),
    }))
}

/// Where a file has data. A file system that does not tell has data everywhere.
pub(crate) fn segments(fd: &OwnedFd, size: u64) -> Result<Vec<Segment>, Errno> {
    let mut map = Vec::new();
    let mut at = 0;
    while at < size {
        let offset = match seek(fd, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => {
                return Ok(vec![Segment {
                    offset: 0,
                    length: size,
                }]);
            }
            other => other?,
        };
        at = seek(fd, SeekFrom::Hole(offset))?.min(size);
        if at <= offset {
            break;
        }
        map.push(Segment {
            offset,
            length: at - offset,
        });
    }
    Ok(map)
}

/// The data of an entry's segments, or all of it, from a file.
#[derive(Debug)]
pub struct FileData {
    file: File,
    /// Segments not begun yet, last first.
    map: Vec<Segment>,
    at: u64,
    left: u64,
}

impl FileData {
    /// What [`TarWriter::entry`](crate::TarWriter::entry) wants of `entry`, whose file is `file`.
    #[must_use]
    pub fn new(entry: &Entry, file: File) -> Self {
        let whole = || {
            vec![Segment {
                offset: 0,
                length: entry.size,
            }]
        };
        let mut map = entry.sparse.clone().unwrap_or_else(whole);
        map.reverse();
        Self {
            file,
            map,
            at: 0,
            left: 0,
        }
    }
}

impl std::io::Read for FileData {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt;
        while self.left == 0 {
            let Some(segment) = self.map.pop() else {
                return Ok(0);
            };
            (self.at, self.left) = (segment.offset, segment.length);
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let mut count = self.file.read_at(&mut buffer[..most], self.at)?;
        if count == 0 {
            // The file became shorter.
            buffer[..most].fill(0);
            count = most;
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
