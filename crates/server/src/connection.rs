//! One connection: HTTP until a handler takes it over.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as _;

use crate::peer::Peer;
use crate::streams::Stream;

/// A request's head must be complete after this; so a connection may be idle no longer.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// A request's head may not be larger.
const MAX_HEAD: usize = 64 << 10;

type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a handler leaves what is to be done with the connection once HTTP has let go of it. It is done on the
/// connection's own task, so that whoever owns that task owns all of it.
#[derive(Clone, Default)]
pub(crate) struct Takeover(Arc<Mutex<Option<Session>>>);

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

impl Takeover {
    pub(crate) fn set(&self, session: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(session));
    }

    fn take(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves one byte stream until its end: requests, and what becomes of it when one takes it over. Shutting the client's
/// side down ends only what it sends.
pub async fn serve_stream(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
) {
    let stream = Stream::Other(Box::new(io));
    serve(stream, Peer::Stranger, router, std::future::pending()).await;
}

/// The same for a client in this very process: what it holds open can be reached.
pub async fn serve_own(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, router: Router) {
    let stream = Stream::Other(Box::new(io));
    serve(stream, Peer::Own, router, std::future::pending()).await;
}

/// The same, until `stop`: then a request that has begun is still answered, and no other read.
pub(crate) async fn serve(
    stream: Stream,
    peer: Peer,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let takeover = Takeover::default();
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(takeover.clone());
        request.extensions_mut().insert(peer);
        router.clone().call(request)
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A client that goes away or talks nonsense is no failure of the server's.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        () = stop => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    if let Some(session) = takeover.take() {
        session.await;
    }
}
