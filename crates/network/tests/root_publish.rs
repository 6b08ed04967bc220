//! Published ports, used and attacked from a LAN, from the host, from containers: security.md's J1 to J5, J9, J12, J14.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod world;

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use network::fabric::Desired;
use world::{HOST, World, ask, ask_udp, network, run, serve, serve_udp, wish};

const SOON: Duration = Duration::from_secs(3);
const NEVER: Duration = Duration::from_millis(250);

#[test]
fn a_published_port_leads_in_from_everywhere() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    filter_bridges("0");
    // An answer must come back through the host, so a neighbour is seen with the host's address.
    from_everywhere(&World::new(&sandbox), ["10.5.0.1", "fd00:5::1"]);
}

/// As Docker and Kubernetes have it, frames that a bridge passes on go through the rules for IP (`br_netfilter`).
#[test]
fn so_it_does_where_bridges_are_filtered() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    if !filter_bridges("1") {
        testkit::note("SKIP this kernel has no br_netfilter");
        return;
    }
    from_everywhere(&World::new(&sandbox), ["10.5.0.3", "fd00:5::3"]);
}

fn filter_bridges(value: &str) -> bool {
    let set = format!(
        "if [ -d /proc/sys/net/bridge ]; then sysctl -qw net.bridge.bridge-nf-call-iptables={value} net.bridge.bridge-nf-call-ip6tables={value}; echo yes; fi"
    );
    !run(&set).is_empty()
}

fn from_everywhere(world: &World, [v4, v6]: [&str; 2]) {
    let before = world.snapshot();
    let web = network("web", "10.5.0.0/24 fd00:5::/64");
    let other = network("other", "10.6.0.0/24 fd00:6::/64");
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "[::]:80");
    server.place.serve("web", "[::]:81");
    let sibling = world.start(&web, 3, &[]);
    let stranger = world.start(&other, 2, &[]);

    // From outside, whose address is kept.
    assert_eq!(
        world.lan.ask("192.0.2.1:8080").as_deref(),
        Some("web 192.0.2.9")
    );
    assert_eq!(
        world.lan.ask("[2001:db8::1]:8080").as_deref(),
        Some("web 2001:db8::9")
    );
    // From the host, at its address and at its loopback addresses.
    assert_eq!(
        ask("192.0.2.1:8080".parse().unwrap(), SOON).as_deref(),
        Some("web 192.0.2.1")
    );
    assert_eq!(
        ask("127.0.0.1:8080".parse().unwrap(), SOON).as_deref(),
        Some("web 10.5.0.1")
    );
    assert!(ask("[2001:db8::1]:8080".parse().unwrap(), SOON).is_some());
    // From the container itself, from another of its network, and from another network.
    assert_eq!(
        server.place.ask("192.0.2.1:8080").as_deref(),
        Some("web 10.5.0.1")
    );
    assert_eq!(
        sibling.place.ask("192.0.2.1:8080"),
        Some(format!("web {v4}"))
    );
    assert_eq!(
        sibling.place.ask("[2001:db8::1]:8080"),
        Some(format!("web {v6}"))
    );
    assert_eq!(
        stranger.place.ask("192.0.2.1:8080").as_deref(),
        Some("web 10.6.0.2")
    );
    // Its own network reaches all of it, by its address.
    assert_eq!(
        sibling.place.ask("10.5.0.2:81").as_deref(),
        Some("web 10.5.0.3")
    );
    assert_eq!(
        sibling.place.ask("[fd00:5::2]:81").as_deref(),
        Some("web fd00:5::3")
    );
    // Another network does not, nor does the LAN: not what is published either (moby#14041).
    world
        .lan
        .run("ip route add 10.5.0.0/24 via 192.0.2.1; ip -6 route add fd00:5::/64 via 2001:db8::1");
    for port in [80, 81] {
        for place in [&world.lan, &stranger.place] {
            place.asks_in_vain(&format!("10.5.0.2:{port}"));
            place.asks_in_vain(&format!("[fd00:5::2]:{port}"));
        }
    }
    world.lan.asks_in_vain("192.0.2.1:81");
    // The way out, with the host's address.
    world.lan.serve("lan", "[::]:90");
    assert_eq!(
        server.place.ask("192.0.2.9:90").as_deref(),
        Some("lan 192.0.2.1")
    );
    assert_eq!(
        server.place.ask("[2001:db8::9]:90").as_deref(),
        Some("lan 2001:db8::1")
    );
    // The egress link's MTU.
    assert!(server.place.run("ip link show eth0").contains("mtu 1450"));

    world
        .fabric
        .detach(&[(&web, &server.endpoint)], &server.bindings)
        .unwrap();
    world.lan.asks_in_vain("192.0.2.1:8080");
    let nothing = || Ok(Desired::default());
    world.fabric.reapply(nothing).unwrap();
    assert_eq!(world.snapshot(), before);
    assert_eq!(world.fabric.reapply(nothing).unwrap(), [""; 0]);
}

/// moby#45610, CVE-2020-8558, CVE-2025-67499.
#[test]
fn what_is_published_at_localhost_is_local() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let server = world.start(&web, 2, &["127.0.0.1:8080:80"]);
    server.place.serve("web", "0.0.0.0:80");
    assert_eq!(
        ask("127.0.0.1:8080".parse().unwrap(), SOON).as_deref(),
        Some("web 10.5.0.1")
    );
    world.lan.asks_in_vain("192.0.2.1:8080");
    // A neighbour that sends 127.0.0.1 to the host.
    world.lan.run(
        "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local
         ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via 192.0.2.1",
    );
    world.lan.asks_in_vain("127.0.0.1:8080");
    // So does a container, and reaches nothing of the host either: with our rules, and with none.
    serve("host", "127.0.0.1:7000".parse().unwrap());
    assert!(ask("127.0.0.1:7000".parse().unwrap(), SOON).is_some());
    server.place.run(
        "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local
         ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via 10.5.0.1",
    );
    server.place.asks_in_vain("127.0.0.1:7000");
    // Nor does one that came when the host's loopback addresses were routed already.
    let later = world.start(&web, 3, &[]);
    later.place.run(
        "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local
         ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via 10.5.0.1",
    );
    later.place.asks_in_vain("127.0.0.1:7000");
    run("nft flush ruleset");
    server.place.asks_in_vain("127.0.0.1:7000");
    later.place.asks_in_vain("127.0.0.1:7000");
    for link in ["all", "default", "lan0"] {
        assert!(run(&format!("sysctl net.ipv4.conf.{link}.route_localnet")).ends_with("= 0\n"));
    }
}

/// What is only on its way through the host is not redirected, though its port is published.
#[test]
fn transit_is_not_touched() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    run(
        "sysctl -qw net.ipv4.ip_forward=1; ip link add far0 type veth peer name far1; ip addr add 198.51.100.1/24 dev far0; ip link set far0 up",
    );
    let far = world::Place::new();
    let thread = far.within(|| rustix::thread::gettid().as_raw_nonzero().get());
    run(&format!("ip link set far1 netns {thread}"));
    far.run("ip addr add 198.51.100.9/24 dev far1; ip link set far1 up; ip route add default via 198.51.100.1");
    world.lan.run("ip route add 198.51.100.0/24 via 192.0.2.1");
    far.serve("far", "0.0.0.0:8080");
    let web = network("web", "10.5.0.0/24");
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "0.0.0.0:80");
    assert_eq!(
        world.lan.ask("198.51.100.9:8080").as_deref(),
        Some("far 192.0.2.9")
    );
    assert_eq!(
        world.lan.ask("192.0.2.1:8080").as_deref(),
        Some("web 192.0.2.9")
    );
    assert_eq!(
        far.ask("198.51.100.1:8080").as_deref(),
        Some("web 198.51.100.9")
    );
}

/// Where we have switched forwarding on, the host is no router for others.
#[test]
fn forwarding_is_for_containers_only() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    run(
        "ip link add far0 type veth peer name far1; ip addr add 198.51.100.1/24 dev far0; ip link set far0 up",
    );
    let far = world::Place::new();
    let thread = far.within(|| rustix::thread::gettid().as_raw_nonzero().get());
    run(&format!("ip link set far1 netns {thread}"));
    far.run("ip addr add 198.51.100.9/24 dev far1; ip link set far1 up; ip route add default via 198.51.100.1");
    world.lan.run("ip route add 198.51.100.0/24 via 192.0.2.1");
    far.serve("far", "0.0.0.0:8080");
    world.lan.asks_in_vain("198.51.100.9:8080");
    let web = network("web", "10.5.0.0/24 fd00:5::/64");
    let server = world.start(&web, 2, &[]);
    assert!(
        server
            .warnings
            .iter()
            .any(|w| w.message.contains("ip_forward")),
        "{:?}",
        server.warnings
    );
    assert!(run("sysctl net.ipv4.ip_forward").ends_with("= 1\n"));
    world.lan.asks_in_vain("198.51.100.9:8080");
    assert_eq!(
        server.place.ask("198.51.100.9:8080").as_deref(),
        Some("far 198.51.100.1")
    );
    assert_eq!(world.start(&web, 3, &[]).warnings, []);
    world.fabric.reapply(|| Ok(Desired::default())).unwrap();
    assert!(run("sysctl net.ipv4.ip_forward").ends_with("= 0\n"));
    assert!(run("sysctl net.ipv6.conf.lan0.accept_ra").ends_with("= 1\n"));
}

#[test]
fn udp_senders_do_not_keep_old_ways() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let first = world.start(&web, 2, &[]);
    let socket = first
        .place
        .within(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    serve_udp("first", socket);
    let second = world.start(&web, 3, &[]);
    serve_udp(
        "second",
        second
            .place
            .within(|| UdpSocket::bind("0.0.0.0:53").unwrap()),
    );
    // The same socket asks all along, from before the port was published.
    let client = world
        .lan
        .within(|| UdpSocket::bind("192.0.2.9:40000").unwrap());
    assert_eq!(ask_udp(&client, "192.0.2.1:5300", NEVER), None);
    let publish = |container: &world::Container| {
        network::publish::decide(
            &[wish("5300:53/udp")],
            &web,
            &container.endpoint,
            &[],
            &world.fabric,
        )
        .unwrap()
    };
    let bindings = publish(&first);
    world.fabric.publish(&web, &bindings).unwrap();
    assert_eq!(
        ask_udp(&client, "192.0.2.1:5300", SOON).as_deref(),
        Some("first 192.0.2.9")
    );
    world.fabric.unpublish(&bindings).unwrap();
    world.fabric.unpublish(&bindings).unwrap();
    assert_eq!(ask_udp(&client, "192.0.2.1:5300", NEVER), None);
    let bindings = publish(&second);
    world.fabric.publish(&web, &bindings).unwrap();
    assert_eq!(
        ask_udp(&client, "192.0.2.1:5300", SOON).as_deref(),
        Some("second 192.0.2.9")
    );
    world
        .fabric
        .detach(&[(&web, &second.endpoint)], &bindings)
        .unwrap();
    assert_eq!(ask_udp(&client, "192.0.2.1:5300", NEVER), None);
}

#[test]
fn ten_thousand_ports_are_published_and_taken_back() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let server = world.start(&web, 2, &["20000-29999:20000-29999/udp"]);
    serve_udp(
        "last",
        server
            .place
            .within(|| UdpSocket::bind("0.0.0.0:29999").unwrap()),
    );
    serve_udp(
        "first",
        server
            .place
            .within(|| UdpSocket::bind("0.0.0.0:20000").unwrap()),
    );
    let client = world
        .lan
        .within(|| UdpSocket::bind("192.0.2.9:40000").unwrap());
    assert_eq!(
        ask_udp(&client, "192.0.2.1:29999", SOON).as_deref(),
        Some("last 192.0.2.9")
    );
    assert_eq!(
        ask_udp(&client, "192.0.2.1:20000", SOON).as_deref(),
        Some("first 192.0.2.9")
    );
    assert_eq!(ask_udp(&client, "192.0.2.1:30000", NEVER), None);
    world
        .fabric
        .detach(&[(&web, &server.endpoint)], &server.bindings)
        .unwrap();
    assert_eq!(ask_udp(&client, "192.0.2.1:29999", NEVER), None);
    let desired = Desired {
        networks: vec![web],
        ..Desired::default()
    };
    let left = world.fabric.leftovers(&desired).unwrap();
    assert_eq!(left, [format!("link {}", server.endpoint.host_link())]);
}

#[test]
fn the_holder_of_a_port_is_named() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24");
    let endpoint = world::endpoint(&web, 2);
    serve("host", "0.0.0.0:8080".parse().unwrap());
    for port in ["8080:80", "127.0.0.1:8080:80", "192.0.2.1:8080:80"] {
        let refused = network::publish::decide(&[wish(port)], &web, &endpoint, &[], &world.fabric);
        let error = refused.unwrap_err();
        assert_eq!(error.kind, network::Kind::Conflict);
        let me = format!("(pid {})", std::process::id());
        assert!(error.to_string().contains(&me), "{error}");
    }
    let error = network::publish::decide(
        &[wish("192.0.2.77:80:80")],
        &web,
        &endpoint,
        &[],
        &world.fabric,
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("no address 192.0.2.77"),
        "{error}"
    );
    assert!(
        network::publish::decide(&[wish("8081:80")], &web, &endpoint, &[], &world.fabric).is_ok()
    );
}

/// Docker's rules refuse what is not Docker's, but for what is let pass in its chain for others; other policies are said.
#[test]
fn other_firewalls_are_passed_or_named() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    run("nft -f - <<'X'
table ip filter {
    chain DOCKER-USER {
        ip saddr 192.0.2.66 counter drop
        counter return
    }
    chain FORWARD {
        type filter hook forward priority filter; policy drop;
        counter jump DOCKER-USER
    }
}
X");
    let before = world.snapshot();
    let web = network("web", "10.5.0.0/24");
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "0.0.0.0:80");
    assert!(
        server
            .warnings
            .iter()
            .all(|w| !w.message.contains("FORWARD")),
        "{:?}",
        server.warnings
    );
    assert_eq!(
        world.lan.ask("192.0.2.1:8080").as_deref(),
        Some("web 192.0.2.9")
    );
    world.start(&web, 3, &[]);
    let rules = run("nft list chain ip filter DOCKER-USER");
    assert_eq!(rules.matches("accept").count(), 2, "{rules}");
    let order: Vec<usize> = ["drop", "accept", "return"]
        .iter()
        .filter_map(|w| rules.find(w))
        .collect();
    assert!(order.is_sorted() && order.len() == 3, "{rules}");
    // What the administrator refuses there stays refused.
    world.lan.run(
        "ip addr add 192.0.2.66/24 dev lan1; ip route replace 192.0.2.1/32 dev lan1 src 192.0.2.66",
    );
    world.lan.asks_in_vain("192.0.2.1:8080");
    world.fabric.reapply(|| Ok(Desired::default())).unwrap();
    let counters = |text: &str| {
        text.lines()
            .filter(|l| !l.contains("counter"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(counters(&world.snapshot()), counters(&before));

    run(
        "nft flush chain ip filter FORWARD; nft delete chain ip filter DOCKER-USER; nft add chain ip filter ufw-before-forward",
    );
    let server = world.start(&web, 2, &["8080:80"]);
    assert!(
        server
            .warnings
            .iter()
            .any(|w| w.message.contains("ufw") && w.hint.is_some()),
        "{:?}",
        server.warnings
    );
    let _ = (HOST, server.place.namespace.as_fd());
}
