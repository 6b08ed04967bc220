//! Writes EROFS images in one pass over a stream.
//!
//! The image is: block 0 with the superblock, the data of files in the order in which they come, then the blocks of large
//! directories, then the inodes with extended attributes, chunk maps, and inline the rest: small files, ends of files,
//! symlinks, small directories. Nothing is compressed. Uses only what Linux 5.15 knows (chunk-based files are the newest),
//! as described by Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
//!
//! Read [`format`] (structures), then [`writer`] (data), then [`finish`] (everything else).

mod checksum;
mod finish;
mod format;
mod image;
mod layout;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use checksum::Checksum;
pub(crate) use writer::{Extent, Source, Writer, take};
