//! Where everything but data goes: decided before any of it is written, because directories name inodes by their place.

use std::collections::HashMap;

use super::format::{
    BLOCK, BLOCK_BITS, DataLayout, FileType, Form, Inode, SLOT, device, directory_len, xattrs_len,
};
use super::writer::Extent;
use crate::layer::tree::{Content, Directory, Node, NodeId, ROOT, Tree, Xattrs};
use crate::tar::Time;

/// The plan of an image's end.
pub(super) struct Layout {
    /// The time of compact inodes.
    pub(super) time: Time,
    /// The inodes, by node.
    places: Vec<Option<Place>>,
    /// The nodes with blocks between data and inodes, in order.
    pub(super) extras: Vec<NodeId>,
    /// The first block of the inodes.
    pub(super) meta: u64,
    pub(super) inodes: u64,
    pub(super) chunked: bool,
}

/// One inode, and where it goes.
pub(super) struct Place {
    /// From the beginning of the inodes.
    pub(super) offset: u64,
    pub(super) form: Form,
    pub(super) inode: Inode,
}

impl Place {
    pub(super) fn number(&self) -> u64 {
        self.offset / SLOT
    }
}

impl Layout {
    /// Plans what follows the data, which end at the block `data_end`.
    pub(super) fn new(tree: &Tree<Extent>, data_end: u32) -> Self {
        let time = most_common(tree.nodes().map(|(_, node)| node.meta.mtime));
        let mut places: Vec<Option<Place>> = Vec::new();
        places.resize_with(tree.len(), || None);
        let mut layout = Self {
            time,
            places,
            extras: Vec::new(),
            meta: u64::from(data_end),
            inodes: 0,
            chunked: false,
        };
        let mut packer = Packer::new();
        for (id, node) in tree.nodes() {
            let mut xattrs = xattrs_len(&node.xattrs);
            if let Content::Directory(directory) = &node.content
                && directory.opaque
            {
                xattrs = xattrs_len(&with_opaque(&node.xattrs));
            }
            let (mut inode, inlined) = layout.inode(tree, id, node, xattrs);
            layout.inodes += 1;
            inode.number = u32::try_from(layout.inodes).unwrap_or(u32::MAX);
            let form = inode.form(time);
            let offset = packer.place(form.len() + xattrs + inlined);
            layout.places[id as usize] = Some(Place {
                offset,
                form,
                inode,
            });
        }
        layout
    }

    pub(super) fn place(&self, id: NodeId) -> Option<&Place> {
        self.places.get(id as usize)?.as_ref()
    }

    /// All inodes in the order of their places.
    pub(super) fn in_order(&self) -> Vec<(NodeId, &Place)> {
        let mut all: Vec<_> = (0..)
            .zip(&self.places)
            .filter_map(|(id, place)| Some((id, place.as_ref()?)))
            .collect();
        all.sort_by_key(|(_, place)| place.offset);
        all
    }

    /// The inode of a node, and how many bytes of its content are behind it.
    fn inode(
        &mut self,
        tree: &Tree<Extent>,
        id: NodeId,
        node: &Node<Extent>,
        xattrs: u64,
    ) -> (Inode, u64) {
        let kind = file_type(&node.content);
        let mut inode = Inode {
            layout: DataLayout::Plain,
            xattrs: usize::try_from(xattrs).unwrap_or(usize::MAX),
            mode: kind.in_mode() | node.meta.mode,
            links: node.names,
            size: 0,
            value: 0,
            number: 0,
            uid: node.meta.uid,
            gid: node.meta.gid,
            mtime: node.meta.mtime,
        };
        let inlined = match &node.content {
            Content::Directory(directory) => {
                let subdirectories = directory
                    .children
                    .values()
                    .filter(|&&child| tree.directory(child).is_some())
                    .count();
                inode.links = u32::try_from(subdirectories + 2).unwrap_or(u32::MAX);
                inode.size = directory_len(names(directory).map(<[u8]>::len));
                self.behind_or_extra(id, &mut inode)
            }
            Content::Symlink(target) => {
                inode.size = target.len() as u64;
                self.behind_or_extra(id, &mut inode)
            }
            Content::File(extent) => self.file(extent, &mut inode),
            Content::Character(major, minor) | Content::Block(major, minor) => {
                inode.value = device(*major, *minor);
                0
            }
            Content::Fifo | Content::Whiteout => 0,
        };
        (inode, inlined)
    }

    fn file(&mut self, extent: &Extent, inode: &mut Inode) -> u64 {
        inode.size = extent.size();
        match extent {
            Extent::Blocks { block, .. } => {
                inode.value = *block;
                0
            }
            Extent::Tail { block, size, .. } => {
                inode.layout = DataLayout::Inline;
                inode.value = *block;
                size % BLOCK
            }
            Extent::Chunks { bits, map, .. } => {
                self.chunked = true;
                inode.layout = DataLayout::Chunks;
                inode.value = u32::from(bits - BLOCK_BITS);
                map.len() as u64 * 4
            }
        }
    }

    /// Whole blocks go before the inodes; the end goes behind the inode if it fits one block with it.
    fn behind_or_extra(&mut self, id: NodeId, inode: &mut Inode) -> u64 {
        let end = inode.size % BLOCK;
        let fits = end > 0 && Form::Extended.len() + inode.xattrs as u64 + end <= BLOCK;
        let blocks = if fits {
            inode.size / BLOCK
        } else {
            inode.size.div_ceil(BLOCK)
        };
        if blocks > 0 {
            inode.value = u32::try_from(self.meta).unwrap_or(u32::MAX);
            self.meta += blocks;
            self.extras.push(id);
        }
        if fits {
            inode.layout = DataLayout::Inline;
            end
        } else {
            0
        }
    }
}

/// The names in a directory with `.` and `..`, sorted as the kernel wants them.
pub(super) fn names(directory: &Directory) -> impl Iterator<Item = &[u8]> + Clone {
    let split = |name: &[u8]| directory.children.range(..name.to_vec()).count();
    // Both are near the beginning, so little is counted.
    let (dot, dots) = (split(b"."), split(b".."));
    let names = directory.children.keys().map(Vec::as_slice);
    let head = names.clone().take(dot);
    let middle = names.clone().skip(dot).take(dots - dot);
    head.chain([b".".as_slice()])
        .chain(middle)
        .chain([b"..".as_slice()])
        .chain(names.skip(dots))
}

/// The inode behind a name of a directory.
pub(super) fn named(directory: &Directory, id: NodeId, name: &[u8]) -> NodeId {
    match name {
        b"." => id,
        b".." => directory.parent,
        _ => directory.children.get(name).copied().unwrap_or(ROOT),
    }
}

pub(super) fn file_type(content: &Content<Extent>) -> FileType {
    match content {
        Content::Directory(_) => FileType::Directory,
        Content::File(_) => FileType::Regular,
        Content::Symlink(_) => FileType::Symlink,
        Content::Character(..) | Content::Whiteout => FileType::Character,
        Content::Block(..) => FileType::Block,
        Content::Fifo => FileType::Fifo,
    }
}

/// Overlayfs's mark of a directory that hides what is below it.
pub(super) fn with_opaque(xattrs: &Xattrs) -> Xattrs {
    let mut marked = xattrs.clone();
    marked.push((b"trusted.overlay.opaque".to_vec(), b"y".to_vec()));
    marked
}

/// The time that most inodes have, the earliest of them if several.
fn most_common(times: impl Iterator<Item = Time>) -> Time {
    let mut counts: HashMap<Time, u64> = HashMap::new();
    for time in times {
        *counts.entry(time).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(time, count)| (count, std::cmp::Reverse(time)))
        .map_or(Time::default(), |(time, _)| time)
}

/// Gives places to inodes. An inode with what is behind it stays in one block if it can: the kernel demands it of inline data.
struct Packer {
    /// Blocks with room: where it begins and ends.
    open: Vec<(u64, u64)>,
    end: u64,
}

impl Packer {
    /// How many blocks are kept open.
    const OPEN: usize = 32;

    fn new() -> Self {
        // Inode 0 is nobody: getdents(2) would not show it.
        Self {
            open: vec![(SLOT, BLOCK)],
            end: BLOCK,
        }
    }

    fn place(&mut self, bytes: u64) -> u64 {
        let fitting = (0..self.open.len()).filter(|&i| self.open[i].1 - self.open[i].0 >= bytes);
        if let Some(best) = fitting.min_by_key(|&i| self.open[i].1 - self.open[i].0) {
            let offset = self.open[best].0;
            self.open[best].0 = (offset + bytes).next_multiple_of(SLOT);
            if self.open[best].0 >= self.open[best].1 {
                self.open.swap_remove(best);
            }
            return offset;
        }
        let offset = self.end;
        self.end += bytes.next_multiple_of(BLOCK);
        let used = (offset + bytes).next_multiple_of(SLOT);
        if used < self.end {
            if self.open.len() == Self::OPEN
                && let Some(fullest) =
                    (0..Self::OPEN).min_by_key(|&i| self.open[i].1 - self.open[i].0)
            {
                self.open.swap_remove(fullest);
            }
            self.open.push((used, self.end));
        }
        offset
    }
}
