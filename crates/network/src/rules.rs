//! The rules as values: two tables, their sets and chains, and which elements a network, an endpoint and a published port put into them.
//!
//! All that differs between hosts is in sets and maps; the rules themselves never change. So publishing a port is one element more, and a packet takes the same
//! steps with one port and with ten thousand.
//!
//! - Table `inet`: publishing (`publish`, by destination), what leaves (`leave`, by source), who may pass (`forward`), who may reach the host (`input`).
//! - Table `bridge`: nobody speaks for an address that another container or the host has (`port`): Ethernet, ARP, IPv4, IPv6 and neighbour discovery; no router
//!   advertisements, redirects or DHCP answers come from containers (CVE-2020-13401, CVE-2020-10749, CVE-2025-52889).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use kernel::netlink::expression::Expression::{
    Connection, Count, Destination, DestinationKind, Differs, End, Equal, Map, Mask, Masquerade,
    Meta, NotWithin, Payload, RouteSegment, SegmentOrder, SetSegment, Source, Within,
};
use kernel::netlink::expression::{
    Connection as Ct, Expression, Header, Meta as Key, Register, Seen, Verdict,
};
use kernel::netlink::nft::{Base, Batch, Bytes, Element, Family as Table, Field, Hook, Set};

use crate::endpoint::Endpoint;
use crate::network::{Driver, Network};
use crate::options::GatewayMode;
use crate::publish::Binding;
use crate::subnet::{Family, Mac};

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

const IPV4: Expression<'static> = Equal(&[2]);
const IPV6: Expression<'static> = Equal(&[10]);
const FAMILY: Expression<'static> = Meta(Key::Family, Register::FIRST);
const IN: Expression<'static> = Meta(Key::InName, Register::FIRST);
const OUT: Expression<'static> = Meta(Key::OutName, Register::FIRST);
const THEN_OUT: Expression<'static> = Meta(Key::OutName, Register::at(4));
const DROP: Expression<'static> = End(Verdict::Drop);
const ACCEPT: Expression<'static> = End(Verdict::Accept);
const RETURN: Expression<'static> = End(Verdict::Return);
const TRANSPORT: Expression<'static> = Meta(Key::Transport, Register::FIRST);

/// Whether what is not ours is kept from being forwarded, by family: where we have switched forwarding on, as the host was no router before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
}

/// Both tables, with their sets and rules and no elements.
pub(crate) fn base(table: &str, closed: Closed) -> Batch {
    let mut batch = Batch::new(Table::Inet, table);
    batch.create_table();
    for one in INET {
        batch.add_set(one);
    }
    chains(&mut batch);
    destinations(&mut batch);
    sources(&mut batch);
    passage(&mut batch, closed);
    batch.turn_to(Table::Bridge, table);
    batch.create_table();
    for one in BRIDGE {
        batch.add_set(one);
    }
    let hook = Base {
        kind: "filter",
        hook: Hook::Prerouting,
        priority: -300,
    };
    batch.add_chain("port", None);
    batch.add_chain("frames", Some(hook));
    // Bridges of others are none of our business.
    batch.add_rule("frames", &[IN, Within("ports"), End(Verdict::Jump("port"))]);
    port(&mut batch);
    batch
}

fn chains(batch: &mut Batch) {
    for name in ["publish", "to_container", "from_container"] {
        batch.add_chain(name, None);
    }
    for (name, kind, hook, priority) in [
        ("guard", "filter", Hook::Prerouting, -300),
        ("arrive", "nat", Hook::Prerouting, -100),
        ("local", "nat", Hook::Output, -100),
        ("leave", "nat", Hook::Postrouting, 100),
        ("forward", "filter", Hook::Forward, 0),
        ("input", "filter", Hook::Input, 0),
    ] {
        batch.add_chain(
            name,
            Some(Base {
                kind,
                hook,
                priority,
            }),
        );
    }
}

/// Where packets go: to published ports.
fn destinations(batch: &mut Batch) {
    /// RTN_LOCAL: transit traffic on a published port is never redirected (CVE-2025-67499).
    const LOCAL: Expression<'static> = Equal(&2_u32.to_ne_bytes());
    const TO_LOOPBACK: Expression<'static> = Payload(Header::Network, 16, 1, Register::FIRST);
    // The links' own guard does the same without these rules; this is for packets that took another way in.
    batch.add_rule(
        "guard",
        &[
            IN,
            Within("bridges"),
            FAMILY,
            IPV4,
            TO_LOOPBACK,
            Equal(&[127]),
            Count,
            DROP,
        ],
    );
    // 127.0.0.0/8 is the host's own: whoever comes from outside with it would be redirected before the kernel refuses it (moby#45610).
    batch.add_rule(
        "arrive",
        &[FAMILY, IPV4, TO_LOOPBACK, Equal(&[127]), RETURN],
    );
    for chain in ["arrive", "local"] {
        batch.add_rule(
            chain,
            &[
                DestinationKind(Seen::Everywhere),
                LOCAL,
                End(Verdict::Jump("publish")),
            ],
        );
    }
    let at = |offset, length| Payload(Header::Network, offset, length, Register::FIRST);
    let transport = |word| Meta(Key::Transport, Register::at(word));
    let port = |word| Payload(Header::Transport, 2, 2, Register::at(word));
    for (family, number, address, words) in [(IPV4, 2, at(16, 4), 1), (IPV6, 10, at(24, 16), 4)] {
        let (one, all) = if number == 2 {
            ("at4", "any4")
        } else {
            ("at6", "any6")
        };
        let to = Destination(number, Register::at(words));
        batch.add_rule(
            "publish",
            &[
                FAMILY,
                family,
                address,
                transport(words),
                port(words + 1),
                Map(one),
                to,
            ],
        );
        batch.add_rule(
            "publish",
            &[FAMILY, family, transport(0), port(1), Map(all), to],
        );
    }
}

/// Which address packets leave with.
fn sources(batch: &mut Batch) {
    const DNAT: [Expression<'static>; 3] = [
        Connection(Ct::Status),
        Mask(&0x20_u32.to_ne_bytes()),
        Differs(&0_u32.to_ne_bytes()),
    ];
    let loopback = Ipv6Addr::LOCALHOST.octets();
    // A container that reaches another of its bridge through the host must get its answers through the host too.
    let [a, b, c] = DNAT;
    batch.add_rule(
        "leave",
        &[a, b, c, IN, THEN_OUT, Within("same"), Masquerade],
    );
    // With `br_netfilter` such packets don't come through the host, and it is unknown here over which link they came: others get their answers through the bridge
    // then, but nobody takes packets that come from his own address.
    for (family, set, offsets, length, second) in [
        (IPV4, "self4", (12, 16), 4, 1),
        (IPV6, "self6", (8, 24), 16, 4),
    ] {
        let from = Payload(Header::Network, offsets.0, length, Register::FIRST);
        let to = Payload(Header::Network, offsets.1, length, Register::at(second));
        batch.add_rule(
            "leave",
            &[FAMILY, family, a, b, c, from, to, Within(set), Masquerade],
        );
    }
    // What comes from 127.0.0.1 must not arrive with that.
    let from_loopback = Payload(Header::Network, 12, 1, Register::FIRST);
    batch.add_rule(
        "leave",
        &[
            OUT,
            Within("bridges"),
            FAMILY,
            IPV4,
            from_loopback,
            Equal(&[127]),
            Masquerade,
        ],
    );
    let from_v6 = Payload(Header::Network, 8, 16, Register::FIRST);
    batch.add_rule(
        "leave",
        &[
            OUT,
            Within("bridges"),
            FAMILY,
            IPV6,
            from_v6,
            Equal(&loopback),
            Masquerade,
        ],
    );
    batch.add_rule("leave", &[OUT, Within("bridges"), RETURN]);
    batch.add_rule("leave", &[FAMILY, IPV4, IN, Map("source4"), Source(2)]);
    batch.add_rule("leave", &[FAMILY, IPV6, IN, Map("source6"), Source(10)]);
    batch.add_rule("leave", &[FAMILY, IPV4, IN, Within("nat4"), Masquerade]);
    batch.add_rule("leave", &[FAMILY, IPV6, IN, Within("nat6"), Masquerade]);
}

/// Who may pass.
fn passage(batch: &mut Batch, closed: Closed) {
    const NEW: [Expression<'static>; 3] = [
        Connection(Ct::State),
        Mask(&8_u32.to_ne_bytes()),
        Differs(&0_u32.to_ne_bytes()),
    ];
    // With `br_netfilter`, frames within a bridge come here too.
    batch.add_rule("forward", &[IN, THEN_OUT, Within("within"), ACCEPT]);
    for link in [IN, OUT] {
        batch.add_rule(
            "forward",
            &[
                link,
                Within("bridges"),
                TRANSPORT,
                Equal(&[6]),
                Payload(Header::Transport, 13, 1, Register::FIRST),
                Mask(&[6]),
                Equal(&[2]),
                RouteSegment,
                SegmentOrder,
                SetSegment,
            ],
        );
    }
    batch.add_rule(
        "forward",
        &[OUT, Within("bridges"), End(Verdict::Goto("to_container"))],
    );
    batch.add_rule(
        "forward",
        &[IN, Within("bridges"), End(Verdict::Goto("from_container"))],
    );
    close(batch, closed);
    let bits = |key, mask| [Connection(key), Mask(mask), Differs(&[0; 4])];
    for link in [IN, OUT] {
        batch.add_rule("to_container", &[link, Within("internal"), Count, DROP]);
    }
    // Established and related, and what was sent to a published port.
    for [a, b, c] in [
        bits(Ct::State, const { &6_u32.to_ne_bytes() }),
        bits(Ct::Status, const { &0x20_u32.to_ne_bytes() }),
    ] {
        batch.add_rule("to_container", &[a, b, c, ACCEPT]);
    }
    batch.add_rule("to_container", &[IN, THEN_OUT, Within("trusted"), ACCEPT]);
    direct(batch);
    batch.add_rule("to_container", &[Count, DROP]);
    batch.add_rule("from_container", &[IN, Within("internal"), Count, DROP]);
    // From an internal network, the host is reached at its address there only. Neighbour discovery is no new connection.
    let [a, b, c] = NEW;
    batch.add_rule(
        "input",
        &[
            IN,
            Within("internal"),
            a,
            b,
            c,
            DestinationKind(Seen::FromLink),
            Differs(&2_u32.to_ne_bytes()),
            Count,
            DROP,
        ],
    );
}

/// Keeps what is not ours from being forwarded. At the end of its chain, where everything of ours has been decided.
pub(crate) fn close(batch: &mut Batch, closed: Closed) {
    for (stop, family) in [(closed.v4, IPV4), (closed.v6, IPV6)] {
        if stop {
            batch.add_rule("forward", &[FAMILY, family, Count, DROP]);
        }
    }
}

fn direct(batch: &mut Batch) {
    for (family, open, ports, address, word) in [
        (
            IPV4,
            "open4",
            "direct4",
            Payload(Header::Network, 16, 4, Register::FIRST),
            1,
        ),
        (
            IPV6,
            "open6",
            "direct6",
            Payload(Header::Network, 24, 16, Register::FIRST),
            4,
        ),
    ] {
        batch.add_rule("to_container", &[FAMILY, family, OUT, Within(open), ACCEPT]);
        let transport = Meta(Key::Transport, Register::at(word));
        let port = Payload(Header::Transport, 2, 2, Register::at(word + 1));
        batch.add_rule(
            "to_container",
            &[
                FAMILY,
                family,
                address,
                transport,
                port,
                Within(ports),
                ACCEPT,
            ],
        );
    }
}

/// What a container may send: nothing in the name of another. An address that nobody has is not refused: a container may be a router, or share an address
/// with others by agreement (VRRP).
fn port(batch: &mut Batch) {
    let kind = |kind: &'static [u8]| [Meta(Key::EtherType, Register::FIRST), Equal(kind)];
    let [is_arp, arp] = kind(&[8, 6]);
    let [is_ip, ip] = kind(&[8, 0]);
    let [is_ip6, ip6] = kind(&[0x86, 0xdd]);
    let from = |word| Meta(Key::InName, Register::at(word));
    let network = |offset, length| Payload(Header::Network, offset, length, Register::FIRST);
    let link = Payload(Header::Link, 6, 6, Register::FIRST);
    let mut refuse = |before: &[Expression<'_>], field: Expression<'_>, word, own, known| {
        let mut rule = before.to_vec();
        rule.extend([
            field,
            from(word),
            NotWithin(own),
            field,
            Within(known),
            Count,
            DROP,
        ]);
        batch.add_rule("port", &rule);
    };
    refuse(&[], link, 2, "mac", "known_mac");
    // ARP says its sender's addresses again.
    refuse(&[is_arp, arp], network(8, 6), 2, "mac", "known_mac");
    refuse(&[is_arp, arp], network(14, 4), 1, "ip4", "known_ip4");
    refuse(&[is_ip, ip], network(12, 4), 1, "ip4", "known_ip4");
    refuse(&[is_ip6, ip6], network(8, 16), 4, "ip6", "known_ip6");
    let icmp6 = |kind: &'static [u8]| {
        let first = Payload(Header::Transport, 0, 1, Register::FIRST);
        [is_ip6, ip6, TRANSPORT, Equal(&[58]), first, Equal(kind)]
    };
    // A neighbour advertisement names its subject.
    let target = Payload(Header::Transport, 8, 16, Register::FIRST);
    refuse(&icmp6(&[136]), target, 4, "ip6", "known_ip6");
    // Router advertisements and redirects.
    for number in [&[134], &[137]] {
        let mut rule = icmp6(number).to_vec();
        rule.extend([Count, DROP]);
        batch.add_rule("port", &rule);
    }
    // Answers of DHCP servers, for IPv4 and IPv6.
    for source in [67_u16, 547] {
        let udp = [
            TRANSPORT,
            Equal(&[17]),
            Payload(Header::Transport, 0, 2, Register::FIRST),
            Equal(&source.to_be_bytes()),
            Count,
            DROP,
        ];
        batch.add_rule("port", &udp);
    }
}

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
pub(crate) fn link_local(mac: Mac) -> Ipv6Addr {
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

#[cfg(test)]
mod tests;
