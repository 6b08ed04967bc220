//! Who reaches whom, and who may speak for whom: security.md's J6 to J9.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod world;

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use network::{Driver, Options};
use rustix::net::{AddressFamily, SendFlags, SocketType, sendto, socket};
use world::{World, ask, network, run, serve};

const SOON: Duration = Duration::from_secs(3);

#[test]
fn containers_may_be_kept_apart() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    // Where bridged frames are filtered as packets, the way over the host to a published port is not open to them: see the next test.
    run(
        "sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 2>/dev/null || true",
    );
    let mut web = network("web", "10.5.0.0/24 fd00:5::/64");
    web.options.icc = false;
    let one = world.start(&web, 2, &["8080:80"]);
    let two = world.start(&web, 3, &[]);
    one.place.serve("one", "[::]:80");
    two.place.asks_in_vain("10.5.0.2:80");
    two.place.asks_in_vain("[fd00:5::2]:80");
    // Published ports and the world are for all; and frames through the host are not a way around.
    assert_eq!(
        two.place.ask("192.0.2.1:8080").as_deref(),
        Some("one 10.5.0.1")
    );
    two.place.run("ip route add 10.5.0.2/32 via 10.5.0.1");
    two.place.asks_in_vain("10.5.0.2:80");
    world.lan.serve("lan", "0.0.0.0:90");
    assert!(two.place.ask("192.0.2.9:90").is_some());
}

#[test]
fn containers_stay_apart_where_bridges_are_filtered() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    run(
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 2>/dev/null || true",
    );
    let mut web = network("web", "10.5.0.0/24 fd00:5::/64");
    web.options.icc = false;
    let one = world.start(&web, 2, &["8080:80"]);
    let two = world.start(&web, 3, &[]);
    one.place.serve("one", "[::]:80");
    two.place.asks_in_vain("10.5.0.2:80");
    two.place.asks_in_vain("[fd00:5::2]:80");
    assert_eq!(
        world.lan.ask("192.0.2.1:8080").as_deref(),
        Some("one 192.0.2.9")
    );
}

#[test]
fn nothing_leaves_an_internal_network() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let mut inside = network("inside", "10.5.0.0/24 fd00:5::/64");
    inside.internal = true;
    let open = network("open", "10.6.0.0/24 fd00:6::/64");
    let one = world.start(&inside, 2, &[]);
    let two = world.start(&inside, 3, &[]);
    let outer = world.start(&open, 2, &["8080:80"]);
    one.place.serve("one", "[::]:80");
    outer.place.serve("outer", "[::]:80");
    assert_eq!(
        two.place.ask("10.5.0.2:80").as_deref(),
        Some("one 10.5.0.3")
    );
    assert_eq!(
        two.place.ask("[fd00:5::2]:80").as_deref(),
        Some("one fd00:5::3")
    );
    assert_eq!(
        ask("10.5.0.2:80".parse().unwrap(), SOON).as_deref(),
        Some("one 10.5.0.1")
    );
    world.lan.serve("lan", "[::]:90");
    serve("host", "[::]:91".parse().unwrap());
    // It has no route; and if it makes itself one, nothing passes.
    assert_eq!(
        one.place
            .run("ip route show default; ip -6 route show default"),
        ""
    );
    one.place
        .run("ip route add default via 10.5.0.1; ip -6 route add default via fd00:5::1");
    for address in [
        "192.0.2.9:90",
        "[2001:db8::9]:90",
        "192.0.2.1:91",
        "192.0.2.1:8080",
        "10.5.0.1:8080",
        "10.6.0.1:91",
        "10.6.0.2:80",
        "[fd00:6::2]:80",
    ] {
        one.place.asks_in_vain(address);
    }
    assert_eq!(
        one.place.ask("10.5.0.1:91").as_deref(),
        Some("host 10.5.0.2")
    );
    outer.place.asks_in_vain("10.5.0.2:80");
    assert!(run("nft list table inet tare-test").contains("counter packets"));
}

#[test]
fn a_network_without_ipv6_has_none() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let one = world.start(&web, 2, &[]);
    assert_eq!(one.place.run("ip -6 addr show dev eth0"), "");
    assert_eq!(run(&format!("ip -6 addr show dev {}", web.bridge())), "");
}

/// An address that another has is not spoken for; what nobody has may be.
#[test]
fn nobody_speaks_for_another() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24 fd00:5::/64");
    let victim = world.start(&web, 2, &[]);
    let peer = world.start(&web, 3, &[]);
    let thief = world.start(&web, 4, &[]);
    victim.place.serve("victim", "[::]:80");
    thief.place.serve("thief", "[::]:80");
    // It takes the addresses, and announces them: first asking, as ARP and neighbour discovery do.
    thief.place.run(
        "ip addr add 10.5.0.2/32 dev eth0; ip -6 addr add fd00:5::2/128 dev eth0 nodad
         sysctl -qw net.ipv4.conf.all.arp_announce=0 net.ipv4.conf.eth0.arp_notify=1
         ip link set eth0 down; ip link set eth0 up",
    );
    for _ in 0..3 {
        assert_eq!(
            peer.place.ask("10.5.0.2:80").as_deref(),
            Some("victim 10.5.0.3")
        );
        assert_eq!(
            peer.place.ask("[fd00:5::2]:80").as_deref(),
            Some("victim fd00:5::3")
        );
        peer.place.run("ip neigh flush all");
    }
    // Its packets in another's name arrive nowhere, nor does a link with another's Ethernet address.
    let heard = peer
        .place
        .within(|| UdpSocket::bind("10.5.0.3:7000").unwrap());
    heard
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let send = |from: &'static str| {
        thief.place.within(move || {
            UdpSocket::bind(from)
                .unwrap()
                .send_to(b"x", "10.5.0.3:7000")
                .unwrap();
        });
        heard.recv(&mut [0; 8]).is_ok()
    };
    assert!(send("10.5.0.4:7001"));
    assert!(!send("10.5.0.2:7001"));
    thief.place.run("ip addr add 10.5.0.99/32 dev eth0");
    assert!(send("10.5.0.99:7001"), "an address that nobody has");
    // What comes from the port of DHCP servers.
    assert!(!send("10.5.0.4:67"));
    thief.place.run(&format!(
        "ip link set eth0 down; ip link set eth0 address {}; ip link set eth0 up",
        victim.endpoint.mac
    ));
    assert!(!send("10.5.0.4:7001"));
    let dropped = run("nft list chain bridge tare-test port");
    assert!(
        dropped.contains("counter packets 1 ") || dropped.contains("counter packets 2 "),
        "{dropped}"
    );
}

/// Frames below the rules: two tags of VLAN 0 (CVE-2021-27853), and those that a bridge keeps for itself, from which it learns all the same.
#[test]
fn frames_do_not_slip_under_the_rules() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let victim = world.start(&web, 2, &[]);
    let peer = world.start(&web, 3, &[]);
    let thief = world.start(&web, 4, &[]);
    victim.place.serve("victim", "0.0.0.0:80");
    let send = |to: &str, from: &str, rest: &str| {
        thief.place.run(&format!(
            "python3 - <<'EOF'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
s.send(bytes.fromhex('{to}{from}{rest}'.replace(':', '')))
EOF"
        ));
    };
    let mac = |container: &world::Container| container.endpoint.mac.to_string();
    // An LLDP frame in the name of the victim; who asks the victim must reach it.
    assert!(peer.place.ask("10.5.0.2:80").is_some());
    send("01:80:c2:00:00:0e", &mac(&victim), "88cc0000");
    assert_eq!(
        peer.place.ask("10.5.0.2:80").as_deref(),
        Some("victim 10.5.0.3")
    );
    // A datagram from the victim's address to the peer's port 7000.
    let heard = peer
        .place
        .within(|| UdpSocket::bind("10.5.0.3:7000").unwrap());
    heard
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let datagram = "450000 1d 0000 0000 40 11 66c2 0a050002 0a050003 1b58 1b58 0009 0000 78";
    let datagram = datagram.replace(' ', "");
    let hears = |tags: &str| {
        send(&mac(&peer), &mac(&thief), &format!("{tags}0800{datagram}"));
        heard.recv(&mut [0; 8]).is_ok()
    };
    for tags in ["", "81000000", "8100000081000000", "88a8000081000000"] {
        assert!(!hears(tags), "{tags}");
    }
    run("nft flush ruleset");
    assert!(hears(""), "so this shows something");
    assert!(hears("8100000081000000"));
}

/// CVE-2020-13401.
#[test]
fn router_advertisements_of_containers_are_not_heard() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24 fd00:5::/64");
    let peer = world.start(&web, 2, &[]);
    let thief = world.start(&web, 3, &[]);
    let advertise = || {
        thief.place.within(|| {
            let icmp = rustix::net::Protocol::from_raw(58.try_into().unwrap());
            let socket = socket(AddressFamily::INET6, SocketType::RAW, Some(icmp)).unwrap();
            rustix::net::sockopt::set_ipv6_multicast_hops(&socket, 255).unwrap();
            // Type 134, hop limit 64, a router for 1,800 seconds, the prefix 2001:db8:bad::/64 on the link and for addresses.
            let mut packet = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
            packet.extend([3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            packet.extend([0x20, 1, 0xd, 0xb8, 0xb, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let index = rustix::net::netdevice::name_to_index(&socket, "eth0").unwrap();
            let all = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, index);
            sendto(&socket, &packet, SendFlags::empty(), &all).unwrap();
        });
        std::thread::sleep(Duration::from_millis(100));
    };
    // Until duplicate address detection is over, there is no address to send from.
    thief
        .place
        .run("while ip -6 addr show dev eth0 tentative | grep -q fe80; do sleep 0.05; done");
    advertise();
    let addresses = || {
        peer.place
            .run("ip -6 addr show dev eth0; ip -6 route show default proto ra")
    };
    assert!(!addresses().contains("bad"), "{}", addresses());
    assert!(!run("ip -6 addr; ip -6 route").contains("bad"));
    // Without our rules it is heard by the container: so this shows something. The host never listens.
    run("nft flush ruleset");
    advertise();
    assert!(addresses().contains("bad"), "{}", addresses());
    assert!(!run("ip -6 addr; ip -6 route").contains("bad"));
}

#[test]
fn a_macvlan_is_a_neighbour_of_the_lan() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let mut flat = network("flat", "192.0.2.0/24 2001:db8::/64");
    flat.driver = Driver::Macvlan;
    flat.pools[0].gateway = Some("192.0.2.9".parse().unwrap());
    flat.pools[1].gateway = Some("2001:db8::9".parse().unwrap());
    flat.options = Options {
        parent: Some("lan0".to_owned()),
        ..Options::default()
    };
    let one = world.start(&flat, 20, &[]);
    one.place.serve("one", "[::]:80");
    assert_eq!(
        world.lan.ask("192.0.2.20:80").as_deref(),
        Some("one 192.0.2.9")
    );
    assert_eq!(
        world.lan.ask("[2001:db8::14]:80").as_deref(),
        Some("one 2001:db8::9")
    );
    assert!(
        one.place
            .run("ip route; ip -6 route")
            .contains("default via 192.0.2.9")
    );
    flat.options.parent = Some("absent".to_owned());
    let place = world::Place::new();
    let endpoint = world::endpoint(&flat, 21);
    let refused = world
        .fabric
        .attach(&[(&flat, &endpoint)], &[], place.namespace.as_fd());
    assert!(refused.unwrap_err().to_string().contains("no link absent"));
    // Without a parent, they have each other.
    let mut alone = network("alone", "10.7.0.0/24");
    alone.driver = Driver::Macvlan;
    let (one, two) = (world.start(&alone, 2, &[]), world.start(&alone, 3, &[]));
    one.place.serve("one", "0.0.0.0:80");
    assert_eq!(
        two.place.ask("10.7.0.2:80").as_deref(),
        Some("one 10.7.0.3")
    );
    world.fabric.remove_network(&alone).unwrap();
    assert!(!run("ip link").contains("tr-"));
}

#[test]
fn ipvlan_works_or_says_that_the_kernel_has_none() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let mut flat = network("flat", "192.0.2.0/24");
    flat.driver = Driver::Ipvlan;
    flat.pools[0].gateway = Some("192.0.2.9".parse().unwrap());
    flat.options.parent = Some("lan0".to_owned());
    let place = world::Place::new();
    let endpoint = world::endpoint(&flat, 20);
    match world
        .fabric
        .attach(&[(&flat, &endpoint)], &[], place.namespace.as_fd())
    {
        Ok(_) => {
            place.serve("one", "0.0.0.0:80");
            assert_eq!(
                world.lan.ask("192.0.2.20:80").as_deref(),
                Some("one 192.0.2.9")
            );
        }
        Err(error) => {
            testkit::note("SKIP this kernel has no ipvlan");
            assert_eq!(error.kind, network::Kind::Unsupported, "{error}");
        }
    }
}
