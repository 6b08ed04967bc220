//! Reading a log forwards, while it is being written or when it is complete.

use std::cmp::Ordering;
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

    /// Goes to the next record, perhaps in the next segment, and gives its header.
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

    /// What comes next before `end`, which is the writer's: a part of a segment, for whoever sends a log as it is. `None`
    /// if that is nothing. [`Reader::skip`] says how much of it was sent; that need not be whole records.
    ///
    /// # Errors
    /// The log can't be read, or it was rotated past the reader ([`Kind::Rotated`]).
    pub fn part(&mut self, end: Position) -> Result<Option<Part<'_>>> {
        loop {
            let here = self.position;
            if self.file.is_none() {
                self.file = self.segments.read(here.segment)?;
            }
            let limit = match (&self.file, here.segment.cmp(&end.segment)) {
                (Some(_), Ordering::Equal) => end.offset,
                // A segment that was left has whole records only.
                (Some(file), Ordering::Less) => size(file)?,
                (None, _) | (_, Ordering::Greater) => here.offset,
            };
            if here.offset < limit || here.segment >= end.segment || !self.advance()? {
                return Ok(self.file.as_ref().and_then(|file| {
                    let length = limit.checked_sub(here.offset).filter(|n| *n > 0)?;
                    Some(Part {
                        file,
                        offset: here.offset,
                        length,
                    })
                }));
            }
        }
    }

    /// Goes `bytes` on in the part that [`Reader::part`] gave.
    pub const fn skip(&mut self, bytes: u64) {
        self.position.offset += bytes;
    }

    /// Whether a record or a segment's end is at the reader's place: a position that came from elsewhere may be wrong.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn is_at_record(&mut self) -> Result<bool> {
        if self.file.is_none() {
            self.file = self.segments.read(self.position.segment)?;
        }
        let Some(file) = &self.file else {
            return Ok(self.position.offset == 0);
        };
        let size = size(file)?;
        Ok(self.position.offset == size
            || matches!(
                whole_record(file, self.position.offset, size)?,
                Found::Record(_)
            ))
    }

    /// Another reader of the same log, at `position`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn of(writer: &super::Writer, position: Option<Position>) -> Result<Self> {
        Self::new(writer.segments().try_clone()?, position)
    }
}

/// A part of a segment.
#[derive(Debug)]
pub struct Part<'a> {
    /// The segment.
    pub file: &'a OwnedFd,
    /// Where the part begins.
    pub offset: u64,
    /// How long it is, never 0.
    pub length: u64,
}

fn rotated() -> Error {
    Error::new(
        Kind::Rotated,
        "read",
        "log: the reader fell behind and older output was rotated away",
    )
}
