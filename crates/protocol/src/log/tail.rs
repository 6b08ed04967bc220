//! Finding the last lines of a log, backwards.
//!
//! A line belongs to its stream and counts where it ends, as in a log that has one entry a line. Records have pieces of
//! lines, and those of two streams interleave; so the lines to be shown begin at a place of its own in each stream.

use std::os::fd::{AsFd, OwnedFd};

use super::record::{Header, Stream};
use super::segments::{Found, Position, Segments, read_exact_at, size, whole_record};
use crate::error::{Error, Kind, Result};

/// Where the last lines begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Where a [`super::Reader`] has to begin.
    pub from: Position,
    /// For each stream: the record and the byte in its payload with which the lines begin.
    begin: [(Position, usize); Stream::COUNT],
}

impl Tail {
    /// What of a record's payload belongs to the last lines. `at` is the record's position.
    #[must_use]
    pub fn clip<'a>(&self, at: Position, stream: Stream, payload: &'a [u8]) -> &'a [u8] {
        let (record, byte) = self.begin[stream.index()];
        match at.cmp(&record) {
            std::cmp::Ordering::Less => &[],
            std::cmp::Ordering::Equal => payload.get(byte..).unwrap_or_default(),
            std::cmp::Ordering::Greater => payload,
        }
    }
}

/// Finds the last `lines` lines of the log in `container_dir`. What is written later belongs to the tail too.
///
/// # Errors
/// There is no log directory, or it can't be read.
pub fn tail(container_dir: impl AsFd, lines: u64) -> Result<Tail> {
    let segments = Segments::open(container_dir)?;
    let numbers = segments.list()?;
    let mut search: Option<Search> = None;
    let mut payload = Vec::new();
    for &number in numbers.iter().rev() {
        let Some(file) = segments.read(number)? else {
            break; // It was rotated away: this is the log's beginning now.
        };
        let mut walk = Backwards::new(file)?;
        let at = |offset| Position {
            segment: number,
            offset,
        };
        let search = search.get_or_insert_with(|| Search::new(at(walk.offset), lines));
        while !search.is_done()
            && let Some((offset, header)) = walk.step()?
        {
            payload.resize(header.length as usize, 0);
            if !read_exact_at(&walk.file, &mut payload, offset + Header::SIZE as u64)? {
                return Err(Error::new(Kind::Malformed, "read", "log segment"));
            }
            search.see(at(offset), header.stream, &payload);
        }
        if search.is_done() {
            break;
        }
        search.oldest = at(0);
    }
    let search = search.unwrap_or_else(|| Search::new(START, lines));
    Ok(search.finish())
}

/// Where the next record of the log in `container_dir` will be: after the last whole one.
///
/// # Errors
/// There is no log directory, or it can't be read.
pub fn end(container_dir: impl AsFd) -> Result<Position> {
    let segments = Segments::open(container_dir)?;
    let Some(segment) = segments.list()?.last().copied() else {
        return Ok(START);
    };
    let Some(file) = segments.read(segment)? else {
        return Ok(START);
    };
    let offset = Backwards::new(file)?.offset;
    Ok(Position { segment, offset })
}

const START: Position = Position {
    segment: Segments::FIRST,
    offset: 0,
};

/// The records of a segment from its end.
struct Backwards {
    file: OwnedFd,
    offset: u64,
    /// The records' places, when the way back had to be found from the beginning; popped from its end.
    index: Option<Vec<u64>>,
}

impl Backwards {
    fn new(file: OwnedFd) -> Result<Self> {
        let mut walk = Self {
            offset: size(&file)?,
            file,
            index: None,
        };
        // A torn end: look from the beginning.
        if walk.offset > 0 && walk.previous()?.is_none() {
            walk.build_index()?;
        }
        Ok(walk)
    }

    fn step(&mut self) -> Result<Option<(u64, Header)>> {
        if self.index.is_none() && self.offset > 0 && self.previous()?.is_none() {
            self.build_index()?;
        }
        let start = match &mut self.index {
            Some(index) => index.pop(),
            None => self.previous()?,
        };
        let Some(start) = start else {
            return Ok(None);
        };
        match whole_record(&self.file, start, self.offset)? {
            Found::Record(header) => {
                self.offset = start;
                Ok(Some((start, header)))
            }
            Found::Nothing | Found::Garbage => Ok(None),
        }
    }

    /// Where the record begins that ends at the present place; `None` if none does.
    fn previous(&self) -> Result<Option<u64>> {
        let mut trailer = [0; Header::TRAILER];
        let Some(at) = self.offset.checked_sub(Header::TRAILER as u64) else {
            return Ok(None);
        };
        if !read_exact_at(&self.file, &mut trailer, at)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes(trailer);
        let Some(start) = at.checked_sub(Header::SIZE as u64 + u64::from(length)) else {
            return Ok(None);
        };
        Ok(match whole_record(&self.file, start, self.offset)? {
            Found::Record(header) if header.length == length => Some(start),
            _ => None,
        })
    }

    fn build_index(&mut self) -> Result<()> {
        let mut index = Vec::new();
        let mut offset = 0;
        while let Found::Record(header) = whole_record(&self.file, offset, self.offset)? {
            index.push(offset);
            offset += header.record_size();
        }
        self.offset = offset;
        self.index = Some(index);
        Ok(())
    }
}

/// What was found so far, going back.
struct Search {
    /// How many lines are still to be found.
    left: u64,
    /// Streams in which a line's beginning is being looked for.
    open: [bool; Stream::COUNT],
    /// Streams of which no byte was seen.
    unseen: [bool; Stream::COUNT],
    begin: [(Position, usize); Stream::COUNT],
    oldest: Position,
}

impl Search {
    const fn new(end: Position, lines: u64) -> Self {
        Self {
            left: lines,
            open: [false; Stream::COUNT],
            unseen: [true; Stream::COUNT],
            begin: [(end, 0); Stream::COUNT],
            oldest: end,
        }
    }

    const fn is_done(&self) -> bool {
        let [a, b, c] = self.open;
        self.left == 0 && !a && !b && !c
    }

    /// Takes the record before all that were seen.
    fn see(&mut self, at: Position, stream: Stream, payload: &[u8]) {
        let s = stream.index();
        self.oldest = at;
        let mut end = payload.len();
        if self.unseen[s] && end > 0 {
            self.unseen[s] = false;
            // The last line has no end yet.
            if payload[end - 1] != b'\n' {
                self.begin_line(s);
            }
        }
        while let Some(newline) = payload[..end].iter().rposition(|&b| b == b'\n') {
            if self.open[s] {
                self.open[s] = false;
                self.begin[s] = (at, newline + 1);
            }
            if !self.begin_line(s) {
                return;
            }
            end = newline;
        }
    }

    /// A line's end was met: it is wanted if there are some left.
    fn begin_line(&mut self, s: usize) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.open[s] = true;
        true
    }

    fn finish(mut self) -> Tail {
        for s in 0..Stream::COUNT {
            if self.open[s] {
                self.begin[s] = (self.oldest, 0);
            }
        }
        let from = self.begin.iter().map(|(at, _)| *at).min();
        Tail {
            from: from.unwrap_or(self.oldest),
            begin: self.begin,
        }
    }
}
