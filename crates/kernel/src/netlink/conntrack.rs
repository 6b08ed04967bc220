//! Connections that the kernel tracks: found and forgotten (linux/netfilter/nfnetlink_conntrack.h).

use std::net::IpAddr;

use rustix::io::Errno;

use super::message::{Attributes, Message, Reply};
use super::socket::Socket;
use crate::Result;

const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = 1;
const DELETE: u16 = 2;

const GENERIC: usize = 4;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// From whom.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// The protocol's number in an IP header.
    pub protocol: u8,
    /// The destination's port; 0 where there are none.
    pub port: u16,
}

/// A connection, as far as it is needed to tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// As its first packet came.
    pub original: Direction,
    /// As answers come.
    pub reply: Direction,
}

fn direction(tuple: Attributes<'_>) -> Option<Direction> {
    let (ip, transport) = (tuple.nested(1), tuple.nested(2));
    let address = |v4, v6| {
        if let Some(bytes) = ip.get(v4) {
            return <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
        }
        <[u8; 16]>::try_from(ip.get(v6)?).ok().map(IpAddr::from)
    };
    let port = transport.get(3).and_then(|bytes| bytes.try_into().ok());
    Some(Direction {
        source: address(1, 3)?,
        destination: address(2, 4)?,
        protocol: *transport.get(1)?.first()?,
        port: port.map_or(0, u16::from_be_bytes),
    })
}

/// Forgets every connection of a family (`AF_INET` is 2, `AF_INET6` is 10) that `which` chooses; how many they were. Packets of them begin a new one.
///
/// # Errors
/// The kernel tracks no connections, or no right.
pub fn forget(socket: &Socket, family: u8, mut which: impl FnMut(&Flow) -> bool) -> Result<usize> {
    let message = Message::new(SUBSYSTEM | GET, 0).body(&[family, 0, 0, 0]);
    let mut count = 0;
    for reply in socket.dump("connections", &message)? {
        let attributes = reply.attributes(GENERIC);
        let (Some(original), Some(back)) = (
            direction(attributes.nested(TUPLE_ORIGINAL)),
            direction(attributes.nested(TUPLE_REPLY)),
        ) else {
            continue;
        };
        if which(&Flow {
            original,
            reply: back,
        }) {
            match socket.request("connection", vec![deletion(family, &reply)]) {
                // It ended by itself.
                Err(error) if error.errno() == Errno::NOENT => {}
                other => other?,
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Names the one connection by its first direction and its number.
fn deletion(family: u8, reply: &Reply) -> Message {
    let mut message = Message::new(SUBSYSTEM | DELETE, 0).body(&[family, 0, 0, 0]);
    let attributes = reply.attributes(GENERIC);
    // With the flag of a nested attribute, which the kernel's own has too.
    if let Some(tuple) = attributes.get(TUPLE_ORIGINAL) {
        message.put(TUPLE_ORIGINAL | 1 << 15, tuple);
    }
    for kind in [ID, ZONE] {
        if let Some(value) = attributes.get(kind) {
            message.put(kind, value);
        }
    }
    message
}
