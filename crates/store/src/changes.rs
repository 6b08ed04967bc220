//! What was written into a snapshot, as `docker diff` tells it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2};
use rustix::io::Errno;

use crate::error::{Error, Result, shown};
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::tar::Kind;
use crate::walk::Walk;

const OP: &str = "compare";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path from the container's root, with a slash at its beginning.
    pub path: Vec<u8>,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was there before.
    Modified,
    /// It was not.
    Added,
    /// It is there no more.
    Deleted,
}

impl Store {
    /// What a snapshot has that its layers don't, sorted by path. A directory is told of if it is new, if it is not as it was, or if a name in it came or went.
    ///
    /// # Errors
    /// A layer is missing, or something can't be read.
    pub fn changes(&self, snapshot: &Snapshot) -> Result<Vec<Change>> {
        let lower = OwnedFd::from(self.view(snapshot.layers())?);
        let mut walk = Walk::marked(snapshot.open_upper()?)?;
        let mut found = Changes {
            lower,
            list: Vec::new(),
            hidden: None,
        };
        while let Some(walked) = walk.next_entry()? {
            let entry = walked.entry;
            if snapshot.is_unseen(&entry.path) {
                continue;
            }
            match mark(&entry.path) {
                Some(Mark::Gone(path)) => found.push(path, ChangeKind::Deleted),
                Some(Mark::Opaque(directory)) => {
                    found.opaque(&directory)?;
                    found.hidden.get_or_insert(directory);
                }
                None => found.compare(&entry)?,
            }
        }
        Ok(found.finish())
    }
}

enum Mark {
    Gone(Vec<u8>),
    Opaque(Vec<u8>),
}

fn mark(path: &[u8]) -> Option<Mark> {
    let name = path.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    match path[name..].strip_prefix(b".wh.")? {
        b".wh..opq" => Some(Mark::Opaque(path[..name].to_vec())),
        hidden => Some(Mark::Gone([&path[..name], hidden].concat())),
    }
}

struct Changes {
    lower: OwnedFd,
    /// The changes, and whether they are told whatever happens below them.
    list: Vec<(Change, bool)>,
    /// The opaque directory that the walk is in: overlayfs marks none below it, because they show nothing anyway.
    hidden: Option<Vec<u8>>,
}

impl Changes {
    fn push(&mut self, path: Vec<u8>, kind: ChangeKind) {
        let path = [b"/", path.as_slice()].concat();
        self.list.push((Change { path, kind }, true));
    }

    fn compare(&mut self, entry: &crate::tar::Entry) -> Result<()> {
        let directory = entry.kind == Kind::Directory;
        self.hidden = self.hidden.take().filter(|top| entry.path.starts_with(top));
        if directory && self.hidden.is_some() {
            self.opaque(&entry.path)?;
        }
        let path = entry.path.strip_suffix(b"/").unwrap_or(&entry.path);
        let Some(below) = self.below(path)? else {
            self.push(path.to_vec(), ChangeKind::Added);
            return Ok(());
        };
        let same = directory
            && FileType::from_raw_mode(below.st_mode) == FileType::Directory
            && below.st_mode & 0o7777 == u32::from(entry.mode)
            && (below.st_uid, below.st_gid) == (entry.uid, entry.gid)
            // Layers have whole seconds; an overlay that copies a directory up keeps what it finds.
            && below.st_mtime == entry.mtime.seconds;
        self.push(path.to_vec(), ChangeKind::Modified);
        if let Some(last) = self.list.last_mut() {
            last.1 = !same;
        }
        Ok(())
    }

    /// What the directory had below is gone, but for what has the same name now.
    fn opaque(&mut self, directory: &[u8]) -> Result<()> {
        let path = directory.strip_suffix(b"/").unwrap_or(directory);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Some(fd) = self.open(path, flags)? else {
            return Ok(());
        };
        let wrong = |e: Errno| Error::io(OP, shown(path), e.into());
        for entry in Dir::read_from(&fd).map_err(wrong)? {
            let name = entry.map_err(wrong)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                self.push([path, b"/", &name].concat(), ChangeKind::Deleted);
            }
        }
        Ok(())
    }

    fn below(&self, path: &[u8]) -> Result<Option<Stat>> {
        let Some(fd) = self.open(path, OFlags::PATH)? else {
            return Ok(None);
        };
        fstat(&fd)
            .map(Some)
            .map_err(|e| Error::io(OP, shown(path), e.into()))
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<Option<OwnedFd>> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        loop {
            match openat2(
                &self.lower,
                OsStr::from_bytes(path),
                flags,
                Mode::empty(),
                resolve,
            ) {
                Ok(fd) => return Ok(Some(fd)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
                    return Ok(None);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(Error::io(OP, shown(path), error.into())),
            }
        }
    }

    /// Sorts, drops what an opaque directory hid and has again, and tells of directories only what is to be told.
    fn finish(mut self) -> Vec<Change> {
        self.list.sort_by(|(a, _), (b, _)| {
            let rank = |change: &Change| change.kind == ChangeKind::Deleted;
            (&a.path, rank(a)).cmp(&(&b.path, rank(b)))
        });
        self.list
            .dedup_by(|(later, _), (first, _)| later.path == first.path);
        let touched: std::collections::HashSet<Vec<u8>> = self
            .list
            .iter()
            .filter(|(change, _)| change.kind != ChangeKind::Modified)
            .filter_map(|(change, _)| {
                let slash = change.path.iter().rposition(|&b| b == b'/')?;
                Some(change.path[..slash].to_vec())
            })
            .collect();
        self.list
            .into_iter()
            .filter(|(change, told)| *told || touched.contains(&change.path))
            .map(|(change, _)| change)
            .collect()
    }
}
