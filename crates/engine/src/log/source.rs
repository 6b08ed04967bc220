//! Where records come from.

use bytes::Bytes;
use protocol::log::{Reader, Record as Raw, Stream as RawStream};
use tokio::io::AsyncReadExt;
use tokio::net::unix::OwnedReadHalf;

use super::{Record, Stream};
use crate::container::attach::Waiting;
use crate::error::{Error, Result};
use crate::exec::output::ExecOutput;
use crate::truth::time;

/// Where records come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The monitor of a running container, which sends them as they are in its log.
    Live(Live),
    /// The log alone, to its end.
    File(Box<Reader>),
    /// What will be when the container is started.
    Waiting(Box<Waiting>),
    /// An exec's own pipes.
    Exec(Box<ExecOutput>),
    /// Nothing more.
    Ended,
}

/// The monitor's stream of records.
#[derive(Debug)]
pub(crate) struct Live {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
    used: usize,
}

/// What is read at once from a monitor.
const CHUNK: usize = 64 * 1024;

impl Live {
    pub(crate) fn new(half: OwnedReadHalf) -> Self {
        Self {
            half,
            buffer: Vec::new(),
            used: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Raw>> {
        loop {
            if let Some((record, size)) = Raw::decode(&self.buffer[self.used..])? {
                self.used += size;
                return Ok(Some(record));
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            self.buffer.reserve(CHUNK);
            match self.half.read_buf(&mut self.buffer).await {
                // A torn record at the end is of a monitor that was killed.
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(Error::internal("read the container's output", e)),
            }
        }
    }
}

impl Source {
    /// The next record; none at the end. May be cancelled.
    pub(crate) async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            let raw = match self {
                Self::Live(live) => live.next().await?,
                Self::File(reader) => reader.read()?,
                Self::Waiting(waiting) => {
                    *self = waiting.source().await?;
                    continue;
                }
                Self::Exec(output) => return output.next().await,
                Self::Ended => None,
            };
            return match raw {
                Some(raw) => Ok(Some(record(raw))),
                None => {
                    *self = Self::Ended;
                    Ok(None)
                }
            };
        }
    }
}

/// A record as users know it. What the monitor has to say is told on standard error.
pub(super) fn record(raw: Raw) -> Record {
    Record {
        stream: stream(raw.stream),
        time: time(raw.time).unwrap_or_default(),
        bytes: Bytes::from(raw.payload),
    }
}

fn stream(raw: RawStream) -> Stream {
    match raw {
        RawStream::Stdout => Stream::Stdout,
        RawStream::Stderr | RawStream::Note => Stream::Stderr,
    }
}
