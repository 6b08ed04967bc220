//! The end of an image: directories, inodes, superblock.

use std::fs::File;
use std::io;

use super::format::{
    BLOCK, DataLayout, DirEntry, Superblock, XATTR_HEADER, block_zero, directory, xattrs_body,
};
use super::layout::{Layout, Place, file_type, named, names, with_opaque};
use super::writer::{Extent, Writer, failed};
use crate::error::Result;
use crate::layer::tree::{Content, Directory, Node, NodeId, ROOT, Tree};

/// A written image; nothing of it is synced yet.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) file: File,
    pub(crate) len: u64,
    pub(crate) checksum: String,
}

impl Writer {
    /// Writes all that is not data.
    pub(crate) fn finish(mut self, tree: &Tree<Extent>) -> Result<Finished> {
        self.write_end(tree).map_err(failed).and_then(|block_zero| {
            let (file, len, checksum) = self.image.finish(&block_zero).map_err(failed)?;
            Ok(Finished {
                file,
                len,
                checksum,
            })
        })
    }

    fn write_end(&mut self, tree: &Tree<Extent>) -> io::Result<Vec<u8>> {
        self.image.align()?;
        let layout = Layout::new(tree, self.image.block()?);
        for &id in &layout.extras {
            let (Some(place), node) = (layout.place(id), tree.node(id)) else {
                continue;
            };
            let content = content(tree, &layout, id, node);
            self.image
                .append(&content[..content.len() - behind(place)])?;
            self.image.align()?;
        }
        let mut at = 0;
        for (id, place) in layout.in_order() {
            let mut bytes = vec![0; usize::try_from(place.offset - at).unwrap_or(0)];
            self.write_inode(tree, &layout, id, place, &mut bytes)?;
            self.image.append(&bytes)?;
            at += bytes.len() as u64;
        }
        // fsck.erofs reads a header of attributes behind every inode, also where there are none: not beyond the end.
        self.image.append(&[0; XATTR_HEADER])?;
        self.image.align()?;
        let number = layout.place(ROOT).map_or(0, Place::number);
        Ok(block_zero(&Superblock {
            root: u16::try_from(number).map_err(|_| io::ErrorKind::InvalidData)?,
            inodes: layout.inodes,
            time: layout.time,
            blocks: self.image.block()?,
            meta: u32::try_from(layout.meta).map_err(|_| io::ErrorKind::FileTooLarge)?,
            chunked: layout.chunked,
        }))
    }

    /// An inode, its attributes, and what else is behind it.
    fn write_inode(
        &self,
        tree: &Tree<Extent>,
        layout: &Layout,
        id: NodeId,
        place: &Place,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let node = tree.node(id);
        place.inode.write(place.form, out);
        match &node.content {
            Content::Directory(directory) if directory.opaque => {
                out.extend_from_slice(&xattrs_body(&with_opaque(&node.xattrs)));
            }
            _ => out.extend_from_slice(&xattrs_body(&node.xattrs)),
        }
        match &node.content {
            Content::File(Extent::Tail { size, spooled, .. }) => {
                let start = out.len();
                out.resize(start + usize::try_from(size % BLOCK).unwrap_or(0), 0);
                self.spool.read(*spooled, &mut out[start..])?;
            }
            Content::File(Extent::Chunks { map, .. }) => {
                out.extend(map.iter().flat_map(|block| block.to_le_bytes()));
            }
            Content::Directory(_) | Content::Symlink(_) => {
                let content = content(tree, layout, id, node);
                out.extend_from_slice(&content[content.len() - behind(place)..]);
            }
            _ => {}
        }
        Ok(())
    }
}

/// How many bytes of a directory or symlink are behind its inode.
fn behind(place: &Place) -> usize {
    match place.inode.layout {
        DataLayout::Inline => usize::try_from(place.inode.size % BLOCK).unwrap_or(0),
        _ => 0,
    }
}

/// The content of a directory or symlink.
fn content(tree: &Tree<Extent>, layout: &Layout, id: NodeId, node: &Node<Extent>) -> Vec<u8> {
    match &node.content {
        Content::Directory(directory) => directory_content(tree, layout, id, directory),
        Content::Symlink(target) => target.clone(),
        _ => Vec::new(),
    }
}

fn directory_content(
    tree: &Tree<Extent>,
    layout: &Layout,
    id: NodeId,
    this: &Directory,
) -> Vec<u8> {
    let entry = |name| {
        let child = named(this, id, name);
        let inode = layout.place(child).map_or(0, Place::number);
        DirEntry {
            name,
            inode,
            kind: file_type(&tree.node(child).content),
        }
    };
    directory(&names(this).map(entry).collect::<Vec<_>>())
}
