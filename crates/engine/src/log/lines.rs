//! Lines from records: the log has what was read, which knows no lines.

use std::collections::VecDeque;

use bytes::Bytes;
use jiff::Timestamp;
use protocol::log::{Reader, Record as Raw, Tail};
use state::ContainerRow;

use super::source::record;
use super::{Record, Source, Stream};
use crate::container::attach;
use crate::error::Result;
use crate::open::Engine;
use crate::truth;

/// The longest line that is put together; what is longer comes in parts.
const MAX: usize = 1 << 20;

/// Lines of a log.
#[derive(Debug)]
pub(crate) struct Lines {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    reader: Option<(Box<Reader>, Option<Tail>)>,
    follow: Option<(Engine, ContainerRow)>,
    live: Option<Source>,
    begun: [Begun; 2],
    ready: VecDeque<Record>,
    ended: bool,
}

/// A line whose end has not come yet.
#[derive(Debug, Default)]
struct Begun {
    time: Timestamp,
    bytes: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self {
            since,
            until,
            reader: None,
            follow: None,
            live: None,
            begun: Default::default(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Begins with what `reader` has, of it with `tail`; goes on with what a running container writes if it is to be
    /// followed.
    pub(super) fn read(
        &mut self,
        reader: Reader,
        tail: Option<Tail>,
        follow: Option<(Engine, ContainerRow)>,
    ) {
        self.reader = Some((Box::new(reader), tail));
        self.follow = follow;
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                if self.until.is_some_and(|until| line.time > until) {
                    self.stop();
                    return Ok(None);
                }
                if self.since.is_none_or(|since| line.time >= since) {
                    return Ok(Some(line));
                }
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            self.more().await?;
        }
    }

    fn stop(&mut self) {
        self.ended = true;
        self.ready.clear();
        self.reader = None;
        self.live = None;
        self.follow = None;
    }

    async fn more(&mut self) -> Result<()> {
        if let Some((reader, tail)) = &mut self.reader {
            match reader.read()? {
                Some(raw) => {
                    let clipped = clip(raw, reader, tail.as_ref());
                    self.take(record(clipped));
                }
                None => self.file_ended()?,
            }
            return Ok(());
        }
        let next = match &mut self.live {
            Some(source) => source.next().await?,
            None => None,
        };
        match next {
            Some(record) => self.take(record),
            None => self.finish(),
        }
        Ok(())
    }

    /// What is in the file has been read: goes on with the monitor, if there is one.
    fn file_ended(&mut self) -> Result<()> {
        let Some((engine, row)) = self.follow.take() else {
            self.reader = None;
            return Ok(());
        };
        let Some((reader, _)) = &mut self.reader else {
            return Ok(());
        };
        let from = protocol::From::Position(reader.position());
        match attach::follow(&engine.0, &row.id, from)? {
            Some(live) => {
                self.live = Some(live);
                self.reader = None;
            }
            // It ended just now, and what it wrote last is in the file: read on, to its end.
            None if !truth::look(&engine.0, &row)?.is_alive() => {}
            None => self.follow = Some((engine, row)),
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        let index = usize::from(record.stream == Stream::Stderr);
        let begun = &mut self.begun[index];
        let mut rest = &record.bytes[..];
        while !rest.is_empty() {
            if begun.bytes.is_empty() {
                begun.time = record.time;
            }
            let room = MAX - begun.bytes.len();
            let end = rest.iter().position(|b| *b == b'\n').map(|at| at + 1);
            let count = end.unwrap_or(rest.len()).min(room);
            begun.bytes.extend_from_slice(&rest[..count]);
            rest = &rest[count..];
            if end.is_some_and(|end| end == count) || begun.bytes.len() == MAX {
                let bytes = Bytes::from(std::mem::take(&mut begun.bytes));
                self.ready.push_back(Record {
                    stream: record.stream,
                    time: begun.time,
                    bytes,
                });
            }
        }
    }

    /// Gives the lines that have no end.
    fn finish(&mut self) {
        self.ended = true;
        for (index, stream) in [(0, Stream::Stdout), (1, Stream::Stderr)] {
            let begun = std::mem::take(&mut self.begun[index]);
            if !begun.bytes.is_empty() {
                self.ready.push_back(Record {
                    stream,
                    time: begun.time,
                    bytes: Bytes::from(begun.bytes),
                });
            }
        }
    }
}

fn clip(mut raw: Raw, reader: &Reader, tail: Option<&Tail>) -> Raw {
    if let Some(tail) = tail {
        let kept = tail.clip(reader.last(), raw.stream, &raw.payload).len();
        raw.payload.drain(..raw.payload.len() - kept);
    }
    raw
}
