//! What flows after an answer's head.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use api::progress::{Decoder, Message};
use bytes::{Buf as _, Bytes};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::error::{Error, Kind, Result};
use crate::transport::Task;

/// An answer's body, read as it comes. Dropping it ends the connection.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    chunk: Bytes,
    task: Task,
}

impl Download {
    pub(crate) const fn new(body: Incoming, task: Task) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            task,
        }
    }

    pub(crate) fn into_parts(self) -> (Incoming, Task) {
        (self.body, self.task)
    }
}

impl AsyncRead for Download {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(frame)) => this.chunk = frame.into_data().unwrap_or_default(),
            }
        }
        let take = this.chunk.len().min(buffer.remaining());
        buffer.put_slice(&this.chunk[..take]);
        this.chunk.advance(take);
        Poll::Ready(Ok(()))
    }
}

/// The messages of a load, an import or a pull.
#[derive(Debug)]
pub struct Messages {
    body: Download,
    decoder: Decoder,
    ready: std::collections::VecDeque<Message>,
}

impl Messages {
    pub(crate) fn new(body: Download) -> Self {
        Self {
            body,
            decoder: Decoder::new(),
            ready: std::collections::VecDeque::new(),
        }
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// The connection broke; or the message says that the operation failed, which is always the last one.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.ready.pop_front() {
                return check(message).map(Some);
            }
            let read = self.body.read(&mut chunk).await;
            let read = read.map_err(|e| Error::protocol("read progress", e))?;
            if read == 0 {
                return Ok(None);
            }
            let messages = self.decoder.feed(&chunk[..read]);
            self.ready
                .extend(messages.map_err(|e| Error::protocol("decode progress", e))?);
        }
    }
}

/// An error after the head was sent: it counts as the engine's refusal.
fn check(message: Message) -> Result<Message> {
    if message.error.is_empty() && message.error_detail.is_none() {
        return Ok(message);
    }
    let detail = message
        .error_detail
        .map(|detail| detail.message)
        .unwrap_or_default();
    let text = if message.error.is_empty() {
        detail
    } else {
        message.error
    };
    Err(Error::new(Kind::Status(500), text))
}

/// A connection that speaks no HTTP any more.
pub struct Hijacked {
    /// What the engine sends; ends when it has no more.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What is sent to it. Shutting it down ends that direction only.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl fmt::Debug for Hijacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hijacked")
    }
}

impl Hijacked {
    pub(crate) fn new(upgraded: Upgraded) -> Self {
        let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
        }
    }

    pub(crate) fn read_only(body: Download) -> Self {
        Self {
            reader: Box::new(body),
            writer: Box::new(tokio::io::sink()),
        }
    }
}
