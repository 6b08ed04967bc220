//! Paths inside an untrusted tree, reached from a descriptor of its root.
//!
//! Symbolic links are resolved as if the tree were chrooted to: absolute ones start at its root, `..` stops there. The magic links of procfs are
//! never followed. Nothing is resolved to a string first and used later, which is the common cause of two dozen CVEs of container engines.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, mknodat, openat,
    openat2, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;

use crate::error::At;
use crate::{Error, Result, atomic};

/// Links passed in one walk before it is a loop, as in the kernel.
const MAX_LINKS: u32 = 40;

/// openat2(2) says EAGAIN when a rename elsewhere raced with it; an attacker can make that happen often, not always.
const MAX_RETRIES: u32 = 10_000;

/// The root of a tree of which no name is trusted.
#[derive(Debug)]
pub struct RootDir {
    fd: OwnedFd,
}

impl RootDir {
    /// Opens a root at a path of the host's own.
    ///
    /// # Errors
    /// It is not a directory that can be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).at("open directory", path.display())?;
        Ok(Self { fd })
    }

    /// A root that was opened elsewhere: a directory, or a detached mount.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// The descriptor.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// A second descriptor of the same root.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = self.fd.try_clone().at("duplicate", "root directory")?;
        Ok(Self { fd })
    }

    /// An `O_PATH` descriptor of whatever is at `path`; a final link is followed.
    ///
    /// # Errors
    /// Nothing is there, or the way to it is not passable.
    pub fn open_path(&self, path: impl AsRef<Path>) -> Result<OwnedFd> {
        self.resolve(path.as_ref(), OFlags::PATH)
    }

    /// An `O_PATH` descriptor of whatever is at `path`, be it a link.
    ///
    /// # Errors
    /// As [`RootDir::open_path`].
    pub fn open_path_nofollow(&self, path: impl AsRef<Path>) -> Result<OwnedFd> {
        self.resolve(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW)
    }

    /// The directory at `path` as a root of its own: nothing above it can be reached through it.
    ///
    /// # Errors
    /// It is not there or not a directory.
    pub fn open_dir(&self, path: impl AsRef<Path>) -> Result<Self> {
        let fd = self.resolve(path.as_ref(), OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(Self { fd })
    }

    /// The regular file at `path`, for reading. A fifo or a device is refused without being opened.
    ///
    /// # Errors
    /// It is not there or not a regular file.
    pub fn open_read(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        let regular = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let refused = || Error::invalid("open", path.display(), "not a regular file");
        // Opening a device has effects, so its type is looked at first; the second look is for what was exchanged
        // meanwhile, with O_NONBLOCK against a fifo.
        let seen = fstat(self.open_path(path)?).at("stat", path.display())?;
        if !regular(&seen) {
            return Err(refused());
        }
        let fd = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let opened = fstat(&fd).at("stat", path.display())?;
        if regular(&opened) {
            Ok(File::from(fd))
        } else {
            Err(refused())
        }
    }

    /// The content of the regular file at `path`, if it has at most `max` bytes.
    ///
    /// # Errors
    /// As [`RootDir::open_read`]; `EFBIG` for a longer file.
    pub fn read_limited(&self, path: impl AsRef<Path>, max: u64) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let file = self.open_read(path)?;
        // A sparse file of a gibibyte is refused before a byte of it is read.
        let size = fstat(&file).at("stat", path.display())?.st_size;
        let mut bytes = Vec::new();
        if u64::try_from(size).is_ok_and(|size| size <= max) {
            let limit = max.saturating_add(1);
            file.take(limit)
                .read_to_end(&mut bytes)
                .at("read", path.display())?;
            if bytes.len() as u64 <= max {
                return Ok(bytes);
            }
        }
        Err(Error::new("read", path.display(), Errno::FBIG))
    }

    /// What stat(2) says of `path`; a final link is not followed.
    ///
    /// # Errors
    /// As [`RootDir::open_path`].
    pub fn stat_nofollow(&self, path: impl AsRef<Path>) -> Result<Stat> {
        let path = path.as_ref();
        fstat(self.open_path_nofollow(path)?).at("stat", path.display())
    }

    /// Whether something is at `path`, a dangling link not counted.
    ///
    /// # Errors
    /// The way there can't be passed for another reason than that it does not exist.
    pub fn exists(&self, path: impl AsRef<Path>) -> Result<bool> {
        match self.open_path(path) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.errno(), Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The text of the link at `path`.
    ///
    /// # Errors
    /// It is not there or not a link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<OsString> {
        let path = path.as_ref();
        let fd = self.open_path_nofollow(path)?;
        let text = readlinkat(&fd, c"", Vec::new()).at("read link", path.display())?;
        Ok(OsString::from_vec(text.into_bytes()))
    }

    /// An `O_PATH` descriptor of the directory at `path`, made with its parents where missing.
    ///
    /// A dangling link on the way is followed and its target made, inside the root. The umask applies to `mode`.
    ///
    /// # Errors
    /// Something that is no directory is in the way, or one can't be made.
    pub fn create_dir_all(&self, path: impl AsRef<Path>, mode: u32) -> Result<OwnedFd> {
        let path = path.as_ref();
        match self.resolve(path, OFlags::PATH | OFlags::DIRECTORY) {
            Err(error) if error.errno() == Errno::NOENT => {}
            other => return other,
        }
        let mode = Mode::from_raw_mode(mode);
        self.walk(path, mode, None)
            .at("create directory", path.display())
    }

    /// An `O_PATH` descriptor of whatever is at `path`; if nothing is, of an empty file made there with its parent directories (0755).
    ///
    /// A dangling link is followed and its target made, inside the root. For places to mount a file on.
    ///
    /// # Errors
    /// As [`RootDir::create_dir_all`].
    pub fn ensure_file(&self, path: impl AsRef<Path>, mode: u32) -> Result<OwnedFd> {
        let path = path.as_ref();
        match self.resolve(path, OFlags::PATH) {
            Err(error) if error.errno() == Errno::NOENT => {}
            other => return other,
        }
        let file = Some(Mode::from_raw_mode(mode));
        self.walk(path, Mode::from_raw_mode(0o755), file)
            .at("create file", path.display())
    }

    /// A new file at `path`, whose directory exists. The umask applies to `mode`.
    ///
    /// # Errors
    /// `EEXIST` if anything is there, be it a dangling link.
    pub fn create_file(&self, path: impl AsRef<Path>, mode: u32) -> Result<File> {
        let path = path.as_ref();
        let (dir, name) = self.parent(path)?;
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let fd = openat(&dir, name, flags, Mode::from_raw_mode(mode));
        Ok(File::from(fd.at("create file", path.display())?))
    }

    /// Makes `path` a file of `bytes` by [`atomic::replace`]: a link there is replaced, not followed.
    ///
    /// # Errors
    /// Its directory does not exist, or a step of the replacement failed.
    pub fn replace(&self, path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> Result<()> {
        let (dir, name) = self.parent(path.as_ref())?;
        atomic::replace(dir, name, bytes, mode)
    }

    /// A new symbolic link at `path` with the text `target`.
    ///
    /// # Errors
    /// Its directory does not exist, or anything is at `path`.
    pub fn create_link(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (dir, name) = self.parent(path)?;
        symlinkat(target.as_ref(), &dir, name).at("create link", path.display())
    }

    /// A new device node, fifo or socket at `path`. The umask applies to `mode`.
    ///
    /// # Errors
    /// Its directory does not exist, anything is at `path`, or nodes are not allowed.
    pub fn create_node(
        &self,
        path: impl AsRef<Path>,
        kind: FileType,
        mode: u32,
        device: (u32, u32),
    ) -> Result<()> {
        let path = path.as_ref();
        let (dir, name) = self.parent(path)?;
        let device = rustix::fs::makedev(device.0, device.1);
        mknodat(&dir, name, kind, Mode::from_raw_mode(mode), device)
            .at("create node", path.display())
    }

    /// The directory in which the last component of `path` is, and that component.
    ///
    /// # Errors
    /// The directory does not exist, or `path` ends in none (`/`, `..`).
    pub fn parent<'p>(&self, path: &'p Path) -> Result<(OwnedFd, &'p OsStr)> {
        let name = path
            .file_name()
            .filter(|_| !path.as_os_str().as_bytes().ends_with(b"/."))
            .ok_or_else(|| Error::invalid("open directory of", path.display(), "names no file"))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        Ok((self.resolve(dir, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let given = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        let mut retries = 0;
        loop {
            match openat2(&self.fd, given, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if retries < MAX_RETRIES => retries += 1,
                result => return result.at("open", path.display()),
            }
        }
    }

    /// Walks `path` one component a step, each opened without following from a descriptor that is held, and makes what is missing. The
    /// descriptors of the way are kept for `..`, so that it can't lead out of the root whatever is renamed meanwhile.
    fn walk(&self, path: &Path, dir: Mode, file: Option<Mode>) -> Result<OwnedFd, Errno> {
        let mut way: Vec<OwnedFd> = Vec::new();
        let mut left: VecDeque<OsString> = VecDeque::new();
        push_front(&mut left, path);
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                way.pop();
                continue;
            }
            let here = way.last().map_or(self.fd.as_fd(), AsFd::as_fd);
            let make = file.filter(|_| left.is_empty());
            let found = open_or_make(here, &name, dir, make)?;
            match FileType::from_raw_mode(fstat(&found)?.st_mode) {
                FileType::Directory => way.push(found),
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let text =
                        OsString::from_vec(readlinkat(&found, c"", Vec::new())?.into_bytes());
                    if text.as_bytes().starts_with(b"/") {
                        way.clear();
                    }
                    push_front(&mut left, Path::new(&text));
                }
                _ if file.is_some() && left.is_empty() => return Ok(found),
                _ => return Err(Errno::NOTDIR),
            }
        }
        match way.pop() {
            Some(fd) => Ok(fd),
            None => rustix::io::fcntl_dupfd_cloexec(&self.fd, 0),
        }
    }
}

impl AsFd for RootDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn push_front(left: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => left.push_front(name.to_owned()),
            Component::ParentDir => left.push_front(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

/// Opens `name` in `dir` without following it; makes a file if `file` is given, else a directory, if nothing is there.
fn open_or_make(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    mode: Mode,
    file: Option<Mode>,
) -> Result<OwnedFd, Errno> {
    // Somebody may remove what was made before it is opened: a few turns, then it is their wish.
    for _ in 0..16 {
        match openat(
            dir,
            name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        let made = match file {
            Some(mode) => mknodat(dir, name, FileType::RegularFile, mode, 0),
            None => mkdirat(dir, name, mode),
        };
        match made {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN)
}

/// What stat(2) says of `name` in the directory `dir`; a link is not followed.
///
/// # Errors
/// It is not there.
pub fn stat_at(dir: impl AsFd, name: impl AsRef<OsStr>) -> Result<Stat> {
    let name = name.as_ref();
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("stat", Path::new(name).display())
}

#[cfg(test)]
mod tests;
