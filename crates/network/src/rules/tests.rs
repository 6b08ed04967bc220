use std::collections::BTreeSet;

use super::elements::link_local;
use super::{BRIDGE, INET, of_binding, of_endpoint, of_network};
use crate::options::GatewayMode;
use crate::publish::{Binding, Ports, Protocol};
use crate::samples;
use crate::subnet::Mac;

fn binding(host_ip: &str, target: &str, first: u16, last: u16) -> Binding {
    Binding {
        protocol: Protocol::Udp,
        host_ip: host_ip.parse().unwrap(),
        host: Ports::new(first, last).unwrap(),
        target: target.parse().unwrap(),
        container_first: 53,
    }
}

#[test]
fn a_port_is_an_element_of_the_right_map() {
    for (host_ip, target, set, key, data) in [
        ("0.0.0.0", "10.0.0.2", "any4", 8, 8),
        ("192.0.2.1", "10.0.0.2", "at4", 12, 8),
        ("::", "fd00::2", "any6", 8, 20),
        ("2001:db8::1", "fd00::2", "at6", 24, 20),
    ] {
        let elements = of_binding(&binding(host_ip, target, 5300, 5302));
        let found = elements.of(set);
        assert_eq!(found.len(), 3, "{set}");
        assert_eq!(
            (found[0].key.len(), found[0].data.len()),
            (key, data),
            "{set}"
        );
        let port = &found[2].data[data - 4..];
        assert_eq!(port, [0, 55, 0, 0]);
    }
    let direct = of_binding(&binding("10.0.0.2", "10.0.0.2", 53, 53));
    assert_eq!(direct.of("direct4").len(), 1);
}

#[test]
fn what_a_network_is_decides_its_sets() {
    let mut network = samples::network("web", "10.5.0.0/24 fd00:5::/64");
    let sets = |network: &_| {
        let elements = of_network(network);
        let names = INET.iter().chain(BRIDGE).map(|set| set.name);
        names
            .filter(|name| !elements.of(name).is_empty())
            .collect::<Vec<_>>()
    };
    let known = ["known_mac", "known_ip4", "known_ip6"];
    let with_known = |sets: &[&'static str]| [sets, &known].concat();
    assert_eq!(
        sets(&network),
        with_known(&["bridges", "same", "within", "nat4", "nat6"])
    );
    network.options.icc = false;
    network.options.masquerade = false;
    assert_eq!(sets(&network), with_known(&["bridges", "same"]));
    network.internal = true;
    assert_eq!(sets(&network), with_known(&["bridges", "internal", "same"]));
    network.internal = false;
    network.options.masquerade = true;
    network.options.gateway_mode_v4 = GatewayMode::NatUnprotected;
    network.options.gateway_mode_v6 = GatewayMode::Routed;
    network.options.source_v4 = Some("192.0.2.7".parse().unwrap());
    assert_eq!(
        sets(&network),
        with_known(&["bridges", "same", "source4", "open4"])
    );
}

/// Elements of two endpoints never meet, so that taking one away leaves the other.
#[test]
fn every_endpoint_has_its_own_elements() {
    let network = samples::network("web", "10.5.0.0/24 fd00:5::/64");
    let mut seen = BTreeSet::new();
    for n in 2..50 {
        let elements = of_endpoint(&network, &samples::endpoint(&network, n));
        for one in elements.one_by_one() {
            for set in BRIDGE {
                for element in one.of(set.name) {
                    assert!(seen.insert((set.name, element.clone())), "{n} {}", set.name);
                }
            }
        }
    }
}

#[test]
fn link_local_addresses_follow_from_ethernet_ones() {
    let mac: Mac = "02:42:ac:11:00:02".parse().unwrap();
    assert_eq!(link_local(mac).to_string(), "fe80::42:acff:fe11:2");
}
