//! The table `bridge`: nobody speaks for an address that another container or the host has: Ethernet, ARP, IPv4, IPv6 and neighbour discovery; no router
//! advertisements, redirects or DHCP answers come from containers (CVE-2020-13401, CVE-2020-10749, CVE-2025-52889).

use kernel::netlink::expression::Expression::{
    Count, End, Equal, Meta, NotWithin, Payload, Within,
};
use kernel::netlink::expression::{Expression, Header, Meta as Key, Register, Verdict};
use kernel::netlink::nft::{Base, Batch, Hook};

const IN: Expression<'static> = Meta(Key::InName, Register::FIRST);
const DROP: Expression<'static> = End(Verdict::Drop);
const TRANSPORT: Expression<'static> = Meta(Key::Transport, Register::FIRST);

/// Its chains and rules.
pub(super) fn fill(batch: &mut Batch) {
    let hook = Base {
        kind: "filter",
        hook: Hook::Prerouting,
        priority: -300,
    };
    batch.add_chain("port", None);
    batch.add_chain("frames", Some(hook));
    // Bridges of others are none of our business.
    batch.add_rule("frames", &[IN, Within("ports"), End(Verdict::Jump("port"))]);
    port(batch);
}

/// What a container may send: nothing in the name of another. An address that nobody has is not refused: a container may be a router, or share an address
/// with others by agreement (VRRP).
fn port(batch: &mut Batch) {
    let kind = |kind: &'static [u8]| [Meta(Key::EtherType, Register::FIRST), Equal(kind)];
    let [is_arp, arp] = kind(&[8, 6]);
    let [is_ip, ip] = kind(&[8, 0]);
    let [is_ip6, ip6] = kind(&[0x86, 0xdd]);
    // A tag (IEEE 802.1Q, 802.1ad) is not seen here; one below it is, and hides what is in the frame, though whoever receives it takes two tags of no VLAN off
    // (as in CVE-2021-27853).
    for tag in [&[0x81, 0], &[0x88, 0xa8]] {
        let [is_tag, tag] = kind(tag);
        batch.add_rule("port", &[is_tag, tag, Count, DROP]);
    }
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
