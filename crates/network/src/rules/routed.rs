//! The table `inet`: what the host passes on between its links.

use std::net::Ipv6Addr;

use kernel::netlink::expression::Expression::{
    Connection, Count, Destination, DestinationKind, Differs, End, Equal, Map, Mask, Masquerade,
    Meta, Payload, RouteSegment, SegmentOrder, SetSegment, Source, Within,
};
use kernel::netlink::expression::{
    Connection as Ct, Expression, Header, Meta as Key, Register, Seen, Verdict,
};
use kernel::netlink::nft::{Base, Batch, Hook};

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

/// Its chains and rules.
pub(super) fn fill(batch: &mut Batch, closed: Closed) {
    chains(batch);
    destinations(batch);
    sources(batch);
    passage(batch, closed);
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
    // ::1 has no way to a container and back (there is no `route_localnet` for IPv6): refused at once there, callers go on to 127.0.0.1.
    let loopback = Ipv6Addr::LOCALHOST.octets();
    let to_v6 = Payload(Header::Network, 24, 16, Register::FIRST);
    batch.add_rule("local", &[FAMILY, IPV6, to_v6, Equal(&loopback), RETURN]);
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
