//! The file that becomes an image: mostly appended to, in large writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::checksum::{Checksum, PART};
use super::format::{BLOCK, HOLE};

pub(super) struct Image {
    file: File,
    /// What is not written yet, and where it goes.
    buffer: Vec<u8>,
    start: u64,
    checksum: Checksum,
}

impl Image {
    /// An empty image; block 0 is written last.
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            buffer: Vec::with_capacity(1 << 20),
            start: BLOCK,
            checksum: Checksum::default(),
        }
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    pub(super) fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PART - self.position() % PART;
            let count = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            self.buffer.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.position().is_multiple_of(PART) {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Fills the last block with zeros.
    pub(super) fn align(&mut self) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let missing = usize::try_from(self.position().wrapping_neg() % BLOCK).unwrap_or(0);
        self.append(&ZEROS[..missing])
    }

    /// The number of the block that the next byte begins.
    pub(super) fn block(&self) -> io::Result<u32> {
        block_at(self.position())
    }

    /// Leaves a hole of `bytes`, which is a number of blocks.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.flush()?;
        self.start = self.start.checked_add(bytes).ok_or_else(too_large)?;
        block_at(self.start).map(drop)
    }

    /// Writes into a hole.
    pub(super) fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        self.checksum.wrote(offset, bytes);
        Ok(())
    }

    /// Reads what was appended or written, be it in the file already or not. Holes are zeros.
    pub(super) fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let in_file = self.start.saturating_sub(offset).min(out.len() as u64);
        let (early, late) = out.split_at_mut(usize::try_from(in_file).unwrap_or(0));
        let mut done = 0;
        while done < early.len() {
            match self
                .file
                .read_at(&mut early[done..], offset + done as u64)?
            {
                // A hole at the end that nobody wrote to.
                0 => {
                    early[done..].fill(0);
                    break;
                }
                count => done += count,
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        let from = usize::try_from(offset + in_file - self.start).unwrap_or(usize::MAX);
        let bytes = from
            .checked_add(late.len())
            .and_then(|to| self.buffer.get(from..to))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        late.copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(&self.buffer, self.start)?;
        self.checksum.wrote(self.start, &self.buffer);
        self.start += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes block 0 and what is left. Returns the file, its length and its checksum; nothing is synced yet.
    pub(super) fn finish(mut self, block_zero: &[u8]) -> io::Result<(File, u64, String)> {
        self.align()?;
        self.flush()?;
        let len = self.start;
        self.write_at(block_zero, 0)?;
        self.file.set_len(len)?;
        let sum = self.checksum.finish(&self.file, len)?;
        Ok((self.file, len, sum))
    }
}

fn block_at(position: u64) -> io::Result<u32> {
    u32::try_from(position / BLOCK)
        .ok()
        .filter(|&block| block < HOLE)
        .ok_or_else(too_large)
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "the image would be larger than 16 TiB",
    )
}
