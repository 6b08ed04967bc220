//! Reading what happened.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::{CURRENT, Event, EventLog, PREVIOUS, SUBJECT};
use crate::error::{Error, Result};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// How each record begins, of whatever version.
const BEGINNING: &[u8] = b"{\"v\":";

/// A way through the events, from the oldest that there is; what comes later is read later.
#[derive(Debug)]
pub struct EventReader {
    log: EventLog,
    /// The segment that is read.
    file: Option<OwnedFd>,
    /// Where in it the next read begins.
    offset: u64,
    /// What was read and is not used yet.
    pending: Vec<u8>,
    /// What of that is used.
    used: usize,
}

impl EventReader {
    pub(super) const fn new(log: EventLog) -> Self {
        Self {
            log,
            file: None,
            offset: 0,
            pending: Vec::new(),
            used: 0,
        }
    }

    /// The log that is read.
    #[must_use]
    pub const fn log(&self) -> &EventLog {
        &self.log
    }

    /// The next record; `None` when there is none yet.
    ///
    /// # Errors
    /// A segment can't be read.
    pub fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(line) = self.line() {
                if let Some(event) = parse(&line) {
                    return Ok(Some(event));
                }
            }
            if !self.fill()? && !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Goes to the end: only what comes from now on is read.
    ///
    /// # Errors
    /// A segment can't be read.
    pub fn skip_all(&mut self) -> Result<()> {
        if let Some(file) = self.log.open(CURRENT)? {
            self.offset = u64::try_from(super::stat(&file)?.st_size).unwrap_or_default();
            self.file = Some(file);
        } else {
            self.offset = 0;
            self.file = self.log.open(PREVIOUS)?;
            while self.next_event()?.is_some() {}
        }
        self.pending.clear();
        self.used = 0;
        Ok(())
    }

    /// The next whole line that was read.
    fn line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.pending[self.used..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].to_vec();
        self.used += end + 1;
        Some(line)
    }

    /// Reads more of the segment; whether there was more.
    fn fill(&mut self) -> Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        self.pending.drain(..self.used);
        self.used = 0;
        if self.pending.len() > Event::MAX {
            // No writer of ours writes such a line.
            self.pending.clear();
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            match rustix::io::pread(file, &mut chunk, self.offset) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.offset += n as u64;
                    self.pending.extend_from_slice(&chunk[..n]);
                    return Ok(true);
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(Error::io("read", SUBJECT, e)),
            }
        }
    }

    /// Goes on to the next segment; whether there is one, or something was written to this one before it was turned.
    fn advance(&mut self) -> Result<bool> {
        // In this order: a turn between the two makes `previous` the newer of them.
        let current = self.log.open(CURRENT)?;
        let next = match &self.file {
            None => self.log.open(PREVIOUS)?.or(current),
            Some(file) if self.log.is(CURRENT, file)? => return Ok(false),
            Some(file) => {
                // Nothing is written to it any more; what was written before the turn is read first.
                let size = u64::try_from(super::stat(file)?.st_size).unwrap_or_default();
                if size > self.offset {
                    return Ok(true);
                }
                if self.log.is(PREVIOUS, file)? {
                    current
                } else {
                    self.log.open(PREVIOUS)?.or(current)
                }
            }
        };
        let Some(next) = next else {
            return Ok(false);
        };
        self.file = Some(next);
        self.offset = 0;
        self.pending.clear();
        self.used = 0;
        Ok(true)
    }
}

/// The record in a line. One that was torn by a full disk or a loss of power has the next one directly behind it.
fn parse(line: &[u8]) -> Option<Event> {
    let event = |bytes: &[u8]| {
        let event: Option<Event> = serde_json::from_slice(bytes).ok();
        event.filter(|event| event.v == Event::VERSION)
    };
    event(line).or_else(|| {
        let windows = line.windows(BEGINNING.len());
        let begins = windows.into_iter().rposition(|window| window == BEGINNING);
        begins
            .filter(|at| *at > 0)
            .and_then(|at| event(&line[at..]))
    })
}
