#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;

use ::network::Protocol;

use super::*;

fn wish(host: Option<(u16, u16)>, container: (u16, u16)) -> Publish {
    Publish {
        host_ip: None,
        host: host.map(|(a, b)| Ports::new(a, b).unwrap()),
        container: Ports::new(container.0, container.1).unwrap(),
        protocol: Protocol::Tcp,
    }
}

fn binding(first: u16, last: u16, inside: u16) -> Binding {
    Binding {
        protocol: Protocol::Tcp,
        host_ip: Ipv4Addr::UNSPECIFIED.into(),
        host: Ports::new(first, last).unwrap(),
        target: Ipv4Addr::new(172, 17, 0, 2).into(),
        container_first: inside,
    }
}

#[test]
fn a_part_of_what_is_published_together_is_taken_out() {
    let whole = binding(8000, 8009, 80);
    let part = meet(&whole, &wish(None, (83, 84))).unwrap();
    assert_eq!(part, binding(8003, 8004, 83));
    assert_eq!(
        meet(&whole, &wish(Some((8003, 8004)), (83, 84))),
        Some(part)
    );
    assert_eq!(meet(&whole, &wish(Some((9003, 9004)), (83, 84))), None);
    assert_eq!(meet(&whole, &wish(Some((8004, 8005)), (83, 84))), None);
    assert_eq!(meet(&whole, &wish(None, (90, 99))), None);
    assert_eq!(
        without(whole, &[part]),
        [binding(8000, 8002, 80), binding(8005, 8009, 85)]
    );
    assert_eq!(without(whole, &[whole]), []);
    assert_eq!(without(whole, &[binding(9000, 9001, 80)]), [whole]);
    let ends = [binding(8000, 8000, 80), binding(8009, 8009, 89)];
    assert_eq!(without(whole, &ends), [binding(8001, 8008, 81)]);
    let highest = binding(65535, 65535, 1);
    assert_eq!(without(highest, &[highest]), []);
}

fn host(entries: &[(&str, &str)]) -> HostConfig {
    let mut host = HostConfig::default();
    for (key, port) in entries {
        host.port_bindings
            .entry((*key).to_owned())
            .or_default()
            .push(PortBinding {
                host_ip: String::new(),
                host_port: (*port).to_owned(),
            });
    }
    host
}

#[test]
fn what_is_published_at_every_start_is_forgotten_with_it() {
    let start = [("80/tcp", "8080"), ("80/tcp", "8081"), ("81/tcp", "")];
    let after = |wish: &Publish, parts: &[Binding]| {
        let mut host = host(&start);
        let forgotten = forget(&mut host, wish, parts).unwrap();
        (forgotten, host)
    };
    let (forgotten, left) = after(&wish(Some((8080, 8080)), (80, 80)), &[]);
    assert!(forgotten);
    assert_eq!(left, host(&[("80/tcp", "8081"), ("81/tcp", "")]));
    let (_, left) = after(&wish(None, (80, 80)), &[]);
    assert_eq!(left, host(&[("81/tcp", "")]));
    // An ephemeral port is known by what was found.
    let found = [binding(32768, 32768, 81)];
    let (_, left) = after(&wish(Some((32768, 32768)), (81, 81)), &found);
    assert_eq!(left, host(&[("80/tcp", "8080"), ("80/tcp", "8081")]));
    let (forgotten, left) = after(&wish(Some((9999, 9999)), (80, 80)), &[]);
    assert!(!forgotten);
    assert_eq!(left, host(&start));
    // One of a range.
    let mut ranged = host(&[("80-82/tcp", "8080-8082")]);
    assert!(forget(&mut ranged, &wish(None, (81, 81)), &[]).unwrap());
    assert_eq!(ranged, host(&[("80/tcp", "8080"), ("82/tcp", "8082")]));
}
