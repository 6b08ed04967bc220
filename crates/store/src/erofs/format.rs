//! The structures on disk. All numbers are little-endian.

use crate::layer::tree::Xattrs;
use crate::tar::Time;

/// Size of a block: the smallest page size, which every kernel mounts.
pub(crate) const BLOCK: u64 = 4096;
pub(super) const BLOCK_BITS: u8 = 12;

/// Inodes are named by their place in units of this.
pub(super) const SLOT: u64 = 32;

/// A block number that stands for a hole in a chunk map.
pub(super) const HOLE: u32 = u32::MAX;

const MAGIC: u32 = 0xe0f5_e1e2;
const SUPERBLOCK: usize = 1024;
const COMPAT_CHECKSUM: u32 = 1;
const COMPAT_MTIME: u32 = 2;
const INCOMPAT_CHUNKED: u32 = 4;

/// What the superblock says.
pub(super) struct Superblock {
    pub(super) root: u16,
    pub(super) inodes: u64,
    pub(super) time: Time,
    pub(super) blocks: u32,
    pub(super) meta: u32,
    pub(super) chunked: bool,
}

/// Block 0, with the checksum over its part from the superblock on.
pub(super) fn block_zero(superblock: &Superblock) -> Vec<u8> {
    let mut out = vec![0; SUPERBLOCK];
    put(&mut out, &MAGIC.to_le_bytes());
    put(&mut out, &[0; 4]);
    put(&mut out, &(COMPAT_CHECKSUM | COMPAT_MTIME).to_le_bytes());
    put(&mut out, &[BLOCK_BITS, 0]);
    put(&mut out, &superblock.root.to_le_bytes());
    put(&mut out, &superblock.inodes.to_le_bytes());
    put(&mut out, &superblock.time.seconds.to_le_bytes());
    put(&mut out, &superblock.time.nanos.to_le_bytes());
    put(&mut out, &superblock.blocks.to_le_bytes());
    put(&mut out, &superblock.meta.to_le_bytes());
    // No shared attributes, no identity, no name.
    put(&mut out, &[0; 4 + 16 + 16]);
    let incompat = if superblock.chunked {
        INCOMPAT_CHUNKED
    } else {
        0
    };
    put(&mut out, &incompat.to_le_bytes());
    out.resize(4096, 0);
    let sum = crc32c(&out[SUPERBLOCK..]);
    out[SUPERBLOCK + 4..SUPERBLOCK + 8].copy_from_slice(&sum.to_le_bytes());
    out
}

/// As the kernel has it: without the inversion at the end.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

/// How the content of an inode is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataLayout {
    /// Whole blocks.
    Plain,
    /// Whole blocks, and what is left behind the inode.
    Inline,
    /// A map of chunks behind the inode.
    Chunks,
}

/// An inode.
pub(super) struct Inode {
    pub(super) layout: DataLayout,
    pub(super) xattrs: usize,
    pub(super) mode: u16,
    pub(super) links: u32,
    pub(super) size: u64,
    /// First block, device number or format of the chunk map.
    pub(super) value: u32,
    pub(super) number: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
}

/// The two sizes of inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Compact,
    Extended,
}

impl Form {
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Compact => 32,
            Self::Extended => 64,
        }
    }
}

impl Inode {
    /// The compact form has the time of the superblock, and small numbers only.
    pub(super) fn form(&self, time: Time) -> Form {
        let small = |n: u32| u16::try_from(n).is_ok();
        let fits = self.mtime == time
            && small(self.uid)
            && small(self.gid)
            && small(self.links)
            && u32::try_from(self.size).is_ok();
        if fits { Form::Compact } else { Form::Extended }
    }

    pub(super) fn write(&self, form: Form, out: &mut Vec<u8>) {
        let layout = match self.layout {
            DataLayout::Plain => 0_u16,
            DataLayout::Inline => 2,
            DataLayout::Chunks => 4,
        };
        let version = u16::from(form == Form::Extended);
        put(out, &(layout << 1 | version).to_le_bytes());
        put(out, &xattr_count(self.xattrs).to_le_bytes());
        put(out, &self.mode.to_le_bytes());
        if form == Form::Compact {
            put(out, &self.links.to_le_bytes()[..2]);
            put(out, &self.size.to_le_bytes()[..4]);
            put(out, &[0; 4]);
            put(out, &self.value.to_le_bytes());
            put(out, &self.number.to_le_bytes());
            put(out, &self.uid.to_le_bytes()[..2]);
            put(out, &self.gid.to_le_bytes()[..2]);
            put(out, &[0; 4]);
        } else {
            put(out, &[0; 2]);
            put(out, &self.size.to_le_bytes());
            put(out, &self.value.to_le_bytes());
            put(out, &self.number.to_le_bytes());
            put(out, &self.uid.to_le_bytes());
            put(out, &self.gid.to_le_bytes());
            put(out, &self.mtime.seconds.to_le_bytes());
            put(out, &self.mtime.nanos.to_le_bytes());
            put(out, &self.links.to_le_bytes());
            put(out, &[0; 16]);
        }
    }
}

pub(super) const XATTR_HEADER: usize = 12;

/// The number that stands for so many bytes of attributes.
fn xattr_count(bytes: usize) -> u16 {
    // Limits::xattrs keeps them far below what fits.
    bytes
        .checked_sub(XATTR_HEADER)
        .map_or(0, |rest| u16::try_from(rest / 4 + 1).unwrap_or(u16::MAX))
}

/// The number of bytes that attributes take behind an inode.
pub(crate) fn xattrs_len(xattrs: &Xattrs) -> u64 {
    let entry = |(name, value): &(Vec<u8>, Vec<u8>)| {
        (4 + short_name(name).map_or(0, |(_, short)| short.len()) + value.len()).next_multiple_of(4)
    };
    let bytes: usize = xattrs.iter().map(entry).sum();
    if xattrs.is_empty() {
        0
    } else {
        (XATTR_HEADER + bytes) as u64
    }
}

/// The attributes as they are behind an inode.
pub(super) fn xattrs_body(xattrs: &Xattrs) -> Vec<u8> {
    let mut out = Vec::new();
    if xattrs.is_empty() {
        return out;
    }
    put(&mut out, &[0; XATTR_HEADER]);
    for (name, value) in xattrs {
        let Some((index, short)) = short_name(name) else {
            continue;
        };
        put(
            &mut out,
            &[u8::try_from(short.len()).unwrap_or(u8::MAX), index],
        );
        put(
            &mut out,
            &u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes(),
        );
        put(&mut out, short);
        put(&mut out, value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// The prefix's number, and what follows the prefix.
pub(crate) fn short_name(name: &[u8]) -> Option<(u8, &[u8])> {
    const PREFIXES: &[(&[u8], u8)] = &[(b"user.", 1), (b"trusted.", 4), (b"security.", 6)];
    match name {
        b"system.posix_acl_access" => Some((2, b"")),
        b"system.posix_acl_default" => Some((3, b"")),
        _ => PREFIXES
            .iter()
            .find_map(|(prefix, index)| Some((*index, name.strip_prefix(*prefix)?))),
    }
}

/// Type of a file, in a directory and in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileType {
    Regular,
    Directory,
    Character,
    Block,
    Fifo,
    Symlink,
}

impl FileType {
    fn in_directory(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::Character => 3,
            Self::Block => 4,
            Self::Fifo => 5,
            Self::Symlink => 7,
        }
    }

    pub(super) fn in_mode(self) -> u16 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Character => 0o020_000,
            Self::Block => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Symlink => 0o120_000,
        }
    }
}

/// A name in a directory.
pub(super) struct DirEntry<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: u64,
    pub(super) kind: FileType,
}

const DIR_ENTRY: usize = 12;

/// The content of a directory: blocks, each with its entries and then their names; the last block is as long as it needs.
/// The entries are sorted, for the kernel searches by halves.
pub(super) fn directory(entries: &[DirEntry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        out.resize(out.len().next_multiple_of(4096), 0);
        let (count, _) = block_of(rest.iter().map(|e| e.name.len()));
        let (block, after) = rest.split_at(count);
        let mut name_at = count * DIR_ENTRY;
        for entry in block {
            put(&mut out, &entry.inode.to_le_bytes());
            put(
                &mut out,
                &u16::try_from(name_at).unwrap_or(u16::MAX).to_le_bytes(),
            );
            put(&mut out, &[entry.kind.in_directory(), 0]);
            name_at += entry.name.len();
        }
        for entry in block {
            put(&mut out, entry.name);
        }
        rest = after;
    }
    out
}

/// The length of what [`directory`] makes of names of these lengths.
pub(super) fn directory_len(mut names: impl Iterator<Item = usize> + Clone) -> u64 {
    let mut blocks = 0;
    let mut last = 0;
    loop {
        let (count, used) = block_of(names.clone());
        if count == 0 {
            break;
        }
        blocks += 1;
        last = used;
        names.by_ref().take(count).for_each(drop);
    }
    if blocks == 0 {
        0
    } else {
        (blocks - 1) * BLOCK + last as u64
    }
}

/// How many of the names fit a block, and the bytes they take.
fn block_of(names: impl Iterator<Item = usize>) -> (usize, usize) {
    let mut used = 0;
    let mut count = 0;
    for name in names {
        if used + DIR_ENTRY + name > 4096 {
            break;
        }
        used += DIR_ENTRY + name;
        count += 1;
    }
    (count, used)
}

/// A device number as the kernel's new_encode_dev() has it.
pub(super) fn device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}
