//! Published ports: what is wanted ([`Publish`]), and what was decided ([`Binding`]).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::network::{Driver, Network};
use crate::options::GatewayMode;
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
    /// Whether no port of the host is taken: the container's own address is opened (gateway mode `routed`).
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.host_ip == self.target
    }

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
/// Each wish without an address is decided for both families of the endpoint, at the same port. On an internal network, and where the network's gateway mode is
/// `isolated`, nothing is published, as in Docker; the caller says so. Where it is `routed`, the container's own address is opened instead of a port of the host.
///
/// # Errors
/// [`Kind::Conflict`]: a port is held by another container (it is named) or by another program; [`Kind::Full`]: no port of the range is free;
/// [`Kind::Invalid`]: the ranges differ in length, or the network lacks the address's family.
pub fn decide(
    wishes: &[Publish],
    network: &Network,
    endpoint: &Endpoint,
    held: &[Held],
    probe: &impl Probe,
) -> Result<Vec<Binding>> {
    let mut decided = Vec::new();
    if network.internal || network.driver != Driver::Bridge {
        return Ok(decided);
    }
    for wish in wishes {
        let pairs = addresses(wish, network, endpoint)?;
        let chosen = choose(wish, &pairs, &decided, held, probe)?;
        decided.extend(chosen);
    }
    Ok(decided)
}

/// The pairs of host address and container address that a wish is about.
fn addresses(
    wish: &Publish,
    network: &Network,
    endpoint: &Endpoint,
) -> Result<Vec<(IpAddr, IpAddr)>> {
    let options = &network.options;
    let mut pairs = Vec::new();
    for (family, mode, any) in [
        (
            Family::V4,
            options.gateway_mode_v4,
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        ),
        (
            Family::V6,
            options.gateway_mode_v6,
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ),
    ] {
        let default = options.host_binding.filter(|ip| Family::of(*ip) == family);
        let host_ip = wish.host_ip.or(default).unwrap_or(any);
        if Family::of(host_ip) != family {
            continue;
        }
        match (endpoint.address(family), mode) {
            (_, GatewayMode::Isolated) => {}
            (Some(target), GatewayMode::Routed) => pairs.push((target, target)),
            (Some(target), _) => pairs.push((host_ip, target)),
            (None, _) if wish.host_ip.is_some() => {
                return Err(Error::invalid(format!(
                    "can't publish at {host_ip}: network {} has no IPv{}",
                    network.name,
                    if family == Family::V4 { 4 } else { 6 }
                )));
            }
            (None, _) => {}
        }
    }
    Ok(pairs)
}

fn choose(
    wish: &Publish,
    pairs: &[(IpAddr, IpAddr)],
    decided: &[Binding],
    held: &[Held],
    probe: &impl Probe,
) -> Result<Vec<Binding>> {
    let length = wish.container.len();
    let range = match wish.host {
        Some(host) if host.len() == length || length == 1 => host,
        Some(host) => {
            return Err(Error::invalid(format!(
                "invalid ranges specified for container and host ports: {} and {host} differ in length",
                wish.container
            )));
        }
        None => probe.ephemeral(),
    };
    let last_start = range.last().saturating_sub(length - 1);
    let mut first_refusal = None;
    for start in range.first()..=last_start {
        let bindings = bind(wish, pairs, start);
        match check(&bindings, decided, held, probe) {
            Ok(()) => return Ok(bindings),
            Err(error) if error.kind == Kind::Conflict => {
                first_refusal.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first_refusal {
        Some(error) if range.len() == length => Err(error),
        other => {
            let full = Error::new(
                Kind::Full,
                format!("all ports of {range} are allocated ({})", wish.protocol),
            );
            Err(match other {
                Some(error) => full.with_source(error),
                None => full,
            })
        }
    }
}

fn bind(wish: &Publish, pairs: &[(IpAddr, IpAddr)], start: u16) -> Vec<Binding> {
    let host = Ports {
        first: start,
        last: start.saturating_add(wish.container.len() - 1),
    };
    let binding = |&(host_ip, target): &(IpAddr, IpAddr)| Binding {
        protocol: wish.protocol,
        host_ip,
        host: if host_ip == target {
            wish.container
        } else {
            host
        },
        target,
        container_first: wish.container.first(),
    };
    pairs.iter().map(binding).collect()
}

fn check(
    bindings: &[Binding],
    decided: &[Binding],
    held: &[Held],
    probe: &impl Probe,
) -> Result<()> {
    let refused = |binding: &Binding, by: String| {
        Error::conflict(format!(
            "Bind for {} failed: port is already allocated: {by}",
            SocketAddr::new(binding.host_ip, binding.host.first())
        ))
    };
    for binding in bindings {
        if let Some(other) = held.iter().find(|other| other.binding.conflicts(binding)) {
            let by = format!(
                "container {} publishes {}/{}",
                other.name, other.binding.host, other.binding.protocol
            );
            return Err(refused(binding, by));
        }
        if let Some(other) = decided.iter().find(|other| other.conflicts(binding)) {
            return Err(refused(
                binding,
                format!("this container publishes {} twice", other.host),
            ));
        }
    }
    for binding in bindings.iter().filter(|binding| !binding.is_direct()) {
        for port in binding.host.first()..=binding.host.last() {
            probe.free(binding.protocol, SocketAddr::new(binding.host_ip, port))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
