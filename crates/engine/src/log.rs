//! What a container's program writes, as a stream of records.

mod lines;
mod source;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use jiff::Timestamp;
use protocol::log::{Reader, tail};

use crate::container::lookup;
use crate::container::stored::Stored;
use crate::error::{Error, Result};
use crate::launch::open_dir;
use crate::open::Engine;

pub(crate) use lines::Lines;
pub(crate) use source::{Live, Source};

/// Where a record was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, and everything that a terminal shows.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What was written to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it was written to.
    pub stream: Stream,
    /// When it was read from the container.
    pub time: Timestamp,
    /// The bytes: as they were read ([`crate::container::Attached`], [`crate::exec::Io`]), or one line with its
    /// line feed ([`Logs`]).
    pub bytes: Bytes,
}

/// Records that come one after the other. Dropping it detaches.
#[derive(Debug)]
pub struct Records {
    inner: Inner,
    stdout: bool,
    stderr: bool,
}

#[derive(Debug)]
enum Inner {
    Chunks(Source),
    Lines(Box<Lines>),
}

impl Records {
    pub(crate) fn chunks(source: Source, stdout: bool, stderr: bool) -> Self {
        Self {
            inner: Inner::Chunks(source),
            stdout,
            stderr,
        }
    }

    fn lines(lines: Lines, stdout: bool, stderr: bool) -> Self {
        Self {
            inner: Inner::Lines(Box::new(lines)),
            stdout,
            stderr,
        }
    }

    /// The next record; none at the end. May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Record>> {
        loop {
            let next = match &mut self.inner {
                Inner::Chunks(source) => source.next().await,
                Inner::Lines(lines) => lines.next().await,
            };
            let wanted = |record: &Record| match record.stream {
                Stream::Stdout => self.stdout,
                Stream::Stderr => self.stderr,
            };
            match next.transpose()? {
                Ok(record) if !wanted(&record) => {}
                other => return Some(other),
            }
        }
    }
}

/// Which records to give.
#[derive(Debug, Clone)]
pub struct LogRequest {
    /// Those of standard output.
    pub stdout: bool,
    /// Those of standard error.
    pub stderr: bool,
    /// Those of this time and later.
    pub since: Option<Timestamp>,
    /// Those up to this time.
    pub until: Option<Timestamp>,
    /// The last lines only.
    pub tail: Option<usize>,
    /// Go on until the container ends.
    pub follow: bool,
}

/// A container's log, line by line.
#[derive(Debug)]
pub struct Logs {
    /// Whether the container has a terminal: its bytes go out as they are, not in frames.
    pub tty: bool,
    /// The lines, each with its line feed, except perhaps the last.
    pub lines: Records,
}

/// The log of a container.
pub(crate) fn open(engine: &Engine, name: &str, request: &LogRequest) -> Result<Logs> {
    let inner = &*engine.0;
    let row = lookup::find(inner, name)?;
    let stored = Stored::parse(&row.id, &row.config)?;
    if stored.host.log_config.driver == "none" {
        return Err(Error::unsupported(
            "configured logging driver does not support reading",
        ));
    }
    if !request.stdout && !request.stderr {
        return Err(Error::invalid("You must choose at least one stream"));
    }
    let mut lines = Lines::new(request.since, request.until);
    if request.tail != Some(0) || request.follow {
        match open_dir(&inner.container_dir(&row.id).join("log")) {
            Ok(_) => {
                let directory = open_dir(&inner.container_dir(&row.id))?;
                let tail = match request.tail {
                    Some(count) => Some(tail(&directory, count as u64)?),
                    None => None,
                };
                let mut reader = Reader::open(&directory, tail.map(|t| t.from))?;
                reader.pin()?;
                let follow = request.follow.then(|| (engine.clone(), row.clone()));
                lines.read(reader, tail, follow);
            }
            // Never started.
            Err(_) if !inner.container_dir(&row.id).join("log").exists() => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Logs {
        tty: stored.config.tty,
        lines: Records::lines(lines, request.stdout, request.stderr),
    })
}
