//! A strict tar reader: one grammar, one meaning.
//!
//! Reads what GNU tar, BSD tar, Go and Docker write: V7, ustar, PAX, GNU long names, GNU sparse files of all four kinds.
//! Where readers disagree it reads as Go's `archive/tar` does, because Docker does; the size of a PAX header always wins
//! (CVE-2025-62518, CVE-2026-33055), and what is malformed is an error, never a guess.
//!
//! Read [`header`] (one block of 512 bytes), then [`pax`], then [`reader`].

mod header;
mod pax;
mod reader;
mod sparse;
#[cfg(test)]
mod tests;

pub(crate) use reader::Reader;

/// Size of a tar's blocks.
pub(crate) const BLOCK: usize = 512;

/// One member of the archive, with everything that its extended headers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path as it came.
    pub(crate) path: Vec<u8>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Permission bits with set-id and sticky bits.
    pub(crate) mode: u16,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Time of last modification.
    pub(crate) mtime: Time,
    /// The size of a regular file, holes included.
    pub(crate) size: u64,
    /// Where the data of a sparse file go, in order and without overlap.
    pub(crate) sparse: Option<Vec<Segment>>,
    /// Extended attributes, sorted by name.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
}

/// Seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// A run of data in a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}
