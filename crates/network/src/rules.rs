//! The rules as values: two tables, their sets and chains, and which elements a network, an endpoint and a published port put into them.
//!
//! All that differs between hosts is in sets and maps; the rules themselves never change. So publishing a port is one element more, and a packet takes the same
//! steps with one port and with ten thousand.
//!
//! - Table `inet`, in `routed`: publishing (`publish`, by destination), what leaves (`leave`, by source), who may pass (`forward`), who may reach the host (`input`).
//! - Table `bridge`, in `bridged`: nobody speaks for an address that another container or the host has (`port`).

mod bridged;
mod elements;
mod routed;

use kernel::netlink::nft::{Batch, Family as Table, Field, Set};

pub(crate) use elements::{Elements, bridge_mac, of_binding, of_endpoint, of_network};
pub(crate) use routed::{Closed, close};

use Field::{Interface, Ipv4, Ipv6, Mac as Ethernet, Port, Protocol};

const fn set(name: &'static str, key: &'static [Field]) -> Set {
    Set {
        name,
        key,
        data: &[],
    }
}

const fn map(name: &'static str, key: &'static [Field], data: &'static [Field]) -> Set {
    Set { name, key, data }
}

/// The sets of the table `inet`.
pub(crate) const INET: &[Set] = &[
    // Our bridges; those that lead nowhere; pairs of a bridge with itself, and of those whose containers may talk.
    set("bridges", &[Interface]),
    set("internal", &[Interface]),
    set("same", &[Interface, Interface]),
    set("within", &[Interface, Interface]),
    // What leaves a bridge gets the host's address, or this one.
    set("nat4", &[Interface]),
    set("nat6", &[Interface]),
    map("source4", &[Interface], &[Ipv4]),
    map("source6", &[Interface], &[Ipv6]),
    // Who may come in without a published port: from everywhere, or from some links.
    set("open4", &[Interface]),
    set("open6", &[Interface]),
    set("trusted", &[Interface, Interface]),
    // Published ports: at one address, at all; and of containers that are reached by their own address.
    map("at4", &[Ipv4, Protocol, Port], &[Ipv4, Port]),
    map("any4", &[Protocol, Port], &[Ipv4, Port]),
    map("at6", &[Ipv6, Protocol, Port], &[Ipv6, Port]),
    map("any6", &[Protocol, Port], &[Ipv6, Port]),
    // Containers' addresses, twice.
    set("self4", &[Ipv4, Ipv4]),
    set("self6", &[Ipv6, Ipv6]),
    set("direct4", &[Ipv4, Protocol, Port]),
    set("direct6", &[Ipv6, Protocol, Port]),
];

/// The sets of the table `bridge`.
pub(crate) const BRIDGE: &[Set] = &[
    set("ports", &[Interface]),
    // Whose an address is, and that it is somebody's.
    set("mac", &[Ethernet, Interface]),
    set("known_mac", &[Ethernet]),
    set("ip4", &[Ipv4, Interface]),
    set("known_ip4", &[Ipv4]),
    set("ip6", &[Ipv6, Interface]),
    set("known_ip6", &[Ipv6]),
];

/// Both tables, with their sets and rules and no elements.
pub(crate) fn base(table: &str, closed: Closed) -> Batch {
    let mut batch = Batch::new(Table::Inet, table);
    batch.create_table();
    for one in INET {
        batch.add_set(one);
    }
    routed::fill(&mut batch, closed);
    batch.turn_to(Table::Bridge, table);
    batch.create_table();
    for one in BRIDGE {
        batch.add_set(one);
    }
    bridged::fill(&mut batch);
    batch
}

#[cfg(test)]
mod tests;
