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
mod writer;

pub use reader::Reader;
pub use writer::TarWriter;

/// Size of a tar's blocks.
pub(crate) const BLOCK: usize = 512;

/// One member of the archive, with everything that its extended headers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as it came.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-id and sticky bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Time,
    /// The size of a regular file, holes included.
    pub size: u64,
    /// Where the data of a sparse file go, in order and without overlap.
    pub sparse: Option<Vec<Segment>>,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// An empty regular file of nobody's: what only its name says something, such as a whiteout, is written as one.
    #[must_use]
    pub fn mark(path: Vec<u8>) -> Self {
        Self {
            path,
            kind: Kind::File,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            size: 0,
            sparse: None,
            xattrs: Vec::new(),
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, and what it says.
    Symlink(Vec<u8>),
    /// Another name of the entry that came before with this path.
    HardLink(Vec<u8>),
    /// A character device: major and minor.
    Character(u32, u32),
    /// A block device: major and minor.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

/// Seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds, rounded down.
    pub seconds: i64,
    /// What is beyond them.
    pub nanos: u32,
}

/// A run of data in a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}
