//! A layer as its canonical tar: of the tree that is being made, and again of the layer that was made of it.
//!
//! Both ways give the same bytes. So a layer that was made here needs no stored tar: its digest is taken once, and whoever saves or pushes it
//! writes the tar again.

use std::io::{self, Read, Write};

use super::Sink;
use super::tree::{Content as Kept, NodeId, ROOT, Tree};
use crate::error::{Error, Result, shown};
use crate::tar::{Entry, Kind, Segment, TarWriter, Time};
use crate::walk::Walk;

/// A file is written as a sparse one if so many bytes of it are holes: below that every reader gets all bytes, because Docker's tools do not keep
/// such archives byte for byte.
const HOLES: u64 = 64 << 20;
/// Data are found in pieces of this size.
const PIECE: u64 = 1 << 20;
/// Maps with more segments are not worth it, and readers have limits.
const SEGMENTS: usize = 20_000;

/// The content of a regular file.
pub(crate) trait Content {
    /// Bytes of it.
    fn size(&self) -> u64;
    /// Fills the buffer from `offset`, which is inside with all of it.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Where data are at or after `offset`, as far as is known without reading: holes are skipped so.
    fn data_from(&self, offset: u64) -> io::Result<Option<u64>>;
}

/// Writes the tar of a tree whose data are in `sink`.
pub(crate) fn write_tree<S: Sink, W: Write>(
    tree: &Tree<S::Data>,
    sink: &S,
    out: W,
) -> Result<(W, u64)> {
    let mut writer = TarWriter::new(out);
    let mut paths: Vec<Option<Vec<u8>>> = vec![None; tree.len()];
    let mut left: Vec<(Vec<u8>, NodeId)> = Vec::new();
    descend(tree, ROOT, b"", &mut left);
    while let Some((path, id)) = left.pop() {
        let node = tree.node(id);
        let mut entry = Entry {
            mode: node.meta.mode,
            uid: node.meta.uid,
            gid: node.meta.gid,
            mtime: node.meta.mtime,
            xattrs: node.xattrs.clone(),
            ..Entry::mark(path)
        };
        if let Some(first) = &paths[id as usize] {
            entry.kind = Kind::HardLink(first.clone());
            entry.xattrs.clear();
            put(&mut writer, entry, None)?;
            continue;
        }
        if node.names > 1 {
            paths[id as usize] = Some(entry.path.clone());
        }
        entry.kind = match &node.content {
            Kept::Directory(directory) => {
                entry.path.push(b'/');
                let path = entry.path.clone();
                entry.kind = Kind::Directory;
                put(&mut writer, entry, None)?;
                if directory.opaque {
                    let opaque = [path.as_slice(), b".wh..wh..opq"].concat();
                    put(&mut writer, Entry::mark(opaque), None)?;
                }
                descend(tree, id, &path, &mut left);
                continue;
            }
            Kept::File(data) => {
                let content = sink.content(data)?;
                put(&mut writer, entry, Some(&*content))?;
                continue;
            }
            Kept::Whiteout => {
                put(&mut writer, Entry::mark(hidden(&entry.path)), None)?;
                continue;
            }
            Kept::Symlink(target) => Kind::Symlink(target.clone()),
            Kept::Character(major, minor) => Kind::Character(*major, *minor),
            Kept::Block(major, minor) => Kind::Block(*major, *minor),
            Kept::Fifo => Kind::Fifo,
        };
        put(&mut writer, entry, None)?;
    }
    writer.finish()
}

/// Puts the children of a directory on the stack, the first on top.
fn descend<D>(tree: &Tree<D>, id: NodeId, path: &[u8], left: &mut Vec<(Vec<u8>, NodeId)>) {
    if let Some(directory) = tree.directory(id) {
        let children = directory.children.iter().rev();
        left.extend(children.map(|(name, &child)| ([path, name].concat(), child)));
    }
}

/// The name that marks `path` as removed.
fn hidden(path: &[u8]) -> Vec<u8> {
    let name = path.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    [&path[..name], b".wh.", &path[name..]].concat()
}

/// Writes the tar of a layer that is mounted or a directory.
pub(crate) fn write_walk<W: Write>(mut walk: Walk, out: W) -> Result<(W, u64)> {
    let mut writer = TarWriter::new(out);
    while let Some(walked) = walk.next_entry()? {
        match walked.file {
            Some(file) => {
                let content = Stored {
                    size: walked.entry.size,
                    file,
                };
                put(&mut writer, walked.entry, Some(&content))?;
            }
            None => put(&mut writer, walked.entry, None)?,
        }
    }
    writer.finish()
}

/// Times in whole seconds since 1970, as Docker's layers have them: what a layer is made of is independent of the file system it is on.
pub(crate) fn settled(time: Time) -> Time {
    const MOST: i64 = i64::MAX / 1_000_000_000;
    let seconds = if (0..MOST).contains(&time.seconds) {
        time.seconds
    } else {
        0
    };
    Time { seconds, nanos: 0 }
}

fn put<W: Write>(
    writer: &mut TarWriter<W>,
    mut entry: Entry,
    content: Option<&dyn Content>,
) -> Result<()> {
    entry.mtime = settled(entry.mtime);
    entry.sparse = None;
    let Some(content) = content else {
        entry.size = 0;
        return writer.entry(&entry, &mut io::empty());
    };
    entry.kind = Kind::File;
    entry.size = content.size();
    let map = data_map(content).map_err(|e| Error::io("read layer", shown(&entry.path), e))?;
    let mut data = ContentReader {
        content,
        map: map.clone().unwrap_or_else(|| {
            vec![Segment {
                offset: 0,
                length: entry.size,
            }]
        }),
        done: 0,
    };
    data.map.reverse();
    entry.sparse = map;
    writer.entry(&entry, &mut data)
}

/// The map of a file that is written as a sparse one. It depends on the bytes alone, not on where the file system has holes.
fn data_map(content: &dyn Content) -> io::Result<Option<Vec<Segment>>> {
    let size = content.size();
    if size < HOLES {
        return Ok(None);
    }
    let mut map: Vec<Segment> = Vec::new();
    let mut buffer = vec![0; usize::try_from(PIECE).unwrap_or(0)];
    let (mut at, mut data) = (0, 0);
    while at < size {
        let Some(next) = content.data_from(at)? else {
            break;
        };
        at = next / PIECE * PIECE;
        let length = PIECE.min(size - at);
        let piece = &mut buffer[..usize::try_from(length).unwrap_or(0)];
        content.read_at(piece, at)?;
        if piece.iter().any(|&byte| byte != 0) {
            data += length;
            match map.last_mut() {
                Some(last) if last.offset + last.length == at => last.length += length,
                _ => map.push(Segment { offset: at, length }),
            }
            if map.len() > SEGMENTS {
                return Ok(None);
            }
        }
        at += length;
    }
    Ok((size - data >= HOLES).then_some(map))
}

struct ContentReader<'a> {
    content: &'a dyn Content,
    /// Last first.
    map: Vec<Segment>,
    /// Bytes read of the segment that is on top.
    done: u64,
}

impl Read for ContentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(segment) = self.map.last() else {
                return Ok(0);
            };
            let left = segment.length - self.done;
            if left == 0 {
                self.map.pop();
                self.done = 0;
                continue;
            }
            let count = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let offset = segment.offset + self.done;
            self.content.read_at(&mut buffer[..count], offset)?;
            self.done += count as u64;
            return Ok(count);
        }
    }
}

/// A file of a layer that is mounted.
struct Stored {
    size: u64,
    file: std::fs::File,
}

impl Content for Stored {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        next_data(&self.file, offset)
    }
}

/// Where the next data of an open file are.
pub(crate) fn next_data(file: impl std::os::fd::AsFd, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(rustix::io::Errno::INVAL) => Ok(Some(offset)),
        Err(error) => Err(error.into()),
    }
}
