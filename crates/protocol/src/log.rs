//! A container's output, as it is kept.
//!
//! A log is a directory of segments, `00000001` and up, each a row of records: what was read from one of the program's streams
//! in one go. Lines are the reader's business. A record is
//!
//! | bytes | |
//! |---|---|
//! | 1 | the stream: 1 output, 2 errors, 3 a note of the monitor |
//! | 1 | flags, 0 so far |
//! | 2 | mark and version, `0x5401`, little endian |
//! | 4 | the payload's length, little endian, at most 64 KiB |
//! | 8 | unix time in nanoseconds, little endian |
//! | n | the payload |
//! | 4 | the length again, so that a log can be read backwards |
//!
//! One process writes. Readers need no lock: a record counts when all of it is there, so the torn end that a killed writer
//! or a full disk leaves is not seen, and the next writer overwrites it.

mod reader;
mod record;
mod segments;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Part, Reader};
pub use record::{Header, MAX_PAYLOAD, Record, Stream, encode};
pub use segments::{Position, Segments};
pub use tail::{Tail, end, tail};
pub use writer::Writer;
