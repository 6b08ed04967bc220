//! The program's output on its way into the log.

#[cfg(test)]
mod tests;

use protocol::Nanos;
use protocol::log::{MAX_PAYLOAD, Stream, Writer};

use crate::streams::{Got, Source};

/// The log, and what could not be written to it.
#[derive(Debug)]
pub(crate) struct Output {
    writer: Writer,
    /// The bytes that were dropped since the last record, and why.
    lost: Option<(u64, String)>,
    /// Filled by each read; made when there is something to read.
    buffer: Vec<u8>,
}

impl Output {
    pub(crate) const fn new(writer: Writer) -> Self {
        Self {
            writer,
            lost: None,
            buffer: Vec::new(),
        }
    }

    pub(crate) const fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Reads once from `source` and keeps it.
    pub(crate) fn take(&mut self, source: &Source, now: Nanos) -> Got {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.reserve_exact(MAX_PAYLOAD);
        let got = source.read(&mut buffer);
        if got == Got::Data {
            self.keep(source.stream, now, &buffer);
        }
        self.buffer = buffer;
        got
    }

    /// Writes a record. If that can't be done, the program must not notice: what is lost is counted, and told by a note
    /// when there is room again.
    pub(crate) fn keep(&mut self, stream: Stream, now: Nanos, bytes: &[u8]) {
        self.settle(now);
        let result = match self.lost {
            Some(_) => Ok(false),
            None => self.writer.append(stream, now, bytes).map(|()| true),
        };
        match (result, &mut self.lost) {
            (Ok(true), _) => {}
            (Ok(false), Some((count, _))) => *count += bytes.len() as u64,
            (Ok(false), None) => {}
            (Err(error), lost) => *lost = Some((bytes.len() as u64, reason(&error))),
        }
    }

    /// Writes the note about what was lost, if something was and there is room now.
    pub(crate) fn settle(&mut self, now: Nanos) {
        let Some((count, reason)) = &self.lost else {
            return;
        };
        let note = format!("tare: {count} bytes of output were lost here: {reason}\n");
        if self
            .writer
            .append(Stream::Note, now, note.as_bytes())
            .is_ok()
        {
            self.lost = None;
        }
    }

    /// Forgets the buffer: a program that has been silent for a while may stay so.
    pub(crate) fn rest(&mut self) {
        self.buffer = Vec::new();
    }
}

fn reason(error: &protocol::Error) -> String {
    use std::error::Error as _;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
