//! Networks and endpoints for the tests of this crate.

use std::collections::BTreeMap;

use spec::ContainerId;

use crate::endpoint::Endpoint;
use crate::ipam;
use crate::network::{Driver, Network, NetworkId, Pool};
use crate::options::Options;
use crate::subnet::{Family, Mac};

/// A bridge network with these subnets (space between); its id follows from its name.
pub(crate) fn network(name: &str, subnets: &str) -> Network {
    let mut bytes = [0; 32];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    let pools = subnets.split(' ').map(|subnet| {
        let pool = Pool {
            subnet: subnet.parse().unwrap(),
            range: None,
            gateway: None,
            aux: BTreeMap::new(),
        };
        ipam::complete(pool, &[]).unwrap()
    });
    Network {
        id: NetworkId::from_bytes(bytes),
        name: name.to_owned(),
        driver: Driver::Bridge,
        pools: pools.collect(),
        internal: false,
        attachable: false,
        options: Options::default(),
        raw_options: BTreeMap::new(),
        labels: BTreeMap::new(),
        created_at: 0,
    }
}

/// The `n`th container's endpoint on a network: host part `n` in each family.
pub(crate) fn endpoint(network: &Network, n: u8) -> Endpoint {
    let address = |family| {
        let pool = network.pools_of(family).next()?;
        Some(family.address(crate::subnet::bits_of(pool.subnet.address()) + u128::from(n)))
    };
    let v4 = match address(Family::V4) {
        Some(std::net::IpAddr::V4(v4)) => Some(v4),
        _ => None,
    };
    let v6 = match address(Family::V6) {
        Some(std::net::IpAddr::V6(v6)) => Some(v6),
        _ => None,
    };
    Endpoint {
        network: network.id.clone(),
        container: ContainerId::from_bytes([n; 32]),
        interface: "eth0".to_owned(),
        mac: Mac::new([2, 0x42, 0, 0, 0, n]),
        v4,
        v6,
        extra: Vec::new(),
        aliases: Vec::new(),
        gateway_priority: 0,
        driver_opts: BTreeMap::new(),
    }
}
