//! From code that blocks to an asynchronous stream: the other way round than `image::intake`.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use crate::error::Result;
use crate::open::Engine;

/// What is sent at once, and how many pieces may wait.
const PIECE: usize = 128 * 1024;
const WAITING: usize = 4;

/// A stream that is made while it is read. Whoever drops it ends its making.
#[derive(Debug)]
pub struct Outlet {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Outlet {
    /// The next piece; none at the end. After an error comes nothing more: what came before is not the whole.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.pieces.recv().await
    }
}

impl AsyncRead for Outlet {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.current.is_empty() {
            match ready!(this.pieces.poll_recv(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(piece) => this.current = piece?,
            }
        }
        let count = this.current.len().min(out.remaining());
        out.put_slice(&this.current[..count]);
        this.current.advance(count);
        Poll::Ready(Ok(()))
    }
}

/// What `write` writes elsewhere, where it may block.
pub(crate) fn draw(
    engine: &Engine,
    write: impl FnOnce(&Engine, &mut (dyn Write + Send)) -> Result<()> + Send + 'static,
) -> Outlet {
    let (sender, pieces) = mpsc::channel(WAITING);
    let engine = engine.clone();
    // Nobody joins it: it ends with its stream, by its own end or because nobody reads any more.
    drop(tokio::task::spawn_blocking(move || {
        let mut pour = Pour {
            sender,
            piece: BytesMut::new(),
        };
        let written = write(&engine, &mut pour).and_then(|()| {
            pour.flush()
                .map_err(|e| crate::error::Error::internal("send", e))
        });
        if let Err(error) = written {
            let error = io::Error::other(error.chain());
            drop(pour.sender.blocking_send(Err(error)));
        }
    }));
    Outlet {
        pieces,
        current: Bytes::new(),
    }
}

/// The writing end.
struct Pour {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pour {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        self.piece.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads it any more"))
    }
}
