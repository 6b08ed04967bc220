use std::collections::BTreeMap;

use spec::{ContainerId, Digest, ImageId};
use state::ContainerRow;

use super::{Linked, environment};
use crate::container::stored::Stored;
use crate::container::{Config, HostConfig};

fn linked(alias: &str, ports: &[&str], env: &[&str]) -> Linked {
    let config = Config {
        exposed_ports: ports.iter().map(|p| (*p).to_owned()).collect(),
        env: env.iter().map(|e| (*e).to_owned()).collect(),
        ..Config::default()
    };
    Linked {
        alias: alias.to_owned(),
        row: ContainerRow {
            id: ContainerId::from_bytes([1; 32]),
            name: "db".to_owned(),
            image: ImageId::new(Digest::of(b"")),
            auto_remove: false,
            config: String::new(),
            created_at: 0,
        },
        stored: Stored {
            v: Stored::VERSION,
            config,
            host: HostConfig::default(),
            args: Vec::new(),
            mounts: Vec::new(),
            os: "linux".to_owned(),
            networks: BTreeMap::new(),
        },
        address: "172.17.0.5".parse().unwrap(),
    }
}

#[test]
fn one_port_gives_dockers_variables_in_dockers_order() {
    let env = environment(
        "web",
        &linked(
            "my-db",
            &["5432/tcp"],
            &["PGDATA=/x", "PATH=/bin", "HOME=/", "BARE"],
        ),
    );
    assert_eq!(
        env,
        [
            "MY_DB_PORT=tcp://172.17.0.5:5432",
            "MY_DB_PORT_5432_TCP=tcp://172.17.0.5:5432",
            "MY_DB_PORT_5432_TCP_ADDR=172.17.0.5",
            "MY_DB_PORT_5432_TCP_PORT=5432",
            "MY_DB_PORT_5432_TCP_PROTO=tcp",
            "MY_DB_NAME=/web/my-db",
            "MY_DB_ENV_PGDATA=/x",
        ]
    );
}

#[test]
fn ports_in_a_row_are_also_a_range_and_tcp_comes_first() {
    let env = environment(
        "web",
        &linked("db", &["81/tcp", "53/udp", "80/tcp", "82/tcp"], &[]),
    );
    assert_eq!(env[0], "DB_PORT=tcp://172.17.0.5:80");
    for line in [
        "DB_PORT_80_TCP_START=tcp://172.17.0.5:80",
        "DB_PORT_80_TCP_PORT_START=80",
        "DB_PORT_82_TCP_END=tcp://172.17.0.5:82",
        "DB_PORT_82_TCP_PORT_END=82",
        "DB_PORT_53_UDP=udp://172.17.0.5:53",
        "DB_PORT_53_UDP_PROTO=udp",
    ] {
        assert!(env.iter().any(|one| one == line), "{line} in {env:#?}");
    }
}

#[test]
fn nothing_exposed_gives_its_name_alone() {
    assert_eq!(
        environment("web", &linked("db", &[], &[])),
        ["DB_NAME=/web/db"]
    );
}
