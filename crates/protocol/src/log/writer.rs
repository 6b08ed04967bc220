//! Writing a log.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use super::record::{Header, MAX_PAYLOAD, Stream};
use super::segments::{Position, Segments, valid_end};
use crate::error::{Error, Result};
use crate::{LogLimits, Nanos};

/// The one writer of a log. It keeps no data: what was written is in the file, for every reader to see.
#[derive(Debug)]
pub struct Writer {
    segments: Segments,
    limits: LogLimits,
    file: OwnedFd,
    end: Position,
}

impl Writer {
    /// Opens the log in `container_dir` at its end. A torn record there is overwritten by the next one.
    ///
    /// # Errors
    /// The directory or the last segment can't be created, opened or read.
    pub fn open(container_dir: impl AsFd, limits: LogLimits) -> Result<Self> {
        let segments = Segments::create(container_dir)?;
        let last = segments.list()?.last().copied();
        let number = last.unwrap_or(Segments::FIRST);
        let file = segments.write(number)?;
        let offset = match last {
            Some(_) => valid_end(&file)?,
            None => 0,
        };
        let mut writer = Self {
            segments,
            limits,
            file,
            end: Position {
                segment: number,
                offset,
            },
        };
        writer.cut();
        Ok(writer)
    }

    /// Where the next record will be.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }

    /// The log's directory.
    #[must_use]
    pub const fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Appends a record, in a new segment if the present one would grow too large. What is longer than [`MAX_PAYLOAD`] becomes
    /// several records. On an error nothing of the record that failed is seen by readers; what was before it stays.
    ///
    /// # Errors
    /// The disk is full or failing.
    pub fn append(&mut self, stream: Stream, time: Nanos, payload: &[u8]) -> Result<()> {
        for part in payload.chunks(MAX_PAYLOAD) {
            let header = Header {
                stream,
                length: u32::try_from(part.len()).unwrap_or_default(),
                time,
            };
            let too_large = self.end.offset + header.record_size() > self.limits.max_size;
            if too_large && self.end.offset > 0 {
                self.rotate()?;
            }
            self.put(header, part)?;
        }
        Ok(())
    }

    fn put(&mut self, header: Header, payload: &[u8]) -> Result<()> {
        let size = header.record_size();
        let (head, trailer) = (header.to_bytes(), header.length.to_le_bytes());
        let parts = [
            IoSlice::new(&head),
            IoSlice::new(payload),
            IoSlice::new(&trailer),
        ];
        loop {
            // By position: the torn end of a failed write is overwritten, not followed.
            match rustix::io::pwritev(&self.file, &parts, self.end.offset) {
                Ok(n) if n as u64 == size => {
                    self.end.offset += size;
                    return Ok(());
                }
                Ok(_) => {
                    self.cut();
                    return Err(Error::io("write", "log segment", Errno::NOSPC));
                }
                Err(Errno::INTR) => {}
                Err(e) => {
                    self.cut();
                    return Err(Error::io("write", "log segment", e));
                }
            }
        }
    }

    /// Cuts off a torn end. It does no harm if that fails: readers don't see it, the next record overwrites it.
    fn cut(&mut self) {
        let _torn_end_stays = rustix::fs::ftruncate(&self.file, self.end.offset);
    }

    fn rotate(&mut self) -> Result<()> {
        let next = self.end.segment + 1;
        // Room first: on a full disk, the oldest segment is what makes it.
        let keep = u64::from(self.limits.max_files.max(1));
        for old in self.segments.list()? {
            if old + keep <= next {
                self.segments.remove(old)?;
            }
        }
        self.file = self.segments.write(next)?;
        self.end = Position {
            segment: next,
            offset: 0,
        };
        self.cut();
        Ok(())
    }
}
