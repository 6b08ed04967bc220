//! Published ports: what is wanted ([`Publish`]), and what was decided ([`Binding`]).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::subnet::Family;

/// The protocols whose ports are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its number in an IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(Error::invalid(format!("invalid proto: {text}"))),
        }
    }
}

/// Ports one after the other, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports `first` to `last`.
    ///
    /// # Errors
    /// They are in the wrong order, or one is 0.
    pub fn new(first: u16, last: u16) -> Result<Self> {
        if first == 0 || last < first {
            return Err(Error::invalid(format!("invalid port range {first}-{last}")));
        }
        Ok(Self { first, last })
    }

    /// One port.
    ///
    /// # Errors
    /// It is 0.
    pub fn one(port: u16) -> Result<Self> {
        Self::new(port, port)
    }

    /// The lowest.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// How many they are: 1 to 65535.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(self) -> u16 {
        self.last - self.first + 1
    }

    /// Whether the two have one in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A wish: `-p [HOST_IP:][HOST][:]CONTAINER[/PROTOCOL]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The host's address; none for all addresses of both families.
    pub host_ip: Option<IpAddr>,
    /// The host's ports: as many as the container's, or more than its one, of which the first free one is taken. None: the kernel's ephemeral ports.
    pub host: Option<Ports>,
    /// The container's ports.
    pub container: Ports,
    /// The protocol.
    pub protocol: Protocol,
}

/// A decision: these ports of this address lead to those of that container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// The protocol.
    pub protocol: Protocol,
    /// The host's address; the unspecified one for all addresses of its family.
    pub host_ip: IpAddr,
    /// The host's ports.
    pub host: Ports,
    /// The container's address, of the same family.
    pub target: IpAddr,
    /// The container's first port; the others follow one by one.
    pub container_first: u16,
}

impl Binding {
    /// Whether both want a port of the same address.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        let same_address = self.host_ip == other.host_ip
            || self.host_ip.is_unspecified()
            || other.host_ip.is_unspecified();
        self.protocol == other.protocol
            && Family::of(self.host_ip) == Family::of(other.host_ip)
            && same_address
            && self.host.overlaps(other.host)
    }
}

/// A binding that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What is bound.
    pub binding: Binding,
    /// Who has it, for the message.
    pub container: ContainerId,
    /// The same, by name.
    pub name: String,
}

/// Where a port can be asked for: whether any program has it. See [`crate::Fabric::probe`].
pub trait Probe {
    /// Whether `address` can be bound for `protocol` now, by binding it.
    ///
    /// # Errors
    /// It can't; the message names the program that has it, where that can be found out.
    fn free(&self, protocol: Protocol, address: SocketAddr) -> Result<()>;

    /// The range of the kernel's ephemeral ports.
    fn ephemeral(&self) -> Ports;
}

/// Decides which ports of the host lead to `endpoint`. Nothing is changed.
///
/// Each wish without an address is decided for both families of the endpoint, at the same port.
///
/// # Errors
/// [`Kind::Conflict`]: a port is held by another container (it is named) or by another program; [`Kind::Full`]: no port of the range is free.
pub fn decide(
    wishes: &[Publish],
    network: &Network,
    endpoint: &Endpoint,
    held: &[Held],
    probe: &impl Probe,
) -> Result<Vec<Binding>> {
    let _ = (wishes, network, endpoint, held, probe.ephemeral());
    Err(Error::new(
        Kind::Unsupported,
        "publishing ports is being built",
    ))
}
