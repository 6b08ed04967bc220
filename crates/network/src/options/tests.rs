use std::collections::BTreeMap;

use super::{GatewayMode, MacvlanMode, Options};
use crate::network::Driver;

fn parse(driver: Driver, options: &[(&str, &str)]) -> crate::Result<Options> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Options::parse(driver, &options)
}

#[test]
fn dockers_names_are_understood() {
    let options = parse(
        Driver::Bridge,
        &[
            ("com.docker.network.bridge.name", "br7"),
            ("com.docker.network.bridge.enable_icc", "false"),
            ("com.docker.network.bridge.enable_ip_masquerade", "0"),
            ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
            ("com.docker.network.bridge.gateway_mode_ipv6", "routed"),
            (
                "com.docker.network.bridge.trusted_host_interfaces",
                "eth0:wg0",
            ),
            ("com.docker.network.driver.mtu", "1400"),
            ("com.docker.network.host_ipv4", "192.0.2.7"),
        ],
    )
    .unwrap();
    assert_eq!(options.bridge.as_deref(), Some("br7"));
    assert!(!options.icc && !options.masquerade);
    assert_eq!(options.host_binding, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(options.gateway_mode_v4, GatewayMode::Nat);
    assert_eq!(options.gateway_mode_v6, GatewayMode::Routed);
    assert_eq!(options.trusted_interfaces, ["eth0", "wg0"]);
    assert_eq!(options.mtu, Some(1400));
    assert_eq!(options.source_v4, Some("192.0.2.7".parse().unwrap()));
    let options = parse(
        Driver::Macvlan,
        &[("parent", "eth0.7"), ("macvlan_mode", "vepa")],
    )
    .unwrap();
    assert_eq!(
        (options.parent.as_deref(), options.macvlan),
        (Some("eth0.7"), MacvlanMode::Vepa)
    );
}

#[test]
fn nothing_is_ignored_in_silence() {
    for (driver, name, value) in [
        (Driver::Bridge, "com.docker.network.bridge.nmae", "x"),
        (
            Driver::Bridge,
            "com.docker.network.bridge.enable_icc",
            "maybe",
        ),
        (
            Driver::Bridge,
            "com.docker.network.bridge.name",
            "sixteen-bytes-xx",
        ),
        (Driver::Bridge, "com.docker.network.bridge.name", "a/b"),
        (Driver::Bridge, "com.docker.network.bridge.name", ".."),
        (Driver::Bridge, "com.docker.network.driver.mtu", "67"),
        (Driver::Bridge, "com.docker.network.driver.mtu", "65536"),
        (Driver::Bridge, "parent", "eth0"),
        (Driver::Macvlan, "macvlan_mode", "bridged"),
        (Driver::Ipvlan, "macvlan_mode", "bridge"),
    ] {
        assert!(parse(driver, &[(name, value)]).is_err(), "{name}={value}");
    }
}
