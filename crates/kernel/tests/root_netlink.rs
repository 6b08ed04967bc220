//! Links, rules and connections in a network namespace of the test's own; `ip` and `nft` are the witnesses.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start commands as witnesses, and a step that fails is a test that fails"
)]

use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use kernel::Errno;
use kernel::namespace::{self, Kind};
use kernel::netlink::expression::{Connection, Expression, Header, Meta, Register, Seen, Verdict};
use kernel::netlink::nft::{self, Base, Batch, Bytes, Element, Family, Field, Hook, Set, Watch};
use kernel::netlink::route::{self, LinkLocal, NewLink, NoGateway, PortSettings, State};
use kernel::netlink::{Socket, Topic, loopback_guard, loopback_up, take_port};

fn said(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(
        out.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn link(name: &str) -> NewLink<'_> {
    NewLink {
        name,
        mac: None,
        mtu: Some(1400),
        group: 77,
        master: None,
        state: State::Up,
    }
}

#[test]
fn a_pair_is_born_in_two_namespaces() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let here = Socket::open(Topic::Route).unwrap();
    here.request("bridge", vec![link("br0").bridge()]).unwrap();
    let bridge = route::link(&here, "br0").unwrap().unwrap();
    assert_eq!(
        (bridge.kind.as_str(), bridge.group, bridge.mtu),
        ("bridge", 77, 1400)
    );
    let there = std::thread::spawn(|| {
        namespace::unshare(&[Kind::Net]).unwrap();
        loopback_up().unwrap();
        (
            namespace::open_own(Kind::Net).unwrap(),
            Socket::open(Topic::Route).unwrap(),
        )
    });
    let (namespace, there) = there.join().unwrap();
    let peer = NewLink {
        mac: Some([2, 0x42, 10, 0, 0, 2]),
        group: 0,
        ..link("eth0")
    };
    let pair = NewLink {
        master: Some(bridge.index),
        state: State::Down,
        ..link("v0")
    };
    let mut messages = vec![pair.veth(&peer, Some(namespace.as_fd()))];
    messages.extend(route::raise("v0", LinkLocal::None));
    here.request("pair", messages).unwrap();
    let again = here.request("pair", vec![pair.veth(&peer, Some(namespace.as_fd()))]);
    assert_eq!(again.unwrap_err().errno(), Errno::EXIST);
    let inside = route::link(&there, "eth0").unwrap().unwrap();
    assert_eq!(inside.mac, Some([2, 0x42, 10, 0, 0, 2]));
    assert!(route::link(&here, "eth0").unwrap().is_none());
    let gateway = "10.0.0.1".parse().unwrap();
    there
        .request(
            "addresses",
            vec![
                route::add_address(inside.index, "10.0.0.2".parse().unwrap(), 24),
                route::add_address(inside.index, "fd00::2".parse().unwrap(), 64),
                route::set_state(inside.index, State::Up),
                route::default_route(inside.index, Ok(gateway)),
                route::default_route(inside.index, Ok("fd00::1".parse().unwrap())),
            ],
        )
        .unwrap();
    let routes = route::routes(&there).unwrap();
    let out = routes
        .iter()
        .filter(|r| r.prefix == 0 && r.metric != u32::MAX);
    let mut hops: Vec<_> = out.filter_map(|r| r.gateway).collect();
    hops.sort();
    assert_eq!(hops, [gateway, "fd00::1".parse().unwrap()]);
    let addresses = route::addresses(&there).unwrap();
    assert!(
        addresses
            .iter()
            .any(|a| a.address == "fd00::2".parse::<std::net::IpAddr>().unwrap())
    );
    there
        .request("route", vec![route::remove_default_route(NoGateway::V4)])
        .unwrap();
    let port = route::link(&here, "v0").unwrap().unwrap();
    assert_eq!(port.state, State::Up);
    let local = |a: &route::Address| a.index == port.index;
    assert!(!route::addresses(&here).unwrap().iter().any(local));
    assert_eq!(port.master, Some(bridge.index));
    let settings = PortSettings {
        isolated: true,
        hairpin: true,
    };
    here.request("port", vec![route::set_port(port.index, settings)])
        .unwrap();
    assert!(said("ip", &["-d", "link", "show", "v0"]).contains("isolated on"));
    here.request("link", vec![route::delete_link(port.index)])
        .unwrap();
    assert!(route::link(&there, "eth0").unwrap().is_none());
}

const MAP: Set = Set {
    name: "ports",
    key: &[Field::Ipv4, Field::Protocol, Field::Port],
    data: &[Field::Ipv4, Field::Port],
};
const LINKS: Set = Set {
    name: "links",
    key: &[Field::Interface],
    data: &[],
};

fn port(number: u16) -> Element {
    let key = Bytes::new()
        .part(&[192, 0, 2, 1])
        .part(&[6])
        .part(&number.to_be_bytes());
    let data = Bytes::new()
        .part(&[10, 0, 0, 2])
        .part(&80_u16.to_be_bytes());
    Element {
        key: key.done(),
        data: data.done(),
    }
}

fn table() -> Batch {
    let mut batch = Batch::new(Family::Inet, "mine");
    batch.create_table();
    batch.add_set(&MAP);
    batch.add_set(&LINKS);
    let base = |kind, hook, priority| {
        Some(Base {
            kind,
            hook,
            priority,
        })
    };
    batch.add_chain("dnat", base("nat", Hook::Prerouting, -100));
    batch.add_chain("forward", base("filter", Hook::Forward, 0));
    batch.add_chain("post", base("nat", Hook::Postrouting, 100));
    batch.add_chain("other", None);
    batch.add_rule(
        "dnat",
        &[
            Expression::Meta(Meta::Family, Register::FIRST),
            Expression::Equal(&[2]),
            Expression::DestinationKind(Seen::Everywhere),
            Expression::Equal(&2_u32.to_ne_bytes()),
            Expression::Payload(Header::Network, 16, 4, Register::FIRST),
            Expression::Meta(Meta::Transport, Register::at(1)),
            Expression::Payload(Header::Transport, 2, 2, Register::at(2)),
            Expression::Map("ports"),
            Expression::Destination(2, Register::at(1)),
        ],
    );
    batch.add_rule(
        "forward",
        &[
            Expression::Connection(Connection::State),
            Expression::Mask(&6_u32.to_ne_bytes()),
            Expression::Differs(&0_u32.to_ne_bytes()),
            Expression::End(Verdict::Accept),
        ],
    );
    batch.add_rule(
        "forward",
        &[
            Expression::Meta(Meta::OutName, Register::FIRST),
            Expression::Within("links"),
            Expression::Count,
            Expression::End(Verdict::Goto("other")),
        ],
    );
    batch.add_rule(
        "forward",
        &[
            Expression::Meta(Meta::Transport, Register::FIRST),
            Expression::Equal(&[6]),
            Expression::Payload(Header::Transport, 13, 1, Register::FIRST),
            Expression::Mask(&[6]),
            Expression::Equal(&[2]),
            Expression::RouteSegment,
            Expression::SegmentOrder,
            Expression::SetSegment,
        ],
    );
    batch.add_rule("post", &[Expression::Masquerade]);
    batch
}

#[test]
fn rules_are_what_nft_reads() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let socket = Socket::open(Topic::Netfilter).unwrap();
    table().commit(&socket).unwrap();
    assert_eq!(table().commit(&socket).unwrap_err().errno(), Errno::EXIST);
    let mut batch = Batch::new(Family::Inet, "mine");
    batch.add_elements("ports", &[port(8080)]);
    let link = Element {
        key: Bytes::new().interface("br0").done(),
        data: Vec::new(),
    };
    batch.add_elements("links", std::slice::from_ref(&link));
    batch.commit(&socket).unwrap();
    let listed = said("nft", &["list", "table", "inet", "mine"]);
    for line in [
        "elements = { 192.0.2.1 . tcp . 8080 : 10.0.0.2 . 80 }",
        "elements = { \"br0\" }",
        "fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @ports",
        "ct state established,related accept",
        "oifname @links counter packets 0 bytes 0 goto other",
        "tcp option maxseg size set rt mtu",
        "type nat hook postrouting priority srcnat; policy accept;",
        "masquerade",
    ] {
        assert!(listed.contains(line), "no {line:?} in\n{listed}");
    }
    assert_eq!(
        nft::elements(&socket, Family::Inet, "mine", "links").unwrap(),
        [link]
    );
    assert!(
        nft::chain(&socket, Family::Inet, "mine", "forward")
            .unwrap()
            .unwrap()
            .accepts
    );
    assert!(
        nft::chain(&socket, Family::Inet, "mine", "nothing")
            .unwrap()
            .is_none()
    );
    assert_eq!(
        nft::rules(&socket, Family::Inet, "mine", "forward")
            .unwrap()
            .len(),
        3
    );
}

/// One change that is refused undoes those before it; ten thousand go in one batch.
#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let socket = Socket::open(Topic::Netfilter).unwrap();
    table().commit(&socket).unwrap();
    let elements = || {
        nft::elements(&socket, Family::Inet, "mine", "ports")
            .unwrap()
            .len()
    };
    let mut batch = Batch::new(Family::Inet, "mine");
    batch.add_elements("ports", &[port(1), port(2)]);
    batch.delete_elements("ports", &[port(3)]);
    assert_eq!(batch.commit(&socket).unwrap_err().errno(), Errno::NOENT);
    assert_eq!(elements(), 0);
    let many: Vec<Element> = (1..=10_000).map(port).collect();
    let mut batch = Batch::new(Family::Inet, "mine");
    batch.add_elements("ports", &many);
    batch.commit(&socket).unwrap();
    assert_eq!(elements(), 10_000);
    let mut batch = Batch::new(Family::Inet, "mine");
    batch.delete_elements("ports", &many);
    batch.commit(&socket).unwrap();
    assert_eq!(elements(), 0);
}

#[test]
fn the_removal_of_rules_is_heard() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let socket = Socket::open(Topic::Netfilter).unwrap();
    let watch = Watch::open().unwrap();
    table().commit(&socket).unwrap();
    assert!(!watch.removed("mine").unwrap());
    said("nft", &["add", "table", "inet", "theirs"]);
    said("nft", &["delete", "table", "inet", "theirs"]);
    assert!(!watch.removed("mine").unwrap());
    said("nft", &["flush", "ruleset"]);
    assert!(watch.removed("mine").unwrap());
    assert!(!watch.removed("mine").unwrap());
}

#[test]
fn a_port_that_is_taken_is_not_given_twice() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    loopback_up().unwrap();
    for protocol in [6, 17] {
        let any = "0.0.0.0:7000".parse().unwrap();
        let held = take_port(protocol, any).unwrap();
        let taken = take_port(protocol, "127.0.0.1:7000".parse().unwrap());
        assert_eq!(taken.unwrap_err().errno(), Errno::ADDRINUSE);
        take_port(protocol, "[::]:7000".parse().unwrap()).unwrap();
        drop(held);
        take_port(protocol, any).unwrap();
    }
    let absent = take_port(6, "192.0.2.99:7000".parse().unwrap());
    assert_eq!(absent.unwrap_err().errno(), Errno::ADDRNOTAVAIL);
}

/// With `route_localnet` on and no rule anywhere, a neighbour still does not reach what listens on 127.0.0.1 (CVE-2020-8558).
#[test]
fn the_guard_keeps_loopback_addresses_out() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    loopback_up().unwrap();
    let (namespace, neighbour) = neighbour();
    let here = Socket::open(Topic::Route).unwrap();
    let pair = link("v0").veth(&link("v1"), Some(namespace.as_fd()));
    here.request("pair", vec![pair]).unwrap();
    let index = route::link(&here, "v0").unwrap().unwrap().index;
    let address = route::add_address(index, "10.9.0.1".parse().unwrap(), 24);
    here.request("address", vec![address]).unwrap();
    said("sysctl", &["-qw", "net.ipv4.conf.v0.route_localnet=1"]);
    let server = UdpSocket::bind("127.0.0.9:7001").unwrap();
    server
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    neighbour(Box::new(|| {
        said(
            "sh",
            &[
                "-ec",
                "ip addr add 10.9.0.2/24 dev v1; ip link set v1 up
            ip route del local 127.0.0.0/8 dev lo table local; ip route add 127.0.0.9 via 10.9.0.1
            sysctl -qw net.ipv4.conf.v1.route_localnet=1",
            ],
        );
    }));
    let ask = || {
        neighbour(Box::new(|| {
            let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
            socket.send_to(b"hello", "127.0.0.9:7001").unwrap();
        }));
        server.recv(&mut [0; 16])
    };
    assert!(
        ask().is_ok(),
        "without the guard it is reached: so this test shows something"
    );
    let guard = loopback_guard().unwrap();
    let messages = route::ingress_program(index, guard.as_fd(), "tare_loopback");
    here.request("guard", messages.into()).unwrap();
    assert!(ask().is_err());
    let open = UdpSocket::bind("10.9.0.1:7002").unwrap();
    open.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    neighbour(Box::new(|| {
        let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
        socket.send_to(b"hello", "10.9.0.1:7002").unwrap();
    }));
    assert!(open.recv(&mut [0; 16]).is_ok());
}

type Work = Box<dyn FnOnce() + Send>;

/// Another network namespace: its descriptor, and how to do something there.
fn neighbour() -> (OwnedFd, impl Fn(Work)) {
    let (work, todo) = mpsc::channel::<Work>();
    let (done, finished) = mpsc::channel();
    let (fd, namespace) = mpsc::channel();
    std::thread::spawn(move || {
        namespace::unshare(&[Kind::Net]).unwrap();
        loopback_up().unwrap();
        fd.send(namespace::open_own(Kind::Net).unwrap()).unwrap();
        for work in todo {
            work();
            done.send(()).unwrap();
        }
    });
    (namespace.recv().unwrap(), move |one| {
        work.send(one).unwrap();
        finished.recv().unwrap();
    })
}
