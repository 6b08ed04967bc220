//! Network devices that move into a container.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]

mod bundle;

use std::process::Command;

use bundle::Bundle;
use spec::runtime::{NamespaceKind, NetDevice};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}");
}

/// The witness is a program of the host's; the guest has none.
fn has_ip() -> bool {
    let found = Command::new("ip").arg("-V").output().is_ok();
    assert!(
        found || !testkit::sandbox::requires("peers"),
        "this test needs iproute2, and TARE_TEST_REQUIRE=peers forbids to skip it"
    );
    if !found {
        eprintln!("SKIP: there is no ip");
    }
    found
}

#[test]
fn a_device_moves_with_its_addresses_and_is_up() {
    sandboxed!();
    if !has_ip() {
        return;
    }
    // The sandbox has a network of its own; what is made there is gone with it.
    ip("link add mine0 type veth peer name peer0");
    ip("addr add 10.9.8.7/24 dev mine0");
    ip("link set mine0 up");
    ip("link set peer0 up");
    let mut bundle = Bundle::new("ip -o addr show dev inner1; ip -o link show inner1");
    let name = "inner1".to_owned();
    bundle
        .linux()
        .net_devices
        .insert("mine0".to_owned(), NetDevice { name });
    let out = bundle.run().succeeds();
    assert!(out.contains("10.9.8.7/24") && out.contains("UP"), "{out}");
    // It was the container's, and is gone with its namespace.
    for (device, text) in [("nosuch0", "nosuch0"), ("bad/name", "name")] {
        let mut bundle = Bundle::new("true");
        bundle
            .linux()
            .net_devices
            .insert(device.to_owned(), NetDevice::default());
        let error = bundle.run().fails(1);
        assert!(error.contains(text), "{error}");
    }
    let mut bundle = Bundle::new("true");
    bundle
        .linux()
        .net_devices
        .insert("lo".to_owned(), NetDevice::default());
    bundle
        .linux()
        .namespaces
        .retain(|n| n.kind != NamespaceKind::Network);
    bundle.linux().sysctl.clear();
    let error = bundle.run().fails(1);
    assert!(error.contains("without a network namespace"), "{error}");
}
