//! Addresses: which subnet a new network gets, and which address a new endpoint. Pure: what is taken is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::error::{Error, Kind, Result};
use crate::network::{Network, Pool};
use crate::subnet::{Family, Subnet, bits_of};

/// Where subnets of networks that ask for none come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The addresses to cut.
    pub base: Subnet,
    /// The size of the pieces: how many bits the addresses of one share.
    pub size: u8,
}

/// The sources in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Sources that the user named.
    ///
    /// # Errors
    /// A piece is larger than its base, or smaller than two addresses.
    pub fn new(sources: Vec<Source>) -> Result<Self> {
        for source in &sources {
            let bits = source.base.family().bits();
            if source.size < source.base.prefix() || source.size >= bits {
                return Err(Error::invalid(format!(
                    "invalid address pool {}: pieces of /{} can't be cut from it",
                    source.base, source.size
                )));
            }
        }
        Ok(Self(sources))
    }

    /// Docker's first choices (172.17.0.0/16 and on, then 192.168.0.0/20 and on), after them thousands of small ones; for IPv6 a unique local prefix
    /// (RFC 4193) with these 40 bits, which should be random and stay the same for an installation.
    #[must_use]
    pub fn standard(global_id: [u8; 5]) -> Self {
        let v4 = |a, b, prefix, size| Source {
            base: subnet(IpAddr::from([a, b, 0, 0]), prefix),
            size,
        };
        let mut sources: Vec<Source> = (17..30).map(|b| v4(172, b, 16, 16)).collect();
        sources.push(v4(192, 168, 16, 20));
        sources.push(v4(172, 30, 15, 24));
        sources.push(v4(10, 0, 8, 24));
        let [a, b, c, d, e] = global_id;
        let ula = [0xfd, a, b, c, d, e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        sources.push(Source {
            base: subnet(IpAddr::from(ula), 48),
            size: 64,
        });
        Self(sources)
    }

    /// The first piece of a family that shares no address with any of `taken`.
    ///
    /// # Errors
    /// [`Kind::Full`]: there is none.
    pub fn choose(&self, family: Family, taken: &[Subnet]) -> Result<Subnet> {
        self.0
            .iter()
            .filter(|source| source.base.family() == family)
            .find_map(|source| first_free(source, taken))
            .ok_or_else(|| {
                Error::new(
                    Kind::Full,
                    "all predefined address pools have been fully subnetted",
                )
                .with_hint("give the network a subnet of its own (--subnet), or remove networks that are not used (tare network prune)")
            })
    }
}

fn subnet(address: IpAddr, prefix: u8) -> Subnet {
    // The prefixes here are constants that fit their family.
    Subnet::new(address, prefix).unwrap_or_else(|_| unreachable!("a constant prefix"))
}

/// Goes over the subnets in the way in the order of their addresses, so that thousands of them are passed once.
fn first_free(source: &Source, taken: &[Subnet]) -> Option<Subnet> {
    let family = source.base.family();
    let size = 1_u128 << (family.bits() - source.size);
    let last = bits_of(source.base.last());
    let mut in_the_way: Vec<(u128, u128)> = taken
        .iter()
        .filter(|other| other.overlaps(&source.base))
        .map(|other| (bits_of(other.address()), bits_of(other.last())))
        .collect();
    in_the_way.sort_unstable();
    let mut next = bits_of(source.base.address());
    for (from, to) in in_the_way {
        if from > next.checked_add(size - 1)? {
            break;
        }
        if to >= next {
            // It may end within a piece, which is then passed as a whole.
            next = to.checked_add(size)? & !(size - 1);
        }
    }
    (next <= last).then(|| subnet(family.address(next), source.size))
}

/// Something that uses addresses, for messages: a network's name, or a route's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The addresses.
    pub subnet: Subnet,
    /// By whom, as a message says it: `network web`, `the route over eth0`.
    pub by: String,
}

/// Checks a pool that a user has asked for, and fills in its gateway.
///
/// # Errors
/// [`Kind::Invalid`]: gateway, range or an auxiliary address lies outside; [`Kind::Conflict`]: it shares addresses with another network, which is named.
/// Routes of the host are no reason to refuse: the user may mean it.
pub fn complete(mut pool: Pool, networks: &[Taken]) -> Result<Pool> {
    if let Some(other) = networks.iter().find(|n| n.subnet.overlaps(&pool.subnet)) {
        return Err(Error::conflict(format!(
            "invalid pool request: Pool overlaps with other one on this address space: {} overlaps with {} of {}",
            pool.subnet, other.subnet, other.by
        )));
    }
    if let Some(range) = pool.range
        && !pool.subnet.includes(&range)
    {
        return Err(Error::invalid(format!(
            "no matching subnet for range {range}: it is not within {}",
            pool.subnet
        )));
    }
    for (name, address) in &pool.aux {
        if !pool.subnet.contains(*address) {
            return Err(Error::invalid(format!(
                "no matching subnet for aux-address {name}={address}: it is not within {}",
                pool.subnet
            )));
        }
    }
    match pool.gateway {
        Some(gateway) if !pool.subnet.contains(gateway) => Err(Error::invalid(format!(
            "no matching subnet for gateway {gateway}: it is not within {}",
            pool.subnet
        ))),
        Some(gateway) if !usable(&pool.subnet, gateway) => Err(Error::invalid(format!(
            "the gateway {gateway} is no address for a host in {}",
            pool.subnet
        ))),
        Some(gateway) => match pool.aux.iter().find(|(_, a)| **a == gateway) {
            Some((name, _)) => Err(Error::conflict(format!(
                "the gateway {gateway} is also the aux-address {name}"
            ))),
            None => Ok(pool),
        },
        None => {
            let used = BTreeSet::new();
            pool.gateway = Some(pick(&pool, &used, None)?);
            Ok(pool)
        }
    }
}

/// Whether a host can have the address: not the subnet's own nor, in IPv4, its broadcast address. A /31 and a /127 have two hosts (RFC 3021, RFC 6164).
fn usable(subnet: &Subnet, address: IpAddr) -> bool {
    let bits = subnet.family().bits();
    if bits - subnet.prefix() <= 1 {
        return subnet.contains(address);
    }
    let broadcast = subnet.family() == Family::V4 && address == subnet.last();
    subnet.contains(address) && address != subnet.address() && !broadcast
}

/// An address for an endpoint that has no wish: the first free one after `after`, the address given out last, so that an address rests before it is used
/// again; from the start when the end is reached.
///
/// # Errors
/// [`Kind::Full`]: all are taken.
pub fn pick(pool: &Pool, used: &BTreeSet<IpAddr>, after: Option<IpAddr>) -> Result<IpAddr> {
    let range = pool.range.unwrap_or(pool.subnet);
    let family = range.family();
    let (first, last) = (bits_of(range.address()), bits_of(range.last()));
    let start = after
        .filter(|after| range.contains(*after))
        .map_or(first, |after| bits_of(after) + 1);
    let free = |value: &u128| {
        let address = family.address(*value);
        usable(&pool.subnet, address)
            && pool.gateway != Some(address)
            && !pool.aux.values().any(|aux| *aux == address)
            && !used.contains(&address)
    };
    (start..=last)
        .chain(first..start.min(last + 1))
        .find(free)
        .map(|value| family.address(value))
        .ok_or_else(|| {
            Error::new(
                Kind::Full,
                format!("no available IPv{} addresses on this network's address pools: {range} is used up", if family == Family::V4 { 4 } else { 6 }),
            )
            .with_hint("make a network with a larger --subnet, or remove containers from this one")
        })
}

/// Checks an address that a user has asked for with `--ip` or `--ip6`.
///
/// # Errors
/// [`Kind::Invalid`]: it lies in no subnet of the network, or is none for a host; [`Kind::Conflict`]: it is taken; the message names the holder.
pub fn claim(network: &Network, wanted: IpAddr, used: &BTreeMap<IpAddr, String>) -> Result<IpAddr> {
    let Some(pool) = network.pools.iter().find(|p| p.subnet.contains(wanted)) else {
        let subnets: Vec<String> = network.pools.iter().map(|p| p.subnet.to_string()).collect();
        return Err(Error::invalid(format!(
            "invalid endpoint settings: no configured subnet contains IP address {wanted} (network {} has {})",
            network.name,
            subnets.join(", ")
        )));
    };
    if !usable(&pool.subnet, wanted) {
        return Err(Error::invalid(format!(
            "invalid endpoint settings: {wanted} is no address for a host in {}",
            pool.subnet
        )));
    }
    let aux = pool.aux.iter().find(|(_, address)| **address == wanted);
    let holder = match used.get(&wanted) {
        Some(container) => Some(format!("container {container} has it")),
        None if pool.gateway == Some(wanted) => Some("it is the gateway".to_owned()),
        None => aux.map(|(name, _)| format!("it is the aux-address {name}")),
    };
    match holder {
        Some(holder) => Err(Error::conflict(format!(
            "Address already in use: {wanted} on network {}: {holder}",
            network.name
        ))),
        None => Ok(wanted),
    }
}

#[cfg(test)]
mod tests;
