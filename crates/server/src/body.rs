//! Bodies: those that come, within limits, and those that go, as they are made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::Refusal;

/// No JSON body is larger.
const MAX_JSON: usize = 8 << 20;

/// All of a body that holds JSON.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_JSON).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request body too large",
        )),
        Err(error) => Err(Refusal::bad(format!("read request body: {error}"))),
    }
}

/// A body as a reader: archives have any size.
#[derive(Debug)]
pub(crate) struct Reader {
    body: Body,
    chunk: Bytes,
}

impl Reader {
    pub(crate) fn new(body: Body) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
        }
    }
}

impl AsyncRead for Reader {
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
