use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use proptest::prelude::*;
use spec::ContainerId;

use super::{Binding, Held, Ports, Probe, Protocol, Publish, decide};
use crate::options::GatewayMode;
use crate::{Error, Kind, Result, samples};

/// A host on which these ports are some program's.
#[derive(Default)]
struct Programs {
    busy: BTreeSet<u16>,
    asked: RefCell<Vec<SocketAddr>>,
}

impl Probe for Programs {
    fn free(&self, _: Protocol, address: SocketAddr) -> Result<()> {
        self.asked.borrow_mut().push(address);
        if self.busy.contains(&address.port()) {
            return Err(Error::conflict(format!("{address} is a program's")));
        }
        Ok(())
    }

    fn ephemeral(&self) -> Ports {
        Ports::new(40_000, 40_003).unwrap()
    }
}

fn wish(host: Option<(u16, u16)>, container: (u16, u16)) -> Publish {
    Publish {
        host_ip: None,
        host: host.map(|(a, b)| Ports::new(a, b).unwrap()),
        container: Ports::new(container.0, container.1).unwrap(),
        protocol: Protocol::Tcp,
    }
}

fn run(wishes: &[Publish], held: &[Held], probe: &Programs) -> Result<Vec<Binding>> {
    let network = samples::network("web", "10.5.0.0/24 fd00:5::/64");
    decide(
        wishes,
        &network,
        &samples::endpoint(&network, 2),
        held,
        probe,
    )
}

fn said(bindings: &[Binding]) -> Vec<String> {
    let one = |b: &Binding| {
        format!(
            "{} {} > {} {}",
            b.host_ip, b.host, b.target, b.container_first
        )
    };
    bindings.iter().map(one).collect()
}

#[test]
fn both_families_get_the_same_port() {
    let free = Programs::default();
    let decided = run(&[wish(Some((8080, 8080)), (80, 80))], &[], &free).unwrap();
    assert_eq!(
        said(&decided),
        ["0.0.0.0 8080 > 10.5.0.2 80", ":: 8080 > fd00:5::2 80"]
    );
    let decided = run(&[wish(None, (80, 80)), wish(None, (81, 82))], &[], &free).unwrap();
    assert_eq!(said(&decided)[0], "0.0.0.0 40000 > 10.5.0.2 80");
    assert_eq!(said(&decided)[2], "0.0.0.0 40001-40002 > 10.5.0.2 81");
}

#[test]
fn the_first_free_port_of_a_range_is_taken() {
    let busy = Programs {
        busy: [8000, 8001].into(),
        ..Programs::default()
    };
    let decided = run(&[wish(Some((8000, 8009)), (80, 80))], &[], &busy).unwrap();
    assert_eq!(said(&decided)[0], "0.0.0.0 8002 > 10.5.0.2 80");
    let all = Programs {
        busy: (40_000..=40_003).collect(),
        ..Programs::default()
    };
    assert_eq!(
        run(&[wish(None, (80, 80))], &[], &all).unwrap_err().kind,
        Kind::Full
    );
    let error = run(&[wish(Some((8000, 8002)), (80, 81))], &[], &busy).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
}

#[test]
fn whoever_has_a_port_is_named() {
    let free = Programs::default();
    let binding = run(&[wish(Some((8080, 8080)), (80, 80))], &[], &free).unwrap()[0];
    let held = [Held {
        binding,
        container: ContainerId::from_bytes([9; 32]),
        name: "web".to_owned(),
    }];
    let error = run(&[wish(Some((8000, 8100)), (1000, 1100))], &held, &free).unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(error.to_string().contains("container web"), "{error}");
    let twice = [
        wish(Some((81, 81)), (80, 80)),
        wish(Some((81, 81)), (90, 90)),
    ];
    assert_eq!(run(&twice, &[], &free).unwrap_err().kind, Kind::Conflict);
    let busy = Programs {
        busy: [81].into(),
        ..Programs::default()
    };
    assert!(
        run(&twice[..1], &[], &busy)
            .unwrap_err()
            .to_string()
            .contains("a program's")
    );
}

#[test]
fn where_nothing_leads_in_nothing_is_published() {
    let free = Programs::default();
    let wishes = [wish(Some((8080, 8080)), (80, 80))];
    let mut network = samples::network("web", "10.5.0.0/24");
    let endpoint = samples::endpoint(&network, 2);
    network.options.host_binding = Some("127.0.0.1".parse().unwrap());
    let decided = decide(&wishes, &network, &endpoint, &[], &free).unwrap();
    assert_eq!(said(&decided), ["127.0.0.1 8080 > 10.5.0.2 80"]);
    let v6 = Publish {
        host_ip: Some("::1".parse().unwrap()),
        ..wishes[0].clone()
    };
    assert_eq!(
        decide(&[v6], &network, &endpoint, &[], &free)
            .unwrap_err()
            .kind,
        Kind::Invalid
    );
    network.options.gateway_mode_v4 = GatewayMode::Routed;
    let decided = decide(&wishes, &network, &endpoint, &[], &free).unwrap();
    assert_eq!(said(&decided), ["10.5.0.2 80 > 10.5.0.2 80"]);
    network.options.gateway_mode_v4 = GatewayMode::Isolated;
    assert_eq!(
        decide(&wishes, &network, &endpoint, &[], &free).unwrap(),
        []
    );
    network.options.gateway_mode_v4 = GatewayMode::Nat;
    network.internal = true;
    assert_eq!(
        decide(&wishes, &network, &endpoint, &[], &free).unwrap(),
        []
    );
}

proptest! {
    /// Whatever is wished, no two bindings want the same port, and every one was asked for.
    #[test]
    fn decisions_never_meet(wishes in prop::collection::vec((1u16..60, 0u16..8, any::<bool>()), 1..12), busy in prop::collection::btree_set(1u16..70, 0..10)) {
        let programs = Programs { busy, ..Programs::default() };
        let wishes: Vec<Publish> = wishes
            .into_iter()
            .map(|(first, more, one)| wish(Some((first, first + more)), if one { (80, 80) } else { (80, 80 + more) }))
            .collect();
        if let Ok(decided) = run(&wishes, &[], &programs) {
            for (n, one) in decided.iter().enumerate() {
                prop_assert!(decided[n + 1..].iter().all(|other| !one.conflicts(other)));
                prop_assert!((one.host.first()..=one.host.last()).all(|port| !programs.busy.contains(&port)));
            }
        }
    }
}
