//! Networks by name and id.

use std::collections::BTreeMap;

use ::network::ipam::{self, Sources};
use ::network::{Driver, Family, Network, NetworkId, Options, Pool, Subnet};
use state::NetworkRow;

use super::DEFAULT;
use crate::error::{Error, Result};
use crate::open::Inner;

/// Those that need nothing made: name and driver.
const ALWAYS: [(&str, Driver); 2] = [("host", Driver::Host), ("none", Driver::None)];

/// The row's network.
pub(crate) fn decode(row: &NetworkRow) -> Result<Network> {
    serde_json::from_str(&row.config)
        .map_err(|e| Error::internal(format!("read configuration of network {}", row.name), e))
}

/// The network's row.
pub(crate) fn encode(network: &Network) -> Result<NetworkRow> {
    Ok(NetworkRow {
        id: network.id.to_string(),
        name: network.name.clone(),
        config: serde_json::to_string(network).map_err(|e| Error::internal("encode network", e))?,
        created_at: network.created_at,
    })
}

/// The networks that every host has.
pub(crate) fn always() -> impl Iterator<Item = Network> {
    ALWAYS.into_iter().filter_map(|(name, driver)| {
        let id = spec::Digest::of(name.as_bytes()).hex().parse().ok()?;
        Some(Network {
            id,
            name: name.to_owned(),
            driver,
            pools: Vec::new(),
            internal: false,
            attachable: false,
            options: Options::default(),
            raw_options: BTreeMap::new(),
            labels: BTreeMap::new(),
            created_at: 0,
        })
    })
}

/// All networks that were made, by name.
pub(crate) fn made(inner: &Inner) -> Result<Vec<Network>> {
    let rows = inner.db.read(|tx| tx.networks())?;
    rows.iter().map(decode).collect()
}

/// The network with this id or name, or the only one whose id begins so. The default one is made if it isn't there.
pub(crate) fn find(inner: &Inner, name: &str) -> Result<Network> {
    if name == DEFAULT {
        return default(inner);
    }
    if let Some(one) = always().find(|one| one.name == name || one.id.as_str() == name) {
        return Ok(one);
    }
    let is_id = name.parse::<NetworkId>().is_ok();
    let (named, with_id) = inner.db.read(|tx| {
        let with_id = tx.networks_with_id(name)?;
        Ok((tx.network_named(name)?, with_id))
    })?;
    if is_id && let [one] = with_id.as_slice() {
        return decode(one);
    }
    if let Some(row) = named {
        return decode(&row);
    }
    let mut starting: Vec<Network> = with_id.iter().map(decode).collect::<Result<_>>()?;
    starting.extend(always().filter(|one| one.id.as_str().starts_with(name)));
    match starting.len() {
        1 if !name.is_empty() => starting.pop().ok_or_else(|| missing(name)),
        0 | 1 => Err(missing(name)),
        _ => Err(Error::invalid(format!(
            "network {name} is ambiguous ({} matches found on ID prefix)",
            starting.len()
        ))),
    }
}

/// There is no such network.
pub(crate) fn missing(name: &str) -> Error {
    Error::not_found(format!("network {name} not found"))
}

/// The default network, made if it isn't there.
pub(crate) fn default(inner: &Inner) -> Result<Network> {
    if let Some(row) = inner.db.read(|tx| tx.network_named(DEFAULT))? {
        return decode(&row);
    }
    let _lock = inner.lock_networks()?;
    default_locked(inner)
}

/// As [`default`], for who holds the lock of all networks.
pub(crate) fn default_locked(inner: &Inner) -> Result<Network> {
    if let Some(row) = inner.db.read(|tx| tx.network_named(DEFAULT))? {
        return decode(&row);
    }
    let bytes: [u8; 32] = kernel::random::bytes()?;
    let mut network = Network {
        id: NetworkId::from_bytes(bytes),
        name: DEFAULT.to_owned(),
        driver: Driver::Bridge,
        pools: Vec::new(),
        internal: false,
        attachable: false,
        options: Options::default(),
        raw_options: BTreeMap::new(),
        labels: BTreeMap::new(),
        created_at: inner.nanos(),
    };
    let sources = Sources::standard(global_id(&network.id));
    let taken = taken(inner)?;
    network.pools.push(pool(&sources, Family::V4, &taken)?);
    if ::network::fabric::has_ipv6() {
        network.pools.push(pool(&sources, Family::V6, &taken)?);
    }
    let row = encode(&network)?;
    inner.db.write(|tx| tx.add_network(&row))?;
    Ok(network)
}

/// The subnets that a new network keeps off: those of all networks, and of the host's routes.
pub(crate) fn taken(inner: &Inner) -> Result<Vec<Subnet>> {
    let mut taken = inner.fabric().routes()?;
    for network in made(inner)? {
        taken.extend(network.pools.iter().map(|pool| pool.subnet));
    }
    Ok(taken)
}

/// The 40 random bits of this installation's unique local prefix (RFC 4193): those of its default network's id.
pub(super) fn global_id(id: &NetworkId) -> [u8; 5] {
    let mut bytes = [0; 5];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(id.as_str().get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
    }
    bytes
}

/// A subnet of a family that shares no address with those that are taken.
pub(crate) fn pool(sources: &Sources, family: Family, taken: &[Subnet]) -> Result<Pool> {
    let pool = Pool {
        subnet: sources.choose(family, taken)?,
        range: None,
        gateway: None,
        aux: BTreeMap::new(),
    };
    Ok(ipam::complete(pool, &[])?)
}
