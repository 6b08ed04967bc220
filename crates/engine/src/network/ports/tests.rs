use std::collections::BTreeMap;

use super::{parse_port, wishes};
use crate::container::{Config, HostConfig, PortBinding};

fn host(bindings: &[(&str, &str, &str)]) -> HostConfig {
    let mut port_bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
    for (port, host_ip, host_port) in bindings {
        port_bindings
            .entry((*port).to_owned())
            .or_default()
            .push(PortBinding {
                host_ip: (*host_ip).to_owned(),
                host_port: (*host_port).to_owned(),
            });
    }
    HostConfig {
        port_bindings,
        ..HostConfig::default()
    }
}

fn shown(config: &Config, host: &HostConfig) -> Vec<String> {
    let wishes = wishes(config, host).unwrap();
    let show = |wish: &::network::Publish| {
        let ip = wish.host_ip.map(|ip| format!("{ip}:")).unwrap_or_default();
        let host = wish.host.map(|host| host.to_string()).unwrap_or_default();
        format!("{ip}{host}:{}/{}", wish.container, wish.protocol)
    };
    wishes.iter().map(show).collect()
}

#[test]
fn ports_are_read() {
    for (text, first, last) in [("80", 80, 80), ("80-90/udp", 80, 90), ("1/SCTP", 1, 1)] {
        let (ports, _) = parse_port(text).unwrap();
        assert_eq!((ports.first(), ports.last()), (first, last), "{text}");
    }
    for text in [
        "", "0", "+1", "90-80", "70000", "80/icmp", "80/", "a-b", "-",
    ] {
        assert!(parse_port(text).is_err(), "{text}");
    }
}

#[test]
fn neighbours_are_one_wish() {
    let all: Vec<(String, String)> = (0..10_000)
        .map(|n| (format!("{}/udp", 20_000 + n), (30_000 + n).to_string()))
        .collect();
    let bindings: Vec<_> = all
        .iter()
        .map(|(port, host)| (port.as_str(), "", host.as_str()))
        .collect();
    assert_eq!(
        shown(&Config::default(), &host(&bindings)),
        ["30000-39999:20000-29999/udp"]
    );
    let mixed = [
        ("80/tcp", "", "8080"),
        ("81/tcp", "", "8081"),
        ("82/tcp", "127.0.0.1", "8082"),
        ("83/tcp", "", "9000-9010"),
        ("84/tcp", "", ""),
        ("85/tcp", "", "8085"),
        ("86/udp", "", "8086"),
    ];
    assert_eq!(
        shown(&Config::default(), &host(&mixed)),
        [
            "8080-8081:80-81/tcp",
            "9000-9010:83/tcp",
            ":84/tcp",
            "8085:85/tcp",
            "127.0.0.1:8082:82/tcp",
            "8086:86/udp",
        ]
    );
}

#[test]
fn all_exposed_ports_are_published_where_nothing_else_is_said() {
    let config = Config {
        exposed_ports: ["80/tcp", "443/tcp", "53/udp"].map(str::to_owned).into(),
        ..Config::default()
    };
    let mut host = host(&[("443/tcp", "", "8443")]);
    assert_eq!(shown(&config, &host), ["8443:443/tcp"]);
    host.publish_all_ports = true;
    assert_eq!(
        shown(&config, &host),
        [":80/tcp", "8443:443/tcp", ":53/udp"]
    );
}

#[test]
fn what_is_no_port_is_refused() {
    for (port, ip, number) in [
        ("80/tcp", "localhost", "80"),
        ("80/tcp", "", "http"),
        ("80/tcp", "", "70000"),
        ("80-82/tcp", "", "8080-8081"),
    ] {
        assert!(
            wishes(&Config::default(), &host(&[(port, ip, number)])).is_err(),
            "{port} {ip} {number}"
        );
    }
}
