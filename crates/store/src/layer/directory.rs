//! Layers as directories: where EROFS can't be mounted.
//!
//! The data go to numbered files first; the finished tree then gives them their places. No name from the tar is ever
//! looked up: every directory is one that was made here a moment ago, reached without following anything.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
    chownat, fchmod, fchown, ftruncate, futimens, linkat, makedev, mkdirat, mknodat, openat,
    openat2, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::canonical::{Content as Readable, next_data};
use super::tree::{Content, Meta, Node, NodeId, ROOT, Tree};
use super::{FileData, Sink, Written};
use crate::draft::{DraftDirectory, open_directory};
use crate::erofs::{Source, take};
use crate::error::{Error, Result, shown};

const OP: &str = "write layer";
const TREE: &str = "tree";

/// Writes a directory.
pub(crate) struct DirectorySink {
    draft: DraftDirectory,
    /// The numbered files.
    data: OwnedFd,
    next: u64,
    bytes: u64,
}

impl DirectorySink {
    pub(crate) fn create(layers: &Path) -> Result<Self> {
        let draft = DraftDirectory::create(layers)?;
        let data = open_directory(draft.path())?;
        Ok(Self {
            draft,
            data,
            next: 0,
            bytes: 0,
        })
    }
}

/// The number of a file.
pub(crate) type Number = u64;

impl Sink for DirectorySink {
    type Data = Number;

    const FORMAT: &'static str = "directory";

    fn store(&mut self, data: &FileData<'_>, source: &mut dyn Source) -> Result<Number> {
        let number = self.next;
        self.next += 1;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(
            &self.data,
            number.to_string(),
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(failed)?;
        let file = File::from(fd);
        let whole = [crate::tar::Segment {
            offset: 0,
            length: data.size,
        }];
        for segment in data.sparse.unwrap_or(&whole) {
            let mut at = segment.offset;
            take(segment.length, source, |bytes| {
                file.write_all_at(bytes, at)
                    .map_err(|e| Error::io(OP, "file", e))?;
                at += bytes.len() as u64;
                Ok(())
            })?;
            self.bytes += segment.length;
        }
        if data.sparse.is_some() {
            ftruncate(&file, data.size).map_err(failed)?;
        }
        Ok(number)
    }

    fn content<'a>(&'a self, data: &'a Number) -> Result<Box<dyn Readable + 'a>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.data, data.to_string(), flags, Mode::empty()).map_err(failed)?;
        let file = File::from(fd);
        let size = file.metadata().map_err(|e| Error::io(OP, "file", e))?.len();
        Ok(Box::new(Numbered { file, size }))
    }

    fn publish(self, tree: &Tree<Number>, name: &str) -> Result<Written> {
        mkdirat(&self.data, TREE, Mode::RWXU).map_err(failed)?;
        let root = open_directory(&self.draft.path().join(TREE))?;
        let mut placer = Placer {
            tree,
            data: self.data.as_fd(),
            root,
            placed: vec![None; tree.len()],
        };
        let mut directories = vec![ROOT];
        let mut at = 0;
        while at < directories.len() {
            placer.fill(directories[at], &mut directories)?;
            at += 1;
        }
        // What is in a directory changes its time, so the deepest come first.
        for &id in directories.iter().rev() {
            let directory = placer.open(id)?;
            placer.describe(&directory, tree.node(id))?;
        }
        self.draft.publish(TREE, name)?;
        Ok(Written {
            size: self.bytes,
            checksum: String::new(),
        })
    }
}

/// A numbered file that is read again.
struct Numbered {
    file: File,
    size: u64,
}

impl Readable for Numbered {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> std::io::Result<Option<u64>> {
        next_data(&self.file, offset)
    }
}

fn failed(error: Errno) -> Error {
    Error::io(OP, "directory", error.into())
}

struct Placer<'a> {
    tree: &'a Tree<Number>,
    data: std::os::fd::BorrowedFd<'a>,
    root: OwnedFd,
    /// Where a node has its first name: for hard links.
    placed: Vec<Option<(NodeId, &'a [u8])>>,
}

impl<'a> Placer<'a> {
    fn open(&self, id: NodeId) -> Result<OwnedFd> {
        use std::os::unix::ffi::OsStrExt;
        let mut path = self.tree.path(id);
        if path.is_empty() {
            path.push(b'.');
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(
            &self.root,
            std::ffi::OsStr::from_bytes(&path),
            flags,
            Mode::empty(),
            resolve,
        )
        .map_err(|e| Error::io(OP, shown(&path), e.into()))
    }

    /// Makes all that is in a directory; the directories among it are empty yet.
    fn fill(&mut self, id: NodeId, directories: &mut Vec<NodeId>) -> Result<()> {
        let Some(directory) = self.tree.directory(id) else {
            return Ok(());
        };
        let here = self.open(id)?;
        for (name, &child) in &directory.children {
            let made = self.make(&here, name, child, directories);
            made.map_err(|e| Error::io(OP, shown(name), e.into()))?;
            let node = self.tree.node(child);
            if !matches!(node.content, Content::Directory(_))
                && self.placed[child as usize].is_none()
            {
                self.describe_at(&here, name, node)?;
                self.placed[child as usize] = Some((id, name));
            }
        }
        Ok(())
    }

    fn make(
        &self,
        here: &OwnedFd,
        name: &[u8],
        child: NodeId,
        directories: &mut Vec<NodeId>,
    ) -> Result<(), Errno> {
        let private = Mode::RUSR | Mode::WUSR;
        if let Some((parent, first)) = self.placed[child as usize] {
            let parent = self.open(parent).map_err(|_| Errno::IO)?;
            return linkat(&parent, first, here, name, AtFlags::empty());
        }
        match &self.tree.node(child).content {
            Content::Directory(_) => {
                directories.push(child);
                mkdirat(here, name, Mode::RWXU)
            }
            Content::File(number) => {
                let number = number.to_string();
                linkat(self.data, &number, here, name, AtFlags::empty())?;
                unlinkat(self.data, &number, AtFlags::empty())
            }
            Content::Symlink(target) => symlinkat(target.as_slice(), here, name),
            Content::Character(major, minor) => mknodat(
                here,
                name,
                FileType::CharacterDevice,
                private,
                makedev(*major, *minor),
            ),
            Content::Block(major, minor) => mknodat(
                here,
                name,
                FileType::BlockDevice,
                private,
                makedev(*major, *minor),
            ),
            Content::Fifo => mknodat(here, name, FileType::Fifo, private, 0),
            Content::Whiteout => mknodat(
                here,
                name,
                FileType::CharacterDevice,
                Mode::empty(),
                makedev(0, 0),
            ),
        }
    }

    /// Owner, permissions, attributes and time of what is no directory.
    fn describe_at(&self, here: &OwnedFd, name: &[u8], node: &Node<Number>) -> Result<()> {
        if matches!(node.content, Content::Whiteout) {
            return Ok(());
        }
        if let Content::File(_) = node.content {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(here, name, flags, Mode::empty()).map_err(failed)?;
            return self.describe(&file, node);
        }
        let Meta { uid, gid, .. } = node.meta;
        let named = |e: Errno| Error::io(OP, shown(name), e.into());
        chownat(
            here,
            name,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(named)?;
        let path = [
            format!("/proc/self/fd/{}/", here.as_raw_fd()).as_bytes(),
            name,
        ]
        .concat();
        if !matches!(node.content, Content::Symlink(_)) {
            // A node of ours in a directory of ours: nobody else can have exchanged it.
            rustix::fs::chmod(path.as_slice(), Mode::from_raw_mode(node.meta.mode.into()))
                .map_err(named)?;
        }
        for (key, value) in &node.xattrs {
            tolerant(rustix::fs::lsetxattr(
                path.as_slice(),
                key.as_slice(),
                value,
                XattrFlags::empty(),
            ))
            .map_err(named)?;
        }
        utimensat(here, name, &times(node.meta), AtFlags::SYMLINK_NOFOLLOW).map_err(named)
    }

    /// The same by descriptor; the owner first, because changing it takes set-id bits and capabilities away.
    fn describe(&self, file: &OwnedFd, node: &Node<Number>) -> Result<()> {
        let Meta { uid, gid, mode, .. } = node.meta;
        fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(failed)?;
        fchmod(file, Mode::from_raw_mode(mode.into())).map_err(failed)?;
        for (key, value) in &node.xattrs {
            tolerant(rustix::fs::fsetxattr(
                file,
                key.as_slice(),
                value,
                XattrFlags::empty(),
            ))
            .map_err(failed)?;
        }
        if let Content::Directory(directory) = &node.content
            && directory.opaque
        {
            rustix::fs::fsetxattr(file, "trusted.overlay.opaque", b"y", XattrFlags::empty())
                .map_err(failed)?;
        }
        futimens(file, &times(node.meta)).map_err(failed)
    }
}

/// A file system without such attributes goes without, as Docker does.
fn tolerant(set: Result<(), Errno>) -> Result<(), Errno> {
    match set {
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

fn times(meta: Meta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime.seconds,
        tv_nsec: meta.mtime.nanos.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
