use std::collections::BTreeMap;

use ::network::{Driver, Endpoint, Mac, Network, NetworkId, Options, Pool};
use spec::ContainerId;

use super::{host_gateway, parse_link, resolution};
use crate::container::HostConfig;

fn network(name: &str, subnet: &str, gateway: &str) -> Network {
    Network {
        id: NetworkId::from_bytes([name.as_bytes()[0]; 32]),
        name: name.to_owned(),
        driver: Driver::Bridge,
        pools: vec![Pool {
            subnet: subnet.parse().unwrap(),
            range: None,
            gateway: Some(gateway.parse().unwrap()),
            aux: BTreeMap::new(),
        }],
        internal: false,
        attachable: false,
        options: Options::default(),
        raw_options: BTreeMap::new(),
        labels: BTreeMap::new(),
        created_at: 0,
    }
}

fn end(network: &Network, v4: &str) -> Endpoint {
    Endpoint {
        network: network.id.clone(),
        container: ContainerId::from_bytes([1; 32]),
        interface: "eth0".to_owned(),
        mac: Mac::new([2, 0x42, 0, 0, 0, 2]),
        v4: Some(v4.parse().unwrap()),
        v6: None,
        extra: Vec::new(),
        aliases: Vec::new(),
        gateway_priority: 0,
        driver_opts: BTreeMap::new(),
    }
}

const OF_HOST: &str =
    "# as the host has it\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch example.com\n";

#[test]
fn the_hosts_servers_are_asked_as_the_host_asks_and_ones_own_from_within() {
    let web = network("web", "10.1.0.0/24", "10.1.0.1");
    let ends = [(web.clone(), end(&web, "10.1.0.2"))];
    let usual = resolution(&HostConfig::default(), &ends, OF_HOST).unwrap();
    let shown: Vec<String> = usual
        .servers
        .iter()
        .map(|s| s.address.to_string())
        .collect();
    assert_eq!(shown, ["127.0.0.53:53", "192.0.2.1:53"]);
    assert!(usual.servers.iter().all(|s| !s.inside));
    let host = HostConfig {
        dns: vec!["10.1.0.9".to_owned()],
        ..HostConfig::default()
    };
    let own = resolution(&host, &ends, OF_HOST).unwrap();
    assert_eq!(own.servers.len(), 1);
    assert!(own.servers[0].inside);
}

#[test]
fn nothing_leaves_where_nothing_leads_out() {
    let mut web = network("web", "10.1.0.0/24", "10.1.0.1");
    web.internal = true;
    let ends = [(web.clone(), end(&web, "10.1.0.2"))];
    let resolution = resolution(&HostConfig::default(), &ends, OF_HOST).unwrap();
    assert_eq!(resolution.servers, []);
    // The host itself is there, at its address on that network.
    assert_eq!(
        host_gateway(&ends),
        ["10.1.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
    assert!(resolution.hosts.contains_key("host.docker.internal"));
}

#[test]
fn the_network_that_leads_out_is_asked_first() {
    let (mut a, b) = (
        network("a", "10.1.0.0/24", "10.1.0.1"),
        network("b", "10.2.0.0/24", "10.2.0.1"),
    );
    a.internal = true;
    let ends = [
        (a.clone(), end(&a, "10.1.0.2")),
        (b.clone(), end(&b, "10.2.0.2")),
    ];
    let resolution = resolution(&HostConfig::default(), &ends, OF_HOST).unwrap();
    let scopes: Vec<&str> = resolution
        .scopes
        .iter()
        .map(|s| s.network.as_str())
        .collect();
    assert_eq!(scopes, ["b", "a"]);
    assert_eq!(resolution.servers.len(), 2);
}

#[test]
fn links_are_read_as_users_and_descriptions_write_them() {
    for (text, container, alias) in [
        ("db", "db", "db"),
        ("db:data", "db", "data"),
        ("/db:/web/data", "db", "data"),
    ] {
        assert_eq!(parse_link(text).unwrap(), (container, alias), "{text}");
    }
    for text in ["", ":", "db:", ":data", "db:a b", "a:b:c", "db:a\nb"] {
        assert!(parse_link(text).is_err(), "{text:?}");
    }
}
