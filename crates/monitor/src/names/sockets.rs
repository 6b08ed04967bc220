//! Sockets to servers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use kernel::namespace::{self, Kind};
use protocol::names::Server;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::error::{During, Result};

/// The monitor's own network and its container's.
#[derive(Debug)]
pub(crate) struct Namespaces {
    host: OwnedFd,
    container: OwnedFd,
}

impl Namespaces {
    /// Of this process, and `container`.
    pub(crate) fn new(container: OwnedFd) -> Result<Self> {
        let host = namespace::open(None, Kind::Net).during("find own network")?;
        Ok(Self { host, container })
    }

    /// A socket that reaches the server as the host does, or as the container does.
    fn at<T>(
        &self,
        server: Server,
        make: impl FnOnce() -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        if !server.inside {
            return make();
        }
        let enter = |fd| namespace::setns_one(fd, Kind::Net).map_err(|e| e.source);
        enter(&self.container)?;
        let made = make();
        // Back, before anything else of the process makes a socket. It can't fail: the right to it was just used.
        enter(&self.host)?;
        made
    }

    /// A socket that only the server's datagrams reach, from a port that nobody can foresee.
    pub(super) fn datagrams(&self, server: Server) -> std::io::Result<UdpSocket> {
        self.at(server, || {
            let any: SocketAddr = match server.address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(server.address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
    }

    /// A connection that is being made.
    pub(super) fn connection(&self, server: Server) -> std::io::Result<TcpStream> {
        self.at(server, || {
            let family = match server.address {
                SocketAddr::V4(_) => AddressFamily::INET,
                SocketAddr::V6(_) => AddressFamily::INET6,
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(family, SocketType::STREAM, flags, None)?;
            match connect(&socket, &server.address) {
                Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
                Err(error) => Err(error.into()),
            }
        })
    }
}
