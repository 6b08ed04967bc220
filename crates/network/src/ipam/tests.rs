use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::{Source, Sources, Taken, claim, complete, pick};
use crate::network::Pool;
use crate::subnet::{Family, Subnet};
use crate::{Kind, samples};

const ULA: [u8; 5] = [1, 2, 3, 4, 5];

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pool(text: &str) -> Pool {
    Pool {
        subnet: subnet(text),
        range: None,
        gateway: None,
        aux: BTreeMap::new(),
    }
}

#[test]
fn the_first_networks_are_dockers() {
    let sources = Sources::standard(ULA);
    let mut taken = Vec::new();
    for expected in ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16"] {
        let chosen = sources.choose(Family::V4, &taken).unwrap();
        assert_eq!(chosen, subnet(expected));
        taken.push(chosen);
    }
    let chosen = sources.choose(Family::V6, &taken).unwrap();
    assert_eq!(chosen, subnet("fd01:203:405::/64"));
    let chosen = sources.choose(Family::V6, &[chosen]).unwrap();
    assert_eq!(chosen, subnet("fd01:203:405:1::/64"));
}

#[test]
fn every_route_of_the_host_is_avoided() {
    let sources = Sources::standard(ULA);
    let routes = [
        subnet("172.16.0.0/12"),
        subnet("192.168.0.7/32"),
        subnet("192.168.20.0/24"),
    ];
    let chosen = sources.choose(Family::V4, &routes).unwrap();
    assert_eq!(chosen, subnet("192.168.32.0/20"));
    let all = [subnet("0.0.0.0/1"), subnet("128.0.0.0/1")];
    let error = sources.choose(Family::V4, &all).unwrap_err();
    assert_eq!(error.kind, Kind::Full);
    assert!(error.hint.is_some());
}

#[test]
fn there_are_thousands() {
    let sources = Sources::standard(ULA);
    let mut taken = Vec::new();
    for _ in 0..2000 {
        taken.push(sources.choose(Family::V4, &taken).unwrap());
    }
    let distinct: BTreeSet<_> = taken.iter().collect();
    assert_eq!(distinct.len(), 2000);
}

#[test]
fn a_pool_of_the_users_is_checked_and_completed() {
    assert_eq!(
        complete(pool("10.5.0.0/24"), &[]).unwrap().gateway,
        Some(ip("10.5.0.1"))
    );
    assert_eq!(
        complete(pool("fd00:5::/64"), &[]).unwrap().gateway,
        Some(ip("fd00:5::1"))
    );
    let mut ranged = pool("10.5.0.0/16");
    ranged.range = Some(subnet("10.5.8.0/24"));
    assert_eq!(complete(ranged, &[]).unwrap().gateway, Some(ip("10.5.8.0")));
    let taken = [Taken {
        subnet: subnet("10.0.0.0/8"),
        by: "network web".to_owned(),
    }];
    let error = complete(pool("10.5.0.0/24"), &taken).unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(error.to_string().contains("network web"), "{error}");
    for change in [
        |p: &mut Pool| p.gateway = Some(ip("10.6.0.1")),
        |p: &mut Pool| p.gateway = Some(ip("10.5.0.0")),
        |p: &mut Pool| p.gateway = Some(ip("10.5.0.255")),
        |p: &mut Pool| p.range = Some(subnet("10.5.1.0/24")),
        |p: &mut Pool| p.range = Some(subnet("10.0.0.0/8")),
        |p: &mut Pool| p.aux = [("nas".to_owned(), ip("10.6.0.9"))].into(),
    ] {
        let mut wrong = pool("10.5.0.0/24");
        change(&mut wrong);
        assert_eq!(
            complete(wrong.clone(), &[]).unwrap_err().kind,
            Kind::Invalid,
            "{wrong:?}"
        );
    }
}

#[test]
fn an_address_is_picked_after_the_last_one_and_around_the_end() {
    let mut pool = complete(pool("10.5.0.0/29"), &[]).unwrap();
    pool.aux.insert("nas".to_owned(), ip("10.5.0.3"));
    let none = BTreeSet::new();
    assert_eq!(pick(&pool, &none, None).unwrap(), ip("10.5.0.2"));
    assert_eq!(
        pick(&pool, &none, Some(ip("10.5.0.2"))).unwrap(),
        ip("10.5.0.4")
    );
    assert_eq!(
        pick(&pool, &none, Some(ip("10.5.0.6"))).unwrap(),
        ip("10.5.0.2")
    );
    let used: BTreeSet<_> = ["10.5.0.2", "10.5.0.4", "10.5.0.5", "10.5.0.6"]
        .map(ip)
        .into();
    assert_eq!(pick(&pool, &used, None).unwrap_err().kind, Kind::Full);
}

#[test]
fn a_wanted_address_names_its_holder() {
    let network = samples::network("web", "10.5.0.0/24");
    let mut used = BTreeMap::new();
    assert_eq!(
        claim(&network, ip("10.5.0.9"), &used).unwrap(),
        ip("10.5.0.9")
    );
    used.insert(ip("10.5.0.9"), "db".to_owned());
    for (wanted, kind, says) in [
        ("10.5.0.9", Kind::Conflict, "container db"),
        ("10.5.0.1", Kind::Conflict, "gateway"),
        ("10.5.0.255", Kind::Invalid, "10.5.0.0/24"),
        ("10.6.0.9", Kind::Invalid, "no configured subnet"),
        ("fd00::9", Kind::Invalid, "no configured subnet"),
    ] {
        let error = claim(&network, ip(wanted), &used).unwrap_err();
        assert_eq!(error.kind, kind, "{wanted}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_chosen_is_free(routes in prop::collection::vec((any::<u32>(), 4u8..=32), 0..40)) {
        let routes: Vec<Subnet> = routes
            .into_iter()
            .map(|(address, prefix)| Subnet::new(IpAddr::from(address.to_be_bytes()), prefix).unwrap())
            .collect();
        if let Ok(chosen) = Sources::standard(ULA).choose(Family::V4, &routes) {
            prop_assert!(routes.iter().all(|route| !route.overlaps(&chosen)));
        }
    }

    #[test]
    fn the_first_free_piece_is_found(taken in prop::collection::vec((0u32..64, 24u8..=28), 0..12)) {
        let base = subnet("10.0.0.0/18");
        let sources = Sources::new(vec![Source { base, size: 26 }]).unwrap();
        let taken: Vec<Subnet> = taken
            .into_iter()
            .map(|(n, prefix)| Subnet::new(IpAddr::from((0x0a00_0000 + n * 256 + 70).to_be_bytes()), prefix).unwrap())
            .collect();
        let slow = (0..256u32)
            .map(|n| Subnet::new(IpAddr::from((0x0a00_0000 + n * 64).to_be_bytes()), 26).unwrap())
            .find(|piece| taken.iter().all(|t| !t.overlaps(piece)));
        prop_assert_eq!(sources.choose(Family::V4, &taken).ok(), slow);
    }

    #[test]
    fn what_is_picked_is_usable(prefix in 20u8..=30, after: u8, used in prop::collection::btree_set(any::<u8>(), 0..200)) {
        let mut pool = pool("10.5.0.0/16");
        pool.subnet = Subnet::new(ip("10.5.0.0"), prefix).unwrap();
        let pool = complete(pool, &[]).unwrap();
        let used: BTreeSet<IpAddr> = used.into_iter().map(|n| IpAddr::from([10, 5, 0, n])).collect();
        if let Ok(got) = pick(&pool, &used, Some(IpAddr::from([10, 5, 0, after]))) {
            prop_assert!(pool.subnet.contains(got) && !used.contains(&got));
            prop_assert!(Some(got) != pool.gateway && got != pool.subnet.address() && got != pool.subnet.last());
        }
    }
}
