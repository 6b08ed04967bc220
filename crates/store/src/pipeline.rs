//! Three threads for one stream: decompressing, hashing, and the caller who reads it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use spec::{DiffId, Hasher};

/// Size of a piece, and how many may wait.
const PIECE: usize = 256 << 10;
const WAITING: usize = 6;

/// A piece of the stream. Its memory goes back to where it came from, because fresh memory costs page faults.
struct Piece {
    bytes: Vec<u8>,
    home: Sender<Vec<u8>>,
}

impl Drop for Piece {
    fn drop(&mut self) {
        // The reader may be gone; then nobody needs it.
        drop(self.home.send(std::mem::take(&mut self.bytes)));
    }
}

/// Gives `read` the stream, and returns what it returns with the digest of all that came. If `read` ends early, so does
/// the rest; then the digest is of no use.
pub(crate) fn run<T>(input: impl Read + Send, read: impl FnOnce(&mut Stream) -> T) -> (T, DiffId) {
    thread::scope(|scope| {
        let (to_reader, pieces) = sync_channel(WAITING);
        let (to_hasher, hashed) = sync_channel::<Arc<Piece>>(WAITING);
        scope.spawn(move || produce(input, &to_reader, &to_hasher));
        let hasher = scope.spawn(move || {
            let mut hasher = Hasher::sha256();
            while let Ok(piece) = hashed.recv() {
                hasher.update(&piece.bytes);
            }
            DiffId::new(hasher.finish())
        });
        let mut stream = Stream {
            pieces,
            current: None,
            used: 0,
        };
        let result = read(&mut stream);
        drop(stream);
        match hasher.join() {
            Ok(digest) => (result, digest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn produce(
    mut input: impl Read,
    reader: &SyncSender<io::Result<Arc<Piece>>>,
    hasher: &SyncSender<Arc<Piece>>,
) {
    let (home, returned) = channel();
    loop {
        let mut bytes: Vec<u8> = returned.try_recv().unwrap_or_default();
        bytes.resize(PIECE, 0);
        let mut filled = 0;
        let error = loop {
            match input.read(&mut bytes[filled..]) {
                Ok(0) => break None,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
            if filled == PIECE {
                break None;
            }
        };
        bytes.truncate(filled);
        let last = filled < PIECE;
        if filled > 0 {
            let piece = Arc::new(Piece {
                bytes,
                home: home.clone(),
            });
            if hasher.send(Arc::clone(&piece)).is_err() || reader.send(Ok(piece)).is_err() {
                return;
            }
        }
        if let Some(error) = error {
            drop(reader.send(Err(error)));
            return;
        }
        if last {
            return;
        }
    }
}

/// The reading end.
pub(crate) struct Stream {
    pieces: Receiver<io::Result<Arc<Piece>>>,
    current: Option<Arc<Piece>>,
    used: usize,
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self
            .current
            .as_ref()
            .is_none_or(|piece| self.used >= piece.bytes.len())
        {
            self.current = None;
            match self.pieces.recv() {
                Ok(piece) => self.current = Some(piece?),
                Err(_) => return Ok(&[]),
            }
            self.used = 0;
        }
        Ok(self
            .current
            .as_ref()
            .map_or(&[], |piece| &piece.bytes[self.used..]))
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = {
            let bytes = self.fill_buf()?;
            let count = bytes.len().min(out.len());
            out[..count].copy_from_slice(&bytes[..count]);
            count
        };
        self.consume(count);
        Ok(count)
    }
}
