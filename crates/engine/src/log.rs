//! What a container's program writes, as a stream of records.

use bytes::Bytes;
use jiff::Timestamp;

use crate::error::Result;

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
pub struct Records {}

impl Records {
    /// The next record; none at the end.
    pub async fn next(&mut self) -> Option<Result<Record>> {
        None
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
