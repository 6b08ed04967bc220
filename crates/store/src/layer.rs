//! Layers: from a tar to a tree that overlayfs merges with those below.
//!
//! A tar is received in one pass: the data go where the layer's format keeps them ([`Sink`]), the rest is remembered
//! ([`receive`]). At its end the entries become a tree ([`resolve`]), perhaps with the help of the layers below
//! ([`below`]), and the format writes the tree down.

pub(crate) mod below;
pub(crate) mod canonical;
pub(crate) mod directory;
pub(crate) mod image;
pub(crate) mod lower;
mod path;
pub(crate) mod receive;
pub(crate) mod resolve;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
pub(crate) mod xattr;

use crate::erofs::Source;
use crate::error::Result;
use crate::tar::Segment;
use tree::{Tree, Xattrs};

/// Where a layer is written: an image, or a directory.
pub(crate) trait Sink {
    /// Where the data of a file are.
    type Data;

    /// The format's name in the database.
    const FORMAT: &'static str;

    /// Keeps the data of a regular file.
    fn store(&mut self, file: &FileData<'_>, source: &mut dyn Source) -> Result<Self::Data>;

    /// Data that were kept, to be read again before they are published.
    fn content<'a>(&'a self, data: &'a Self::Data) -> Result<Box<dyn canonical::Content + 'a>>;

    /// Writes the tree down, makes it durable, and gives it its name; replaces what has the name.
    fn publish(self, tree: &Tree<Self::Data>, name: &str) -> Result<Written>;
}

/// What is known of a file's data before they come.
#[derive(Debug)]
pub(crate) struct FileData<'a> {
    pub(crate) size: u64,
    pub(crate) sparse: Option<&'a [Segment]>,
    pub(crate) xattrs: &'a Xattrs,
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) size: u64,
    pub(crate) checksum: String,
}
