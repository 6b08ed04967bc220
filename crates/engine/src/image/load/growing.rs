//! A file that one thread writes while another reads it, so that whoever sends the archive never waits for its unpacking.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The reading end: waits at the end of what is there until more is, or all.
#[derive(Debug)]
pub(super) struct Growing {
    file: File,
    at: u64,
    shared: Arc<Shared>,
}

/// The writing end's word on how far it is. Dropped before [`Growth::end`], the reader's stream is cut.
#[derive(Debug)]
pub(super) struct Growth {
    shared: Arc<Shared>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    size: u64,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Cut,
}

/// Both ends of a file that is empty so far.
pub(super) fn growing(file: File) -> (Growth, Growing) {
    let shared = Arc::new(Shared::default());
    let growth = Growth {
        shared: Arc::clone(&shared),
        ended: false,
    };
    let at = 0;
    (growth, Growing { file, at, shared })
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

impl Growth {
    /// So many bytes are in the file.
    pub(super) fn grown(&self, size: u64) {
        self.shared.set(|state| state.size = size);
    }

    /// Nothing more will come.
    pub(super) fn end(mut self) {
        self.ended = true;
        self.shared.set(|state| state.end = Some(End::Whole));
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.set(|state| state.end = Some(End::Cut));
        }
    }
}

impl Read for Growing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let there = {
            let mut state = self
                .shared
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            while state.size <= self.at && state.end.is_none() {
                state = self
                    .shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            match state.end {
                Some(End::Cut) => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => state.size - self.at,
            }
        };
        let most = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let count = self.file.read_at(&mut out[..most], self.at)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}
