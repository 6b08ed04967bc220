//! Where a container's programs ask for names: an address of its own loopback link.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;

use kernel::namespace::{self, Kind as Namespace};
use kernel::netlink::expression::Expression::{Destination, Map, Meta, Payload};
use kernel::netlink::expression::{Header, Meta as Key, Register};
use kernel::netlink::nft::{Base, Batch, Bytes, Element, Family, Field, Hook, Set};
use kernel::netlink::{Socket, Topic, loopback_up};

use crate::error::{Doing, Error, Kind, Result};
use crate::publish::Protocol;

/// The port at which programs ask.
const DOMAIN: u16 = 53;
/// The table in the container's namespace.
const TABLE: &str = "tare-names";

/// A new network namespace, and sockets in it at which names are asked for.
#[derive(Debug)]
pub struct Home {
    /// The namespace.
    pub namespace: OwnedFd,
    /// Gets what is sent to port 53 of the address over UDP.
    pub datagrams: UdpSocket,
    /// The same over TCP.
    pub connections: TcpListener,
}

/// Makes a network namespace whose `lo` is up, with two sockets at ephemeral ports of `address` to which port 53 leads: a program in the container may serve
/// names itself, at port 53 of all its addresses.
///
/// # Errors
/// No right, no more namespaces, or the kernel can't translate addresses.
pub fn new_home(address: Ipv4Addr) -> Result<Home> {
    thread::spawn(move || make(address))
        .join()
        .unwrap_or_else(|_| Err(Error::new(Kind::Other, "a thread of the network has ended")))
}

/// In the calling thread, which is then in the new namespace.
fn make(address: Ipv4Addr) -> Result<Home> {
    namespace::unshare(&[Namespace::Net]).doing("can't make a network namespace")?;
    loopback_up().doing("can't bring up lo")?;
    let failed = |e: std::io::Error| {
        Error::new(Kind::Other, format!("can't answer names at {address}")).with_source(e)
    };
    let datagrams = UdpSocket::bind((address, 0)).map_err(failed)?;
    let connections = TcpListener::bind((address, 0)).map_err(failed)?;
    let udp = datagrams.local_addr().map_err(failed)?.port();
    let tcp = connections.local_addr().map_err(failed)?.port();
    let socket = Socket::open(Topic::Netfilter).doing("can't reach the kernel's nf_tables")?;
    redirect(address, udp, tcp)
        .commit(&socket)
        .doing("can't lead port 53 to the resolver")?;
    Ok(Home {
        namespace: namespace::open_own(Namespace::Net).doing("can't open a network namespace")?,
        datagrams,
        connections,
    })
}

/// One map and one rule: what is sent to port 53 of `address` goes to where it is answered.
fn redirect(address: Ipv4Addr, udp: u16, tcp: u16) -> Batch {
    const PORTS: Set = Set {
        name: "ports",
        key: &[Field::Ipv4, Field::Protocol, Field::Port],
        data: &[Field::Ipv4, Field::Port],
    };
    const CHAIN: Base = Base {
        kind: "nat",
        hook: Hook::Output,
        priority: -100,
    };
    let element = |protocol: Protocol, port: u16| Element {
        key: place(address, Some(protocol), DOMAIN),
        data: place(address, None, port),
    };
    let mut batch = Batch::new(Family::Ip, TABLE);
    batch.create_table();
    batch.add_set(&PORTS);
    batch.add_chain("output", Some(CHAIN));
    batch.add_rule(
        "output",
        &[
            Payload(Header::Network, 16, 4, Register::FIRST),
            Meta(Key::Transport, Register::at(1)),
            Payload(Header::Transport, 2, 2, Register::at(2)),
            Map(PORTS.name),
            Destination(2, Register::at(1)),
        ],
    );
    batch.add_elements(
        PORTS.name,
        &[element(Protocol::Udp, udp), element(Protocol::Tcp, tcp)],
    );
    batch
}

fn place(address: Ipv4Addr, protocol: Option<Protocol>, port: u16) -> Vec<u8> {
    let mut bytes = Bytes::new().part(&address.octets());
    if let Some(protocol) = protocol {
        bytes = bytes.part(&[protocol.number()]);
    }
    bytes.part(&port.to_be_bytes()).done()
}
