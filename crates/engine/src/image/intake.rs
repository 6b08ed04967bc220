//! From an asynchronous stream to code that blocks.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use crate::error::Result;
use crate::open::Engine;

/// What is read at once, and how many pieces may wait.
const PIECE: usize = 256 * 1024;
const WAITING: usize = 4;

/// The reading end for code that blocks.
#[derive(Debug)]
pub(crate) struct Intake {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
    failed: bool,
}

impl Read for Intake {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.failed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.current = piece,
                Some(Err(e)) => {
                    // Whoever reads on after an error must not take the rest for an end.
                    self.failed = true;
                    return Err(e);
                }
            }
        }
        let count = self.current.len().min(out.len());
        out[..count].copy_from_slice(&self.current[..count]);
        self.current.advance(count);
        Ok(count)
    }
}

/// Reads `source` here and gives it to `f`, which blocks elsewhere. A caller that goes away ends the stream with an error, so
/// that `f` never takes a part for the whole.
pub(crate) async fn pour<T: Send + 'static>(
    engine: &Engine,
    mut source: impl AsyncRead + Send + Unpin + 'static,
    f: impl FnOnce(&Engine, Intake) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, pieces) = mpsc::channel(WAITING);
    let intake = Intake {
        pieces,
        current: Bytes::new(),
        failed: false,
    };
    let guard = Guard(Some(sender.clone()));
    let pump = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = source.read_buf(&mut piece).await;
            let (last, piece) = match read {
                Ok(0) => break,
                Ok(_) => (false, Ok(Bytes::from(piece))),
                Err(e) => (true, Err(e)),
            };
            if sender.send(piece).await.is_err() || last {
                break;
            }
        }
        guard.end();
        // The sender goes here: that is the end of the stream.
    };
    let work = engine.long(move |engine| f(engine, intake));
    let (done, ()) = tokio::join!(work, pump);
    done
}

/// Says, when it is dropped before its time, that the stream is cut.
struct Guard(Option<mpsc::Sender<io::Result<Bytes>>>);

impl Guard {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the caller went away");
            // Full: the piece waits for room in a task of its own, if there is still somebody to run it.
            if let Err(mpsc::error::TrySendError::Full(cut)) = sender.try_send(Err(cut))
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                runtime.spawn(async move { drop(sender.send(cut).await) });
            }
        }
    }
}
