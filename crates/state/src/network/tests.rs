use std::net::IpAddr;

use spec::{ContainerId, Digest, ImageId};

use super::{EndpointRow, NetworkRow, PortRow};
use crate::{ContainerRow, Db, Kind};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn id(byte: u8) -> ContainerId {
    ContainerId::from_bytes([byte; 32])
}

fn network(name: &str) -> NetworkRow {
    NetworkRow {
        id: name.repeat(64),
        name: name.to_owned(),
        config: "{}".to_owned(),
        created_at: 1,
    }
}

fn endpoint(network: &str, container: u8, v4: &str) -> EndpointRow {
    EndpointRow {
        network: network.repeat(64),
        container: id(container),
        v4: Some(ip(v4)),
        v6: Some(ip("fd00::2")),
        config: "{}".to_owned(),
    }
}

fn port(container: u8, first: u16, last: u16, host_ip: &str) -> PortRow {
    PortRow {
        protocol: 6,
        first,
        last,
        host_ip: ip(host_ip),
        container: id(container),
        target: ip("172.17.0.2"),
        container_first: 80,
    }
}

/// A database with two containers and the networks a and b.
fn open(dir: &tempfile::TempDir) -> Db {
    let db = Db::open(&dir.path().join("tare.db")).unwrap();
    db.write(|tx| {
        for byte in [1, 2] {
            let row = ContainerRow {
                id: id(byte),
                name: format!("c{byte}"),
                image: ImageId::new(Digest::of("image")),
                auto_remove: false,
                config: "{}".to_owned(),
                created_at: 1,
            };
            tx.add_container(&row, &[], &[])?;
        }
        tx.add_network(&network("a"))?;
        tx.add_network(&network("b"))
    })
    .unwrap();
    db
}

#[test]
fn networks_are_found_by_name_and_by_the_start_of_their_id() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    let taken = db.write(|tx| {
        tx.add_network(&NetworkRow {
            id: "c".repeat(64),
            ..network("a")
        })
    });
    assert_eq!(taken.unwrap_err().kind, Kind::Exists);
    db.read(|tx| {
        assert_eq!(tx.network_named("a")?, Some(network("a")));
        assert_eq!(tx.network_named("aa")?, None);
        assert_eq!(tx.networks_with_id("aaa")?, [network("a")]);
        assert_eq!(tx.networks_with_id("")?.len(), 2);
        assert_eq!(tx.networks_with_id("ab")?, []);
        assert_eq!(tx.networks()?, [network("a"), network("b")]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn endpoints_hold_their_network_and_go_with_their_container() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    db.write(|tx| {
        tx.put_endpoint(&endpoint("a", 1, "172.17.0.2"))?;
        tx.put_endpoint(&endpoint("a", 2, "172.17.0.3"))?;
        tx.put_endpoint(&endpoint("b", 1, "172.18.0.2"))?;
        tx.put_endpoint(&endpoint("b", 1, "172.18.0.9"))
    })
    .unwrap();
    let held = db.write(|tx| tx.remove_network(&"a".repeat(64)));
    assert_eq!(held.unwrap_err().kind, Kind::Referenced);
    db.write(|tx| {
        assert_eq!(
            tx.endpoints_on(&"a".repeat(64))?,
            [
                endpoint("a", 1, "172.17.0.2"),
                endpoint("a", 2, "172.17.0.3")
            ]
        );
        assert_eq!(
            tx.addresses_on(&"b".repeat(64))?,
            [ip("172.18.0.9"), ip("fd00::2")]
        );
        assert_eq!(tx.endpoints_of(&id(1))?.len(), 2);
        tx.remove_container(&id(1))?;
        assert_eq!(tx.endpoints()?, [endpoint("a", 2, "172.17.0.3")]);
        assert!(tx.remove_endpoint(&"a".repeat(64), &id(2))?);
        assert!(!tx.remove_endpoint(&"a".repeat(64), &id(2))?);
        assert!(tx.remove_network(&"a".repeat(64))?);
        Ok(())
    })
    .unwrap();
    let nowhere = db.write(|tx| tx.put_endpoint(&endpoint("c", 2, "172.19.0.2")));
    assert_eq!(nowhere.unwrap_err().kind, Kind::Referenced);
}

#[test]
fn ports_that_share_one_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir);
    db.write(|tx| {
        tx.add_port(&port(1, 8000, 8999, "0.0.0.0"))?;
        tx.add_port(&port(2, 9000, 9000, "127.0.0.1"))?;
        tx.add_port(&port(2, 9000, 9000, "::"))
    })
    .unwrap();
    let taken = db.write(|tx| tx.add_port(&port(1, 9000, 9010, "127.0.0.1")));
    assert_eq!(taken.unwrap_err().kind, Kind::Exists);
    db.write(|tx| {
        let firsts = |first, last| -> crate::Result<Vec<u16>> {
            Ok(tx
                .ports_between(6, first, last)?
                .iter()
                .map(|p| p.first)
                .collect())
        };
        assert_eq!(firsts(8500, 8500)?, [8000]);
        assert_eq!(firsts(8999, 9000)?, [8000, 9000, 9000]);
        assert_eq!(firsts(9001, 65535)?, [0; 0]);
        assert_eq!(tx.ports_between(17, 1, 65535)?, []);
        assert_eq!(
            tx.ports_of(&id(2))?,
            [port(2, 9000, 9000, "::"), port(2, 9000, 9000, "127.0.0.1")]
        );
        assert!(tx.remove_port(6, 9000, ip("::"))?);
        assert_eq!(tx.remove_ports_of(&id(1))?, 1);
        assert_eq!(tx.ports()?, [port(2, 9000, 9000, "127.0.0.1")]);
        Ok(())
    })
    .unwrap();
}
