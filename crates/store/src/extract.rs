//! A tar unpacked into a tree that may be a stranger's and may change meanwhile: into a container's files, or out of them.
//!
//! Every name is resolved by the kernel below the root's descriptor, and what is made is made by its name in the descriptor of its directory: no
//! link leads out, whoever puts it there and whenever.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use kernel::root::RootDir;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat, statat,
    symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::compression::Plain;
use crate::error::{Error, Kind as Fault, Result, shown};
use crate::layer::xattr;
use crate::limits::Limits;
use crate::tar::{Entry, Kind, Reader, Time};

const OP: &str = "extract";

/// Who owns what is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// Whoever the archive says.
    Kept,
    /// This user and this group.
    All(u32, u32),
    /// Whoever unpacks.
    Own,
}

/// What happens where a directory is to replace something else, or something else a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// It does.
    Replace,
    /// It is an error.
    Refuse,
}

/// How a tar is unpacked.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// Who owns the files.
    pub owners: Owners,
    /// Whether directories and other files may replace each other.
    pub conflicts: Conflicts,
    /// The beginning of all names that is replaced, and by what.
    pub rename: Option<(Vec<u8>, Vec<u8>)>,
}

/// A tar's destination, while it is unpacked.
struct Unpacking<'a> {
    root: &'a RootDir,
    directory: &'a Path,
    how: &'a Extraction,
    /// Directories get their times last, when nothing more changes them.
    times: Vec<(PathBuf, Time)>,
}

/// Unpacks a tar, perhaps compressed, into the directory `directory` below `root`. Returns the bytes of all files.
///
/// # Errors
/// [`Fault::Invalid`] and [`Fault::Limit`] tell of the archive, [`Fault::ReadOnly`] of the place; what was unpacked before stays.
pub fn extract(
    root: &RootDir,
    directory: &Path,
    input: impl Read + Send,
    how: &Extraction,
) -> Result<u64> {
    let limits = Limits::default();
    let plain = io::BufReader::with_capacity(128 << 10, Plain::new(input, &limits)?);
    let mut reader = Reader::new(plain, &limits);
    let mut unpacking = Unpacking {
        root,
        directory,
        how,
        times: Vec::new(),
    };
    let mut bytes = 0;
    while let Some(mut entry) = reader.next_entry()? {
        let Some(path) = unpacking.place(&entry.path)? else {
            continue;
        };
        bytes += entry.size;
        if let Kind::HardLink(target) = &entry.kind {
            let target = unpacking.place(target)?.unwrap_or_default();
            entry.kind = Kind::HardLink(target.as_os_str().as_bytes().to_vec());
        }
        unpacking.one(&path, &entry, &mut reader)?;
    }
    reader.finish()?;
    unpacking.finish()?;
    Ok(bytes)
}

impl Unpacking<'_> {
    /// Where a name of the archive leads to, below the directory; none for the directory itself.
    fn place(&self, name: &[u8]) -> Result<Option<PathBuf>> {
        let renamed = match &self.how.rename {
            Some((old, new)) => match name.strip_prefix(old.as_slice()) {
                Some(rest) => [new.as_slice(), rest].concat(),
                None => name.to_vec(),
            },
            None => name.to_vec(),
        };
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in renamed.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    if parts.pop().is_none() {
                        let why = "its name leads out of the directory";
                        return Err(Error::invalid(OP, shown(name), why));
                    }
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        Ok(Some(PathBuf::from(OsStr::from_bytes(&parts.join(&b'/')))))
    }

    fn one(&mut self, path: &Path, entry: &Entry, data: &mut Reader<impl BufRead>) -> Result<()> {
        let subject = || shown(path.as_os_str().as_bytes());
        let failed = |e: Errno| Error::io(OP, subject(), e.into());
        let whole = self.directory.join(path);
        let above = whole.parent().unwrap_or(Path::new("/"));
        let parent = self
            .root
            .create_dir_all(above, 0o755)
            .map_err(|e| Error::kernel(OP, subject(), e))?;
        let name = path.file_name().unwrap_or_default();
        let directory = entry.kind == Kind::Directory;
        if self.make_way(&parent, name, directory)? {
            let made = openat(&parent, name, DIRECTORY, Mode::empty()).map_err(failed)?;
            self.times.push((path.to_owned(), entry.mtime));
            return self.dress(&made, entry).map_err(failed);
        }
        let mode = Mode::from_raw_mode(entry.mode.into());
        match &entry.kind {
            Kind::Directory => {
                mkdirat(&parent, name, Mode::RWXU).map_err(failed)?;
                let made = openat(&parent, name, DIRECTORY, Mode::empty()).map_err(failed)?;
                self.times.push((path.to_owned(), entry.mtime));
                self.dress(&made, entry).map_err(failed)
            }
            Kind::File => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let made = openat(&parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
                let mut file = File::from(made);
                content(&mut file, entry, data).map_err(|e| Error::io(OP, subject(), e))?;
                let made = OwnedFd::from(file);
                self.dress(&made, entry).map_err(failed)?;
                futimens(&made, &stamps(entry.mtime)).map_err(failed)
            }
            Kind::Symlink(target) => {
                symlinkat(OsStr::from_bytes(target), &parent, name).map_err(failed)?;
                self.own_link(&parent, name, entry).map_err(failed)
            }
            Kind::HardLink(target) => {
                let target = self.directory.join(OsStr::from_bytes(target));
                let other = self
                    .root
                    .open_path_nofollow(&target)
                    .map_err(|e| Error::kernel(OP, subject(), e))?;
                let other = format!("/proc/self/fd/{}", other.as_raw_fd());
                linkat(CWD, other, &parent, name, AtFlags::SYMLINK_FOLLOW).map_err(failed)
            }
            Kind::Fifo | Kind::Character(..) | Kind::Block(..) => {
                let (kind, device) = match entry.kind {
                    Kind::Character(major, minor) => {
                        (FileType::CharacterDevice, makedev(major, minor))
                    }
                    Kind::Block(major, minor) => (FileType::BlockDevice, makedev(major, minor)),
                    _ => (FileType::Fifo, 0),
                };
                mknodat(&parent, name, kind, mode, device).map_err(failed)?;
                self.own_link(&parent, name, entry).map_err(failed)?;
                rustix::fs::chmodat(&parent, name, mode, AtFlags::empty()).map_err(failed)
            }
        }
    }

    /// Takes away what is in an entry's place; true if it is a directory that stays, because the entry is one too.
    fn make_way(&self, parent: &OwnedFd, name: &OsStr, directory: bool) -> Result<bool> {
        let subject = || shown(name.as_bytes());
        let there = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            other => other.map_err(|e| Error::io(OP, subject(), e.into()))?,
        };
        let is_directory = FileType::from_raw_mode(there.st_mode) == FileType::Directory;
        if is_directory && directory {
            return Ok(true);
        }
        if self.how.conflicts == Conflicts::Refuse && is_directory != directory {
            let why = if is_directory {
                "cannot overwrite directory with non-directory"
            } else {
                "cannot overwrite non-directory with directory"
            };
            return Err(Error::because(Fault::Invalid, OP, subject(), why));
        }
        kernel::tree::remove(parent, name).map_err(|e| Error::kernel(OP, subject(), e))?;
        Ok(false)
    }

    /// Owner, permissions (after the owner, whose change clears set-id bits) and attributes of what is open.
    fn dress(&self, fd: &OwnedFd, entry: &Entry) -> std::result::Result<(), Errno> {
        if let Some((uid, gid)) = self.owner(entry) {
            fchown(fd, Some(uid), Some(gid))?;
        }
        for (name, value) in xattr::kept(entry.xattrs.clone(), &entry.kind) {
            match fsetxattr(fd, name.as_slice(), &value, XattrFlags::empty()) {
                // Not every file system has them, and not everybody may set them: docker goes on too.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(error) => return Err(error),
            }
        }
        fchmod(fd, Mode::from_raw_mode(entry.mode.into()))
    }

    /// Owner and times of what can't be opened.
    fn own_link(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
    ) -> std::result::Result<(), Errno> {
        if let Some((uid, gid)) = self.owner(entry) {
            chownat(
                parent,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        utimensat(
            parent,
            name,
            &stamps(entry.mtime),
            AtFlags::SYMLINK_NOFOLLOW,
        )
    }

    fn owner(&self, entry: &Entry) -> Option<(Uid, Gid)> {
        match self.how.owners {
            Owners::Kept => Some((Uid::from_raw(entry.uid), Gid::from_raw(entry.gid))),
            Owners::All(uid, gid) => Some((Uid::from_raw(uid), Gid::from_raw(gid))),
            Owners::Own => None,
        }
    }

    fn finish(mut self) -> Result<()> {
        while let Some((path, time)) = self.times.pop() {
            let whole = self.directory.join(&path);
            let subject = || shown(path.as_os_str().as_bytes());
            // Gone or replaced meanwhile: then its time is no matter.
            let Ok(found) = self.root.open_path_nofollow(&whole) else {
                continue;
            };
            let Ok(fd) = openat(&found, c".", DIRECTORY, Mode::empty()) else {
                continue;
            };
            futimens(&fd, &stamps(time)).map_err(|e| Error::io(OP, subject(), e.into()))?;
        }
        Ok(())
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The data of a file, with the holes of a sparse one.
fn content(file: &mut File, entry: &Entry, data: &mut Reader<impl BufRead>) -> io::Result<()> {
    let Some(segments) = &entry.sparse else {
        io::copy(data, file)?;
        return file.flush();
    };
    let mut buffer = vec![0; 128 << 10];
    for segment in segments {
        let mut at = segment.offset;
        let end = segment.offset + segment.length;
        while at < end {
            let most = usize::try_from(end - at)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            data.read_exact(&mut buffer[..most])?;
            file.write_all_at(&buffer[..most], at)?;
            at += most as u64;
        }
    }
    rustix::fs::ftruncate(file.as_fd(), entry.size)?;
    Ok(())
}

fn stamps(time: Time) -> Timestamps {
    let time = Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanos.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
