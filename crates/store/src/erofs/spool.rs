//! Bytes that wait for the end of the image: in memory, and in an unnamed file when they are many.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is kept in memory.
const MEMORY: usize = 16 << 20;

pub(super) struct Spool {
    recent: Vec<u8>,
    /// How many bytes went to the file.
    written: u64,
    file: Option<File>,
}

impl Spool {
    pub(super) fn new() -> Self {
        Self {
            recent: Vec::new(),
            written: 0,
            file: None,
        }
    }

    /// Where the next byte goes.
    pub(super) fn len(&self) -> u64 {
        self.written + self.recent.len() as u64
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        file: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<()> {
        if self.recent.len() + bytes.len() > MEMORY {
            let file = match &self.file {
                Some(file) => file,
                None => self.file.insert(file()?),
            };
            file.write_all_at(&self.recent, self.written)?;
            self.written += self.recent.len() as u64;
            self.recent.clear();
        }
        self.recent.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads bytes that were pushed together.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match (offset.checked_sub(self.written), &self.file) {
            (None, Some(file)) => file.read_exact_at(out, offset),
            (start, _) => {
                let start = start
                    .and_then(|s| usize::try_from(s).ok())
                    .unwrap_or(usize::MAX);
                let end = start.saturating_add(out.len());
                let bytes = self
                    .recent
                    .get(start..end)
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                out.copy_from_slice(bytes);
                Ok(())
            }
        }
    }
}
