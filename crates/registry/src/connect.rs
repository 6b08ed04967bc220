//! Connections for the HTTP client: look-up, TCP, proxy, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::host::host_of;
use crate::lookup::Lookup;
use crate::proxy::{Proxies, Proxy};

/// What a connection needs.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(crate) lookup: Lookup,
    pub(crate) proxies: Proxies,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) patience: Duration,
    /// Whether link-local addresses may be reached: not by a redirect (security.md, E8).
    pub(crate) link_local: bool,
}

/// Whether a plain connection leads to a proxy, which wants whole addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToProxy(bool);

/// A connection, plain or not.
pub(crate) enum Stream {
    Plain(TokioIo<TcpStream>, ToProxy),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connect {
    /// Connects to the host of an address.
    pub(crate) async fn connect(&self, uri: &Uri) -> io::Result<Stream> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let authority = uri
            .authority()
            .ok_or_else(|| invalid("an address without a host".to_owned()))?;
        let tls = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = host_of(authority.host());
        let proxy = self
            .proxies
            .find(tls, authority.as_str())
            .map_err(invalid)?;
        let socket = match &proxy {
            Some(proxy) => {
                let mut socket = self.dial(&proxy.host, proxy.port).await?;
                if tls {
                    let wait = tunnel(&mut socket, authority.host(), port, proxy);
                    timeout(self.patience, wait).await.map_err(slow)??;
                }
                socket
            }
            None => self.dial(host, port).await?,
        };
        socket.set_nodelay(true)?;
        if !tls {
            return Ok(Stream::Plain(
                TokioIo::new(socket),
                ToProxy(proxy.is_some()),
            ));
        }
        let config = self
            .tls
            .clone()
            .ok_or_else(|| invalid("TLS is not set up".to_owned()))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| invalid(format!("{host:?} is no host name")))?;
        let wait = TlsConnector::from(config).connect(name, socket);
        let stream = timeout(self.patience, wait).await.map_err(slow)??;
        Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
    }

    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let wait = self.lookup.addresses(host, port);
        let addresses = timeout(self.patience, wait).await.map_err(slow)?;
        let addresses =
            addresses.map_err(|e| io::Error::new(e.kind(), format!("look up {host}: {e}")))?;
        let mut last = io::Error::new(
            io::ErrorKind::NotFound,
            format!("look up {host}: no address"),
        );
        for address in addresses {
            if !self.link_local && is_link_local(address) {
                last = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!(
                        "a redirect leads to the link-local address {}",
                        address.ip()
                    ),
                );
                continue;
            }
            match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => {
                    last = io::Error::new(error.kind(), format!("connect to {address}: {error}"));
                }
                Err(elapsed) => last = slow(elapsed),
            }
        }
        Err(last)
    }
}

/// Where clouds keep machines' secrets, among others.
fn is_link_local(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => {
            ip.segments()[0] & 0xffc0 == 0xfe80
                || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_link_local())
                // The metadata service of one cloud, in IPv6.
                || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

fn slow(_: tokio::time::error::Elapsed) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "connecting takes too long")
}

/// Asks a proxy for a way through (RFC 9110, 9.3.6).
async fn tunnel(socket: &mut TcpStream, host: &str, port: u16, proxy: &Proxy) -> io::Result<()> {
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    request.push_str("\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the head belongs to TLS.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > 16 << 10 {
            return Err(io::Error::other("the proxy's answer is too long"));
        }
        answer.push(socket.read_u8().await?);
    }
    let line = String::from_utf8_lossy(&answer);
    let mut words = line.split_whitespace();
    let (version, status) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if version.starts_with("HTTP/1.") && status.starts_with('2') {
        return Ok(());
    }
    let shown = crate::error::shown(status);
    Err(io::Error::other(format!("the proxy answered {shown}")))
}

macro_rules! both {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($inner, _) => {
                let $inner = Pin::new($inner);
                $call
            }
            Stream::Tls($inner) => {
                let $inner = Pin::new(&mut **$inner);
                $call
            }
        }
    };
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        both!(self, inner => inner.poll_read(cx, buffer))
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        both!(self, inner => inner.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        both!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        both!(self, inner => inner.poll_shutdown(cx))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(_, to_proxy) => Connected::new().proxy(to_proxy.0),
            Self::Tls(_) => Connected::new(),
        }
    }
}

impl tower_service::Service<Uri> for Connect {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect = self.clone();
        Box::pin(async move { connect.connect(&uri).await })
    }
}
