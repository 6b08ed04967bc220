//! What networks, endpoints and published ports put into the sets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use kernel::netlink::nft::{Batch, Bytes, Element, Family as Table};

use super::{BRIDGE, INET};
use crate::endpoint::Endpoint;
use crate::network::{Driver, Network};
use crate::options::GatewayMode;
use crate::publish::Binding;
use crate::subnet::{Family, Mac};

/// Elements by set, in both tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elements {
    sets: BTreeMap<&'static str, Vec<Element>>,
}

impl Elements {
    fn put(&mut self, set: &'static str, key: Bytes) {
        self.put_data(set, key, Bytes::new());
    }

    fn put_data(&mut self, set: &'static str, key: Bytes, data: Bytes) {
        let element = Element {
            key: key.done(),
            data: data.done(),
        };
        self.sets.entry(set).or_default().push(element);
    }

    /// These and those.
    pub(crate) fn join(&mut self, other: Self) {
        for (set, elements) in other.sets {
            self.sets.entry(set).or_default().extend(elements);
        }
    }

    /// The elements of one set.
    pub(crate) fn of(&self, set: &str) -> &[Element] {
        self.sets.get(set).map_or(&[], Vec::as_slice)
    }

    /// What puts them into the tables.
    pub(crate) fn add_to(&self, batch: &mut Batch, table: &str) {
        self.each(batch, table, Batch::add_elements);
    }

    /// What takes them out.
    pub(crate) fn delete_from(&self, batch: &mut Batch, table: &str) {
        self.each(batch, table, Batch::delete_elements);
    }

    fn each(&self, batch: &mut Batch, table: &str, change: fn(&mut Batch, &str, &[Element])) {
        for (family, sets) in [(Table::Inet, INET), (Table::Bridge, BRIDGE)] {
            batch.turn_to(family, table);
            for one in sets {
                let elements = self.of(one.name);
                if !elements.is_empty() {
                    change(batch, one.name, elements);
                }
            }
        }
    }

    /// Each alone: for taking out those of which some are not there.
    pub(crate) fn one_by_one(&self) -> impl Iterator<Item = Self> + '_ {
        self.sets.iter().flat_map(|(set, elements)| {
            elements.iter().map(|element| Self {
                sets: [(*set, vec![element.clone()])].into(),
            })
        })
    }
}

fn interface(name: &str) -> Bytes {
    Bytes::new().interface(name)
}

fn address(address: IpAddr) -> Bytes {
    match address {
        IpAddr::V4(v4) => Bytes::new().part(&v4.octets()),
        IpAddr::V6(v6) => Bytes::new().part(&v6.octets()),
    }
}

/// The Ethernet address that the host has on a network's bridge: it follows from the gateway, so that neighbours' caches stay true when the bridge is made again.
pub(crate) fn bridge_mac(network: &Network) -> Option<Mac> {
    let gateway = network.pools.iter().find_map(|pool| pool.gateway)?;
    Some(match gateway {
        IpAddr::V4(v4) => Mac::of_ipv4(v4),
        IpAddr::V6(v6) => Mac::of_ipv6(v6),
    })
}

/// What a network puts into the sets. Only bridges have rules.
pub(crate) fn of_network(network: &Network) -> Elements {
    let mut all = Elements::default();
    if network.driver != Driver::Bridge {
        return all;
    }
    let bridge = network.bridge();
    let pair = |from: &str| interface(from).interface(&bridge);
    all.put("bridges", interface(&bridge));
    all.put("same", pair(&bridge));
    if network.options.icc {
        all.put("within", pair(&bridge));
    }
    if network.internal {
        all.put("internal", interface(&bridge));
    } else {
        way_out(&mut all, network, &bridge);
    }
    for trusted in &network.options.trusted_interfaces {
        all.put("trusted", pair(trusted));
    }
    if let Some(mac) = bridge_mac(network) {
        all.put("known_mac", Bytes::bare(&mac.bytes()));
        all.put("known_ip6", address(link_local(mac).into()));
    }
    for gateway in network.pools.iter().filter_map(|pool| pool.gateway) {
        let known = if gateway.is_ipv4() {
            "known_ip4"
        } else {
            "known_ip6"
        };
        all.put(known, address(gateway));
    }
    all
}

fn way_out(all: &mut Elements, network: &Network, bridge: &str) {
    let options = &network.options;
    for (mode, nat, open, source, map) in [
        (
            options.gateway_mode_v4,
            "nat4",
            "open4",
            options.source_v4.map(IpAddr::V4),
            "source4",
        ),
        (
            options.gateway_mode_v6,
            "nat6",
            "open6",
            options.source_v6.map(IpAddr::V6),
            "source6",
        ),
    ] {
        let translated = matches!(mode, GatewayMode::Nat | GatewayMode::NatUnprotected);
        if translated && options.masquerade {
            match source {
                Some(source) => all.put_data(map, interface(bridge), address(source)),
                None => all.put(nat, interface(bridge)),
            }
        }
        if mode == GatewayMode::NatUnprotected {
            all.put(open, interface(bridge));
        }
    }
}

/// The link-local address that follows from an Ethernet address (RFC 4291, appendix A).
pub(super) fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.bytes();
    let group = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        group(a ^ 2, b),
        group(c, 0xff),
        group(0xfe, d),
        group(e, f),
    )
}

/// What an endpoint puts into the sets.
pub(crate) fn of_endpoint(network: &Network, endpoint: &Endpoint) -> Elements {
    let mut all = Elements::default();
    if network.driver != Driver::Bridge {
        return all;
    }
    let link = endpoint.host_link();
    all.put("ports", interface(&link));
    all.put(
        "mac",
        Bytes::new().part(&endpoint.mac.bytes()).interface(&link),
    );
    all.put("known_mac", Bytes::bare(&endpoint.mac.bytes()));
    let mut addresses: Vec<IpAddr> = [Family::V4, Family::V6]
        .into_iter()
        .filter_map(|family| endpoint.address(family))
        .collect();
    for one in &addresses {
        let set = if one.is_ipv4() { "self4" } else { "self6" };
        all.put(set, address(*one).part(&address(*one).done()));
    }
    addresses.extend(&endpoint.extra);
    if network.has(Family::V6) {
        addresses.push(link_local(endpoint.mac).into());
    }
    addresses.sort_unstable();
    addresses.dedup();
    for one in addresses {
        let (own, known) = if one.is_ipv4() {
            ("ip4", "known_ip4")
        } else {
            ("ip6", "known_ip6")
        };
        all.put(own, address(one).interface(&link));
        all.put(known, address(one));
    }
    all
}

/// What published ports put into the sets: one element a port.
pub(crate) fn of_binding(binding: &Binding) -> Elements {
    let mut all = Elements::default();
    let v4 = binding.target.is_ipv4();
    let protocol = [binding.protocol.number()];
    let inside = (0..binding.host.len()).map(|n| binding.container_first.saturating_add(n));
    for (host, inside) in (binding.host.first()..=binding.host.last()).zip(inside) {
        let key = |to: Bytes| to.part(&protocol).part(&host.to_be_bytes());
        if binding.is_direct() {
            let set = if v4 { "direct4" } else { "direct6" };
            all.put(set, key(address(binding.target)));
            continue;
        }
        let data = address(binding.target).part(&inside.to_be_bytes());
        match (binding.host_ip.is_unspecified(), v4) {
            (true, true) => all.put_data("any4", key(Bytes::new()), data),
            (true, false) => all.put_data("any6", key(Bytes::new()), data),
            (false, true) => all.put_data("at4", key(address(binding.host_ip)), data),
            (false, false) => all.put_data("at6", key(address(binding.host_ip)), data),
        }
    }
    all
}
