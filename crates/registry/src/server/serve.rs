//! Connections: accepted, bounded, patient to a degree, and ended in order.

mod patient;
mod tls;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Server;
use crate::error::{Error, Result};
use patient::Patient;
use tls::Tls;

pub use tls::TlsFiles;

/// How long requests that have begun have when the server is to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failed accept: out of descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(100);
/// The most bytes that are read at once; a request's head must fit.
const BUFFER: usize = 512 << 10;
/// How long, and for how many bytes, a connection is listened to that was answered for the last time.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 1 << 20;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A server that has its address.
#[derive(Debug)]
pub struct Listening {
    server: Server,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
}

impl Listening {
    /// Takes an address.
    ///
    /// # Errors
    /// Somebody else has it, there is no such address, or the files for TLS make no sense.
    pub async fn bind(server: Server, address: SocketAddr, tls: Option<TlsFiles>) -> Result<Self> {
        let tls = tls.map(Tls::open).transpose()?.map(Arc::new);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| Error::system("listen on", address, e))?;
        Ok(Self {
            server,
            listener,
            tls,
        })
    }

    /// The address, with the port that it was given.
    ///
    /// # Errors
    /// The system doesn't say.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.listener.local_addr();
        address.map_err(|e| Error::system("listen", "", e))
    }

    /// Serves until `stop`. Requests that have begun then have some seconds.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self {
            server,
            listener,
            tls,
        } = self;
        let room = Arc::new(Semaphore::new(server.limits().connections));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = async {
                    // Over the limit, new ones wait in the kernel's queue.
                    let room = Arc::clone(&room).acquire_owned().await;
                    (room, listener.accept().await)
                } => accepted,
            };
            let (Ok(room), Ok((stream, _))) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            // Without it small answers wait for acknowledgements; a connection that is dead already tells so later.
            drop(stream.set_nodelay(true));
            let (server, tls, stopped) = (server.clone(), tls.clone(), stopped.clone());
            connections.spawn(async move {
                begin(server, tls, stream, stopped).await;
                drop(room);
            });
        }
        drop(listener);
        stopping.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        // Whoever is not done by then is cut off: uploads can be continued.
        let _ = tokio::time::timeout(GRACE, all).await;
        connections.shutdown().await;
    }
}

/// Serves one connection, after its TLS handshake if there is one.
async fn begin(
    server: Server,
    tls: Option<Arc<Tls>>,
    stream: TcpStream,
    stopped: watch::Receiver<bool>,
) {
    let Some(tls) = tls else {
        return connection(server, stream, Scheme::Http, stopped).await;
    };
    let config = tls.config(|error| server.complain(error));
    let handshake = TlsAcceptor::from(config).accept(stream);
    // Whoever can't or won't greet is the client's business, as is a client without a certificate.
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, handshake).await {
        connection(server, stream, Scheme::Https, stopped).await;
    }
}

/// Serves one connection to its end. How it ends is the client's business.
async fn connection<S>(
    server: Server,
    stream: S,
    scheme: Scheme,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let idle = server.limits().idle;
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(scheme);
        let server = server.clone();
        Box::pin(async move { Ok::<_, io::Error>(server.answer(request).await) })
    });
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, idle)), service);
    let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    let ended = tokio::select! {
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => true,
        () = stop => false,
    };
    if !ended {
        Pin::new(&mut connection).graceful_shutdown();
        drop(poll_fn(|cx| connection.poll_without_shutdown(cx)).await);
    }
    linger(connection.into_parts().io.into_inner()).await;
}

/// Whoever is refused in the middle of a body reads the answer only if the connection isn't reset under it, as happens when what it
/// sent is not read: so that is, for a while.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        if stream.shutdown().await.is_ok() {
            let mut rest = stream.take(LINGER_BYTES);
            drop(tokio::io::copy(&mut rest, &mut tokio::io::sink()).await);
        }
    };
    let _ = tokio::time::timeout(LINGER, rest).await;
}
