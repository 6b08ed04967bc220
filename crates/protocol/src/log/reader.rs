//! Reading a log forwards, while it is being written or when it is complete.

use std::os::fd::{AsFd, OwnedFd};

use super::record::{Header, Record};
use super::segments::{Found, Position, Segments, read_exact_at, size, whole_record};
use crate::error::{Error, Kind, Result};

/// A reader of a log. It needs no writer to be alive, and takes no lock.
#[derive(Debug)]
pub struct Reader {
    segments: Segments,
    /// The segment that is being read; `None` while it isn't there yet.
    file: Option<OwnedFd>,
    position: Position,
    last: Position,
    /// Segments that were opened ahead by [`Reader::pin`], next one last.
    pinned: Vec<(u64, OwnedFd)>,
}

impl Reader {
    /// Reads the log in `container_dir` from `position`; `None`: from its oldest record.
    ///
    /// # Errors
    /// There is no log directory, or the position was rotated away ([`Kind::Rotated`]).
    pub fn open(container_dir: impl AsFd, position: Option<Position>) -> Result<Self> {
        Self::new(Segments::open(container_dir)?, position)
    }

    /// Reads the log of `segments`, as [`Reader::open`].
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(segments: Segments, position: Option<Position>) -> Result<Self> {
        let oldest = segments.oldest()?;
        let position = position.unwrap_or(Position {
            segment: oldest.unwrap_or(Segments::FIRST),
            offset: 0,
        });
        if oldest.is_some_and(|oldest| position.segment < oldest) {
            return Err(rotated());
        }
        Ok(Self {
            file: segments.read(position.segment)?,
            segments,
            last: position,
            position,
            pinned: Vec::new(),
        })
    }

    /// Where the next record will be read.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the record begins that [`Reader::read`] gave last: what [`super::Tail::clip`] wants to know.
    #[must_use]
    pub const fn last(&self) -> Position {
        self.last
    }

    /// The next record; `None` if there is none yet.
    ///
    /// # Errors
    /// The log can't be read, what is there is no record, or the reader fell behind and the log was rotated past it
    /// ([`Kind::Rotated`]).
    pub fn read(&mut self) -> Result<Option<Record>> {
        let Some(header) = self.seek()? else {
            return Ok(None);
        };
        let mut payload = vec![0; header.length as usize];
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let start = self.position.offset + Header::SIZE as u64;
        if !read_exact_at(file, &mut payload, start)? {
            return Ok(None);
        }
        self.last = self.position;
        self.position.offset += header.record_size();
        Ok(Some(Record {
            stream: header.stream,
            time: header.time,
            payload,
        }))
    }

    /// Goes to the next record, perhaps in the next segment, and gives its header. For [`Reader::whole_records`].
    fn seek(&mut self) -> Result<Option<Header>> {
        loop {
            if self.file.is_none() {
                self.file = self.segments.read(self.position.segment)?;
            }
            match self.here()? {
                Found::Record(header) => return Ok(Some(header)),
                Found::Nothing | Found::Garbage => {}
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    fn here(&self) -> Result<Found> {
        match &self.file {
            Some(file) => whole_record(file, self.position.offset, size(file)?),
            None => Ok(Found::Nothing),
        }
    }

    /// Goes to the next segment if there is one and this one is read to its end.
    fn advance(&mut self) -> Result<bool> {
        let next = self.position.segment + 1;
        let opened = match self.pinned.pop_if(|(number, _)| *number == next) {
            Some((_, file)) => Some(file),
            None => self.segments.read(next)?,
        };
        let Some(file) = opened else {
            // Either it isn't there yet, or all of it is gone already.
            return match self.segments.oldest()? {
                Some(oldest) if oldest > next => Err(rotated()),
                // It came between the two looks.
                Some(oldest) if oldest == next => Ok(true),
                _ => Ok(false),
            };
        };
        // The writer may have finished the old one between the two looks.
        if matches!(self.here()?, Found::Record(_)) {
            self.pinned.push((next, file));
            return Ok(true);
        }
        self.file = Some(file);
        self.position = Position {
            segment: next,
            offset: 0,
        };
        Ok(true)
    }

    /// Opens all segments that are still to be read, so that the log's removal takes nothing from this reader.
    ///
    /// # Errors
    /// The directory or a segment can't be opened.
    pub fn pin(&mut self) -> Result<()> {
        if self.file.is_none() {
            self.file = self.segments.read(self.position.segment)?;
        }
        self.pinned.clear();
        for number in self.segments.list()?.into_iter().rev() {
            if number > self.position.segment
                && let Some(file) = self.segments.read(number)?
            {
                self.pinned.push((number, file));
            }
        }
        Ok(())
    }

    /// The bytes of whole records that come next, as a part of a file, for whoever sends a log as it is: at most about
    /// `most` bytes, but at least one record. `None` if there is none yet. [`Reader::skip`] says that they were sent.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn whole_records(&mut self, most: u64) -> Result<Option<(&OwnedFd, u64)>> {
        let Some(first) = self.seek()? else {
            return Ok(None);
        };
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let size = size(file)?;
        let mut length = first.record_size();
        while length < most
            && let Found::Record(next) = whole_record(file, self.position.offset + length, size)?
        {
            length += next.record_size();
        }
        Ok(Some((file, length)))
    }

    /// Goes `bytes` on, which were whole records of the present segment.
    pub const fn skip(&mut self, bytes: u64) {
        self.position.offset += bytes;
    }

    /// Another reader of the same log, at `position`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn of(writer: &super::Writer, position: Option<Position>) -> Result<Self> {
        Self::new(writer.segments().try_clone()?, position)
    }
}

fn rotated() -> Error {
    Error::new(
        Kind::Rotated,
        "read",
        "log: the reader fell behind and older output was rotated away",
    )
}
