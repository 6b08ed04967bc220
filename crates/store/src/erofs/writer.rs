//! The data of files.

use std::fs::File;
use std::io::{self, BufRead};

use super::format::{BLOCK, BLOCK_BITS, HOLE, xattrs_len};
use super::image::Image;
use super::spool::Spool;
use crate::error::{Error, Result};
use crate::layer::canonical::Content;
use crate::layer::tree::Xattrs;
use crate::tar::{Reader, Segment};

/// The largest end of a file that is kept behind its inode, together with the attributes: half a block, or packing wastes more
/// than it saves.
const INLINE: u64 = 2048;

/// The most entries of a chunk map, if the image allows.
const MAP: u64 = 1 << 14;
/// The most entries of a chunk map at all: 4 MiB.
const MAX_MAP: u64 = 1 << 20;
/// How many bytes a sparse file may reserve before its chunks become smaller.
const RESERVED: u64 = 1 << 40;

/// Where the data of a file are.
#[derive(Debug)]
pub(crate) enum Extent {
    /// Whole blocks.
    Blocks { block: u32, size: u64 },
    /// Whole blocks, and an end that waits in the spool.
    Tail { block: u32, size: u64, spooled: u64 },
    /// Chunks of a sparse file.
    Chunks { size: u64, bits: u8, map: Vec<u32> },
}

impl Extent {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Blocks { size, .. } | Self::Tail { size, .. } | Self::Chunks { size, .. } => {
                *size
            }
        }
    }
}

/// Writes an image.
pub(crate) struct Writer {
    pub(super) image: Image,
    pub(super) spool: Spool,
    /// Makes the spool's file.
    scratch: Box<dyn Fn() -> io::Result<File> + Send>,
}

const OP: &str = "write layer";

pub(super) fn failed(error: io::Error) -> Error {
    Error::io(OP, "image", error)
}

impl Writer {
    /// Writes into the empty `file`; `scratch` makes unnamed files.
    pub(crate) fn new(file: File, scratch: Box<dyn Fn() -> io::Result<File> + Send>) -> Self {
        Self {
            image: Image::new(file),
            spool: Spool::new(),
            scratch,
        }
    }

    /// Stores the data of a regular file.
    pub(crate) fn store(
        &mut self,
        size: u64,
        sparse: Option<&[Segment]>,
        xattrs: &Xattrs,
        source: &mut dyn Source,
    ) -> Result<Extent> {
        match sparse {
            Some(map) => self.store_sparse(size, map, source),
            None => self.store_whole(size, xattrs, source),
        }
    }

    fn store_whole(
        &mut self,
        size: u64,
        xattrs: &Xattrs,
        source: &mut dyn Source,
    ) -> Result<Extent> {
        let block = self.image.block().map_err(failed)?;
        let tail = size % BLOCK;
        if tail == 0 || tail + xattrs_len(xattrs) > INLINE {
            self.copy(size, source)?;
            self.image.align().map_err(failed)?;
            return Ok(Extent::Blocks { block, size });
        }
        self.copy(size - tail, source)?;
        let spooled = self.spool.len();
        let mut end = Vec::new();
        take(tail, source, |bytes| {
            end.extend_from_slice(bytes);
            Ok(())
        })?;
        self.spool.push(&end, &*self.scratch).map_err(failed)?;
        Ok(Extent::Tail {
            block,
            size,
            spooled,
        })
    }

    fn copy(&mut self, count: u64, source: &mut dyn Source) -> Result<()> {
        take(count, source, |bytes| {
            self.image.append(bytes).map_err(failed)
        })
    }

    /// Only chunks that have data get a place in the image. There they have holes too, where the file has some.
    fn store_sparse(
        &mut self,
        size: u64,
        segments: &[Segment],
        source: &mut dyn Source,
    ) -> Result<Extent> {
        let bits = chunk_bits(size, segments);
        let chunk = 1_u64 << bits;
        let mut map = vec![HOLE; usize::try_from(size.div_ceil(chunk)).unwrap_or(0)];
        for segment in segments {
            let mut at = segment.offset;
            let end = segment.offset + segment.length;
            while at < end {
                let place = usize::try_from(at / chunk).unwrap_or(usize::MAX);
                if map[place] == HOLE {
                    map[place] = self.image.block().map_err(failed)?;
                    let used = (size - at / chunk * chunk)
                        .min(chunk)
                        .next_multiple_of(BLOCK);
                    self.image.skip(used).map_err(failed)?;
                }
                let mut to = u64::from(map[place]) * BLOCK + at % chunk;
                let count = (end - at).min(chunk - at % chunk);
                take(count, source, |bytes| {
                    self.image.write_at(bytes, to).map_err(failed)?;
                    to += bytes.len() as u64;
                    Ok(())
                })?;
                at += count;
            }
        }
        Ok(Extent::Chunks { size, bits, map })
    }
}

/// Data that are in an image which is not finished.
pub(crate) struct Stored<'a> {
    writer: &'a Writer,
    extent: &'a Extent,
}

impl Writer {
    /// The data of a file, to be read again.
    pub(crate) fn stored<'a>(&'a self, extent: &'a Extent) -> Stored<'a> {
        Stored {
            writer: self,
            extent,
        }
    }
}

impl Content for Stored<'_> {
    fn size(&self) -> u64 {
        self.extent.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let image = &self.writer.image;
        match self.extent {
            Extent::Blocks { block, .. } => {
                image.read_at(buffer, u64::from(*block) * BLOCK + offset)
            }
            Extent::Tail {
                block,
                size,
                spooled,
            } => {
                let whole = size / BLOCK * BLOCK;
                let first = whole.saturating_sub(offset).min(buffer.len() as u64);
                let (blocks, tail) = buffer.split_at_mut(usize::try_from(first).unwrap_or(0));
                image.read_at(blocks, u64::from(*block) * BLOCK + offset)?;
                if tail.is_empty() {
                    return Ok(());
                }
                self.writer
                    .spool
                    .read(spooled + (offset + first - whole), tail)
            }
            Extent::Chunks { bits, map, .. } => {
                let chunk = 1_u64 << bits;
                let mut done = 0;
                while done < buffer.len() {
                    let at = offset + done as u64;
                    let room = usize::try_from(chunk - at % chunk).unwrap_or(usize::MAX);
                    let count = room.min(buffer.len() - done);
                    let part = &mut buffer[done..done + count];
                    let place = usize::try_from(at / chunk).unwrap_or(usize::MAX);
                    match map.get(place).copied().unwrap_or(HOLE) {
                        HOLE => part.fill(0),
                        block => image.read_at(part, u64::from(block) * BLOCK + at % chunk)?,
                    }
                    done += count;
                }
                Ok(())
            }
        }
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let Extent::Chunks { bits, map, .. } = self.extent else {
            return Ok(Some(offset));
        };
        let first = usize::try_from(offset >> bits).unwrap_or(usize::MAX);
        let next = (first..map.len()).find(|&chunk| map[chunk] != HOLE);
        Ok(next.map(|chunk| offset.max((chunk as u64) << bits)))
    }
}

/// The smallest chunks whose map is not too long; smaller ones if otherwise they would reserve too much.
fn chunk_bits(size: u64, segments: &[Segment]) -> u8 {
    let entries = |bits: u8| size.div_ceil(1 << bits);
    let reserved = |bits: u8| {
        let chunks = segments
            .iter()
            .map(|s| ((s.offset + s.length - 1) >> bits) - (s.offset >> bits) + 1)
            .sum::<u64>();
        u128::from(chunks) << bits
    };
    let mut bits = BLOCK_BITS;
    while entries(bits) > MAP {
        bits += 1;
    }
    while bits > BLOCK_BITS && reserved(bits) > u128::from(RESERVED) && entries(bits - 1) <= MAX_MAP
    {
        bits -= 1;
    }
    bits
}

/// Where data come from.
pub(crate) trait Source {
    /// Some bytes; none at the end.
    fn fill(&mut self) -> Result<&[u8]>;
    /// Takes so many of them.
    fn consume(&mut self, count: usize);
}

impl<R: BufRead> Source for Reader<R> {
    fn fill(&mut self) -> Result<&[u8]> {
        self.data()
    }

    fn consume(&mut self, count: usize) {
        Self::consume(self, count);
    }
}

/// Gives exactly `count` bytes to `give`.
pub(crate) fn take(
    mut count: u64,
    source: &mut dyn Source,
    mut give: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    while count > 0 {
        let bytes = source.fill()?;
        if bytes.is_empty() {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let bytes = &bytes[..bytes
            .len()
            .min(usize::try_from(count).unwrap_or(usize::MAX))];
        give(bytes)?;
        let taken = bytes.len();
        source.consume(taken);
        count -= taken as u64;
    }
    Ok(())
}
