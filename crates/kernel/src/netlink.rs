//! Network interfaces, routes, rules and connections, through netlink(7): what the programs `ip`, `nft` and `conntrack` do, in this process.
//!
//! A [`Socket`] belongs to the network namespace in which it was opened. [`route`] and [`nft`] make requests, [`conntrack`] forgets connections; nothing here
//! decides anything.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};

use crate::error::At;
use crate::{Result, raw};

pub mod conntrack;
pub mod expression;
mod message;
pub mod nft;
pub mod route;
mod socket;

pub use message::{Attributes, Message, Reply};
pub use socket::{Socket, Topic};

/// Brings `lo` up, which gives it its addresses 127.0.0.1 and ::1.
///
/// # Errors
/// No right to administer the namespace.
pub fn loopback_up() -> Result<()> {
    const OP: &str = "bring up interface";
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let socket = socket.at(OP, "lo")?;
    raw::device::raise_loopback(socket.as_fd()).at(OP, "lo")
}

/// Takes a port of an address as a server does, so that no other program can have it while the descriptor is open: TCP listens, and accepts nobody. An IPv6
/// address does not stand for IPv4's. `protocol` is its number in an IP header.
///
/// # Errors
/// `EADDRINUSE`: another has it; `EADDRNOTAVAIL`: the address is not the host's; `EPROTONOSUPPORT`: the kernel has no such protocol.
pub fn take_port(protocol: u8, address: SocketAddr) -> Result<OwnedFd> {
    const OP: &str = "take port";
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let datagram = protocol == 17;
    let kind = if datagram {
        SocketType::DGRAM
    } else {
        SocketType::STREAM
    };
    let number = std::num::NonZeroU32::new(protocol.into()).map(Protocol::from_raw);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, number).at(OP, address)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true).at(OP, address)?;
    }
    if !datagram {
        // Connections that are only being forgotten are nobody's port.
        sockopt::set_socket_reuseaddr(&socket, true).at(OP, address)?;
    }
    bind(&socket, &address).at(OP, address)?;
    if !datagram {
        listen(&socket, 0).at(OP, address)?;
    }
    Ok(socket)
}

/// A program for [`route::ingress_program`] that lets nothing in whose IPv4 destination is a loopback address (127.0.0.0/8), whatever rules there are or
/// not. It stands before a link on which `route_localnet` is on (CVE-2020-8558).
///
/// # Errors
/// No right, or bpf(2) is not there.
pub fn loopback_guard() -> Result<OwnedFd> {
    use raw::bpf;
    const IPV4: i32 = 0x0800_u16.to_be() as i32;
    /// SKF_NET_OFF and the place of the destination in an IP header.
    const DESTINATION: i32 = -0x10_0000 + 16;
    const PROTOCOL: i16 = 16;
    const CONTINUE: i32 = -1;
    const DROP: i32 = 2;
    let mut not_ip = bpf::jump_if_not_equal(2, IPV4);
    not_ip.offset = 4;
    let mut not_loopback = bpf::jump_if_not_equal(0, 127);
    not_loopback.offset = 2;
    let program = [
        bpf::copy_pointer(6, 1),
        bpf::load_word(2, 1, PROTOCOL),
        not_ip,
        bpf::load_packet_byte(DESTINATION),
        not_loopback,
        bpf::set(0, DROP),
        bpf::exit(),
        bpf::set(0, CONTINUE),
        bpf::exit(),
    ];
    bpf::load_packet_program(&program).at("load", "packet program")
}

#[cfg(test)]
mod tests;
