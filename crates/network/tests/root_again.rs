//! Everything again, live changes, and the end of it all: faults T26, T43, T49, T50.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod world;

use std::os::fd::AsFd;
use std::time::Duration;

use network::fabric::Desired;
use network::{Driver, Endpoint, Kind, Network};
use world::{Container, World, ask, endpoint, network, run};

const SOON: Duration = Duration::from_secs(3);

fn desired(networks: &[&Network], containers: &[&Container]) -> Desired {
    Desired {
        networks: networks.iter().map(|n| (*n).clone()).collect(),
        endpoints: containers.iter().map(|c| c.endpoint.clone()).collect(),
        bindings: containers.iter().flat_map(|c| c.bindings.clone()).collect(),
    }
}

/// T49.
#[test]
fn what_others_break_is_made_again() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/24 fd00:5::/64");
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "[::]:80");
    let all = desired(&[&web], &[&server]);
    let works = |after: &str| {
        assert_eq!(
            world.lan.ask("192.0.2.1:8080").as_deref(),
            Some("web 192.0.2.9")
        );
        assert_eq!(
            world.lan.ask("[2001:db8::1]:8080").as_deref(),
            Some("web 2001:db8::9")
        );
        let got = ask("127.0.0.1:8080".parse().unwrap(), SOON);
        assert!(got.is_some(), "after {after}");
        assert_eq!(world.fabric.leftovers(&all).unwrap(), [""; 0]);
    };
    works("nothing");
    let rules = run("nft -s list ruleset");
    let watch = kernel::netlink::nft::Watch::open().unwrap();
    for (damage, done) in [
        ("nft flush ruleset", "made the rules again"),
        ("nft delete table bridge tare-test", "made the rules again"),
        ("ip link del $BRIDGE", "made the link"),
        ("ip link set $BRIDGE down", "brought"),
        ("ip link set $PORT nomaster", "put the link"),
        ("nft flush map inet tare-test any4", ""),
        ("true", ""),
    ] {
        let damage = damage
            .replace("$BRIDGE", &web.bridge())
            .replace("$PORT", &server.endpoint.host_link());
        run(&damage);
        let heard = watch.removed(&world.fabric.table()).unwrap();
        assert_eq!(heard, done.contains("rules"), "{damage}");
        let said = world.fabric.reapply(|| Ok(all.clone())).unwrap();
        let right = if done.is_empty() {
            said.is_empty()
        } else {
            said.iter().any(|s| s.starts_with(done))
        };
        assert!(right, "{damage}: {said:?}");
        assert_eq!(run("nft -s list ruleset"), rules, "{damage}");
        works(&damage);
        // To make the rules again is no damage: a watcher does not call itself.
        assert!(!watch.removed(&world.fabric.table()).unwrap(), "{damage}");
    }
}

/// T50: what a killed engine has left is found by its tag, and nothing else is touched.
#[test]
fn what_nobody_wants_is_swept() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    run(
        "ip link add tr-foreign type bridge; ip link add tvforeign type veth peer name tvother; nft add table inet tare; nft add table inet theirs",
    );
    let before = world.snapshot();
    let (web, gone) = (
        network("web", "10.5.0.0/24"),
        network("gone", "10.6.0.0/24 fd00:6::/64"),
    );
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "0.0.0.0:80");
    // As if killed: state knows nothing of these.
    let dead = world.start(&web, 3, &["8081:80", "9000-9009:80/udp"]);
    let _also = world.start(&gone, 2, &["8082:80"]);
    let all = desired(&[&web], &[&server]);
    let left = world.fabric.leftovers(&all).unwrap();
    assert!(
        left.contains(&format!("link {}", gone.bridge())),
        "{left:?}"
    );
    assert!(
        left.contains(&format!("link {}", dead.endpoint.host_link())),
        "{left:?}"
    );
    assert!(left.iter().any(|l| l.contains("any4")), "{left:?}");
    let swept = world.fabric.reapply(|| Ok(all.clone())).unwrap();
    assert_eq!(swept, left);
    assert_eq!(world.fabric.leftovers(&all).unwrap(), [""; 0]);
    assert_eq!(
        world.lan.ask("192.0.2.1:8080").as_deref(),
        Some("web 192.0.2.9")
    );
    assert!(!dead.place.run("ip link").contains("eth0"));
    world.fabric.reapply(|| Ok(Desired::default())).unwrap();
    assert_eq!(world.snapshot(), before);
}

/// T26.
#[test]
fn networks_are_joined_and_left_live() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let before = world.snapshot();
    let (web, back) = (
        network("web", "10.5.0.0/24 fd00:5::/64"),
        network("back", "10.6.0.0/24"),
    );
    let server = world.start(&web, 2, &["8080:80"]);
    server.place.serve("web", "[::]:80");
    let other = world.start(&back, 3, &[]);
    other.place.asks_in_vain("10.6.0.2:80");
    let second = Endpoint {
        interface: "eth1".to_owned(),
        gateway_priority: 5,
        ..endpoint(&back, 2)
    };
    let first = (&web, &server.endpoint);
    for _ in 0..5 {
        let namespace = server.place.namespace.as_fd();
        world
            .fabric
            .attach(&[first, (&back, &second)], &[], namespace)
            .unwrap();
        assert_eq!(
            other.place.ask("10.6.0.2:80").as_deref(),
            Some("web 10.6.0.3")
        );
        let routes = server
            .place
            .run("ip route show default; ip -6 route show default");
        assert!(
            routes.contains("default via 10.6.0.1 dev eth1")
                && routes.contains("default via fd00:5::1 dev eth0"),
            "{routes}"
        );
        assert_eq!(routes.matches("10.").count(), 1, "{routes}");
        world
            .fabric
            .disconnect((&back, &second), &[], &[first], namespace)
            .unwrap();
        let routes = server.place.run("ip route show default");
        assert!(
            routes.starts_with("default via 10.5.0.1 dev eth0"),
            "{routes}"
        );
        other.place.asks_in_vain("10.6.0.2:80");
        assert_eq!(
            world.lan.ask("192.0.2.1:8080").as_deref(),
            Some("web 192.0.2.9")
        );
    }
    assert!(
        !world.fabric.release_network(&web, || Ok(true)).unwrap(),
        "a container is on it"
    );
    let all = desired(&[&web, &back], &[&server, &other]);
    assert_eq!(world.fabric.leftovers(&all).unwrap(), [""; 0]);
    world.fabric.detach(&[first], &server.bindings).unwrap();
    world
        .fabric
        .detach(&[(&back, &other.endpoint)], &[])
        .unwrap();
    // Namespaces end a moment after their last user; the server here holds its own.
    run(&format!("ip link del {}", server.endpoint.host_link()));
    drop((server, other));
    for network in [&web, &back] {
        let end = std::time::Instant::now() + SOON;
        while !world.fabric.release_network(network, || Ok(true)).unwrap() {
            assert!(std::time::Instant::now() < end, "{}", run("ip link"));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!world.fabric.is_up(network).unwrap());
    }
    assert_eq!(world.snapshot(), before);
}

/// Whoever comes first after a flush, on whatever network, hears that others need their rules.
#[test]
fn a_new_network_notices_that_rules_are_gone() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let (web, new) = (network("web", "10.5.0.0/24"), network("new", "10.6.0.0/24"));
    let first = world.fabric.ensure_network(&web).unwrap();
    assert!(!first.rules_were_gone);
    run("nft flush ruleset");
    assert!(world.fabric.ensure_network(&new).unwrap().rules_were_gone);
    run("nft flush ruleset");
    let place = world::Place::new();
    let endpoint = endpoint(&web, 2);
    let attached = world
        .fabric
        .attach(&[(&web, &endpoint)], &[], place.namespace.as_fd());
    assert!(attached.unwrap().rules_were_gone);
}

/// The links of a macvlan's containers are in their namespaces, and would end with their parent.
#[test]
fn a_parent_stays_for_who_lives_on_it() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let before = world.snapshot();
    let mut flat = network("flat", "10.7.0.0/24");
    flat.driver = Driver::Macvlan;
    let one = world.start(&flat, 2, &[]);
    assert!(!world.fabric.release_network(&flat, || Ok(true)).unwrap());
    assert!(one.place.run("ip link").contains("eth0"));
    // What fails half way takes its link out of the namespace again, and the networks that it made.
    let new = network("new", "10.8.0.0/24");
    let (second, third) = (
        Endpoint {
            interface: "eth1".to_owned(),
            ..endpoint(&flat, 3)
        },
        Endpoint {
            interface: "no/name".to_owned(),
            ..endpoint(&new, 3)
        },
    );
    let refused = world.fabric.attach(
        &[(&flat, &second), (&new, &third)],
        &[],
        one.place.namespace.as_fd(),
    );
    assert!(refused.is_err());
    assert!(!one.place.run("ip link").contains("eth1"));
    assert!(!world.fabric.is_up(&new).unwrap());
    assert!(world.fabric.release_network(&flat, || Ok(false)).unwrap());
    assert_eq!(world.snapshot(), before);
}

/// What can't be made whole is not made at all.
#[test]
fn a_failed_attach_leaves_nothing() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let (web, bad) = (network("web", "10.5.0.0/24"), network("bad", "10.6.0.0/24"));
    let server = world.start(&web, 2, &[]);
    let all = desired(&[&web], &[&server]);
    run(&format!(
        "ip link add {} type veth peer name xx",
        bad.bridge()
    ));
    let place = world::Place::new();
    let (one, two) = (
        endpoint(&web, 3),
        Endpoint {
            interface: "eth1".to_owned(),
            ..endpoint(&bad, 3)
        },
    );
    let refused = world
        .fabric
        .attach(&[(&web, &one), (&bad, &two)], &[], place.namespace.as_fd());
    assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    assert_eq!(world.fabric.leftovers(&all).unwrap(), [""; 0]);
    // The same address twice, and a name that the kernel does not take.
    let wrong = Endpoint {
        interface: "no/name".to_owned(),
        ..endpoint(&web, 4)
    };
    assert!(
        world
            .fabric
            .attach(&[(&web, &wrong)], &[], place.namespace.as_fd())
            .is_err()
    );
    assert_eq!(world.fabric.leftovers(&all).unwrap(), [""; 0]);
    assert_eq!(server.place.run("ip -o link | wc -l").trim(), "2");
}

/// T43: a bridge has room for 1,023.
#[test]
fn a_full_bridge_says_so() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let world = World::new(&sandbox);
    let web = network("web", "10.5.0.0/16");
    world.fabric.ensure_network(&web).unwrap();
    let bridge = web.bridge();
    let mut batch = String::new();
    for n in 0..1023 {
        batch.push_str(&format!(
            "link add x{n} master {bridge} type veth peer name y{n}\n"
        ));
    }
    let file = world.run.path().join("batch");
    std::fs::File::create(&file)
        .and_then(|mut f| std::io::Write::write_all(&mut f, batch.as_bytes()))
        .unwrap();
    run(&format!("ip -batch {}", file.display()));
    let place = world::Place::new();
    let refused = world
        .fabric
        .attach(&[(&web, &endpoint(&web, 2))], &[], place.namespace.as_fd());
    let error = refused.unwrap_err();
    assert_eq!(error.kind, Kind::Full, "{error}");
    assert!(
        error.hint.is_some() && error.to_string().contains("web"),
        "{error}"
    );
}
