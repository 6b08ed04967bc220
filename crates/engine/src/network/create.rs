//! Making a network: everything is checked, then one row is written. What it has on the host comes with its first container.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::network::ipam::{self, Sources, Taken};
use ::network::options::GatewayMode;
use ::network::{Driver, Family, Network, NetworkId, Options, Pool, Subnet, fabric, subnet};

use super::event::happened;
use super::{DEFAULT, Networks, lookup};
use crate::error::{Error, Kind, Result};
use crate::open::Inner;

#[cfg(test)]
mod tests;

/// A network to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRequest {
    /// Its name.
    pub name: String,
    /// What it is made of: `bridge` if empty.
    pub driver: String,
    /// Whether nothing leads out of it.
    pub internal: bool,
    /// Kept for who asks; any container may be put on it by hand.
    pub attachable: bool,
    /// Whether it has IPv4; yes if nothing is said.
    pub ipv4: Option<bool>,
    /// Whether it has IPv6; if nothing is said, a bridge has where the host has.
    pub ipv6: Option<bool>,
    /// Who gives out addresses: `default`, which an empty text means too.
    pub ipam_driver: String,
    /// What that one is told: it understands nothing.
    pub ipam_options: BTreeMap<String, String>,
    /// Its subnets.
    pub pools: Vec<PoolRequest>,
    /// What the driver is told.
    pub options: BTreeMap<String, String>,
    /// Data for people and tools.
    pub labels: BTreeMap<String, String>,
}

/// A subnet, as users write it; empty texts are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// `10.1.0.0/16`.
    pub subnet: String,
    /// `10.1.4.0/24`.
    pub range: String,
    /// `10.1.0.254`.
    pub gateway: String,
    /// Addresses that others use, by name.
    pub aux: BTreeMap<String, String>,
}

/// A network that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeNetwork {
    /// Its id.
    pub id: NetworkId,
    /// What the user should hear.
    pub warnings: Vec<String>,
}

impl Networks {
    /// Makes a network.
    ///
    /// # Errors
    /// The name is taken or none, what is asked for contradicts itself or another network, or it can't be had here.
    pub async fn create(&self, request: NetworkRequest) -> Result<MadeNetwork> {
        self.engine
            .step(move |engine| create(&engine.0, request))
            .await
    }
}

fn create(inner: &Inner, request: NetworkRequest) -> Result<MadeNetwork> {
    let mut network = plan(&request)?;
    let families = families(&request, &network, fabric::has_ipv6())?;
    network.id = NetworkId::from_bytes(kernel::random::bytes()?);
    network.created_at = inner.nanos();
    let _lock = inner.lock_networks()?;
    let others = lookup::made(inner)?;
    if others.iter().any(|other| other.name == network.name) {
        return Err(Error::conflict(format!(
            "network with name {} already exists",
            network.name
        )));
    }
    apart(&network, &others)?;
    network.pools = complete(network.pools, &others)?;
    choose(inner, &families, &mut network, &others)?;
    check_mtu(&network)?;
    let fabric = inner.fabric();
    fabric.rehearse(&network)?;
    let warnings = fabric.objections(&network)?;
    let row = lookup::encode(&network)?;
    inner.db.write(|tx| tx.add_network(&row))?;
    inner.record(happened(&network, "create"));
    let text = |warning: ::network::Warning| match warning.hint {
        Some(hint) => format!("{} (try: {hint})", warning.message),
        None => warning.message,
    };
    Ok(MadeNetwork {
        id: network.id,
        warnings: warnings.into_iter().map(text).collect(),
    })
}

/// The names that mean something else to a container.
pub(super) fn is_predefined(name: &str) -> bool {
    matches!(name, DEFAULT | "host" | "none" | "default")
}

/// From what was asked for to a network without an id, whose subnets are only those that were named. Pure.
fn plan(request: &NetworkRequest) -> Result<Network> {
    check_name(&request.name)?;
    let driver = driver(&request.driver)?;
    match request.ipam_driver.as_str() {
        "" | "default" => {}
        other => {
            return Err(Error::not_found(format!(
                "could not find IPAM driver {other}: plugin not found"
            ))
            .hint("the one driver is default"));
        }
    }
    if let Some(option) = request.ipam_options.keys().next() {
        return Err(Error::unsupported(format!(
            "the IPAM driver default has no option {option:?}"
        )));
    }
    let options = Options::parse(driver, &request.options)?;
    let modes = [options.gateway_mode_v4, options.gateway_mode_v6];
    if modes.contains(&GatewayMode::Isolated) && !request.internal {
        return Err(Error::invalid(
            "gateway mode 'isolated' can only be used for an internal network",
        ));
    }
    if request.internal && options.parent.is_some() {
        return Err(Error::invalid(format!(
            "an internal {} network has no parent: it leads nowhere",
            driver.name()
        )));
    }
    let named = request
        .pools
        .iter()
        .filter(|one| **one != PoolRequest::default());
    Ok(Network {
        id: NetworkId::from_bytes([0; 32]),
        name: request.name.clone(),
        driver,
        pools: named.map(pool).collect::<Result<_>>()?,
        internal: request.internal,
        attachable: request.attachable,
        options,
        raw_options: request.options.clone(),
        labels: request.labels.clone(),
        created_at: 0,
    })
}

/// A name is a path segment, a line in lists, and a word on command lines.
fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("invalid name: name is empty"));
    }
    if is_predefined(name) {
        return Err(Error::new(
            Kind::Forbidden,
            format!("operation is not permitted on predefined {name} network"),
        ));
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '+' | '@');
    let good =
        name.chars().all(plain) && !name.starts_with(['-', '.', ' ']) && !name.ends_with(' ');
    if !good || name.len() > 128 {
        return Err(Error::invalid(format!("invalid name: {name:?}")).hint(
            "a network's name has letters, digits and _ . -, and begins with a letter or digit",
        ));
    }
    Ok(())
}

fn driver(name: &str) -> Result<Driver> {
    let driver = match name {
        "overlay" => {
            return Err(Error::new(
                Kind::Forbidden,
                "this engine is no part of a swarm: there are no overlay networks",
            ));
        }
        name => name.parse::<Driver>()?,
    };
    if driver.has_links() {
        return Ok(driver);
    }
    Err(Error::new(
        Kind::Forbidden,
        format!(
            "only one instance of \"{}\" network is allowed",
            driver.name()
        ),
    ))
}

fn pool(asked: &PoolRequest) -> Result<Pool> {
    let subnet = cidr("subnet", &asked.subnet)?;
    let address = |what: &str, text: &str| {
        text.parse::<IpAddr>()
            .map_err(|_| Error::invalid(format!("invalid {what} {text}: invalid address")))
    };
    let range = match asked.range.as_str() {
        "" => None,
        text => Some(cidr("ip-range", text)?),
    };
    let gateway = match asked.gateway.as_str() {
        "" => None,
        text => Some(address("gateway", text)?),
    };
    let aux = asked.aux.iter();
    let aux = aux.map(|(name, text)| Ok((name.clone(), address("auxiliary address", text)?)));
    Ok(Pool {
        subnet,
        range,
        gateway,
        aux: aux.collect::<Result<_>>()?,
    })
}

/// A subnet without host bits: with them it is probably another than was meant.
fn cidr(what: &str, text: &str) -> Result<Subnet> {
    let Ok((address, prefix)) = subnet::parse_cidr(text) else {
        return Err(Error::invalid(format!(
            "invalid {what} {text}: invalid CIDR block notation"
        )));
    };
    let exact = Subnet::new(address, prefix)?;
    if exact.address() != address {
        return Err(Error::invalid(format!(
            "invalid {what} {text}: it should be {exact}"
        )));
    }
    Ok(exact)
}

/// Which families a network is to have, of which the host has IPv4 and, if `host_v6`, IPv6.
fn families(request: &NetworkRequest, network: &Network, host_v6: bool) -> Result<Vec<Family>> {
    let named = |family| network.has(family);
    let v4 = request.ipv4.unwrap_or(true);
    let usual_v6 = network.driver == Driver::Bridge && host_v6;
    let v6 = request.ipv6.unwrap_or(usual_v6 || named(Family::V6));
    let mut all = Vec::new();
    for (family, wanted, number) in [(Family::V4, v4, 4), (Family::V6, v6, 6)] {
        if wanted {
            all.push(family);
        } else if let Some(pool) = network.pools_of(family).next() {
            return Err(Error::invalid(format!(
                "IPv{number} is off on this network, and its subnet {} is IPv{number}",
                pool.subnet
            )));
        }
    }
    if all.is_empty() {
        return Err(Error::invalid("IPv4 or IPv6 must be enabled"));
    }
    if v6 && !host_v6 {
        return Err(
            Error::unsupported("this host has no IPv6").hint("leave IPv6 off (--ipv6=false)")
        );
    }
    Ok(all)
}

/// Two networks have no bridge in common.
fn apart(network: &Network, others: &[Network]) -> Result<()> {
    let same = |other: &&Network| {
        network.driver == Driver::Bridge
            && other.driver == Driver::Bridge
            && network.bridge() == other.bridge()
    };
    match others.iter().find(same) {
        Some(other) => Err(Error::new(
            Kind::Forbidden,
            format!(
                "cannot create network {} ({}): conflicts with network {} ({}): networks have same bridge name",
                network.name,
                network.bridge(),
                other.name,
                other.bridge()
            ),
        )),
        None => Ok(()),
    }
}

/// Checks the subnets that were named against those of other networks and each other, and gives them gateways.
fn complete(pools: Vec<Pool>, others: &[Network]) -> Result<Vec<Pool>> {
    let mut taken: Vec<Taken> = Vec::new();
    for other in others {
        taken.extend(other.pools.iter().map(|pool| Taken {
            subnet: pool.subnet,
            by: format!("network {}", other.name),
        }));
    }
    let mut done = Vec::new();
    for pool in pools {
        let pool = ipam::complete(pool, &taken).map_err(|error| {
            let mut own = Error::from(error);
            // As in Docker: who else has it is no state of this network.
            if own.kind == Kind::Conflict {
                own.kind = Kind::Forbidden;
            }
            own
        })?;
        taken.push(Taken {
            subnet: pool.subnet,
            by: "this network".to_owned(),
        });
        done.push(pool);
    }
    Ok(done)
}

/// Keeps off all that is in use: other networks, and the host's routes.
fn choose(
    inner: &Inner,
    families: &[Family],
    network: &mut Network,
    others: &[Network],
) -> Result<()> {
    let missing: Vec<Family> = families
        .iter()
        .filter(|family| !network.has(**family))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let home = match others.iter().find(|other| other.name == DEFAULT) {
        Some(home) => home.clone(),
        None => lookup::default_locked(inner)?,
    };
    let sources = Sources::standard(lookup::global_id(&home.id));
    let mut taken = inner.fabric().routes()?;
    for other in others.iter().chain([&home, &*network]) {
        taken.extend(other.pools.iter().map(|pool| pool.subnet));
    }
    for family in missing {
        let pool = lookup::pool(&sources, family, &taken).map_err(|mut error| {
            // As in Docker: it is the request that asks for what is not there.
            error.kind = Kind::InvalidParameter;
            error
        })?;
        network.pools.push(pool);
    }
    Ok(())
}

/// RFC 8200, section 5: a link that carries less than 1,280 bytes has no IPv6.
fn check_mtu(network: &Network) -> Result<()> {
    match network.options.mtu {
        Some(mtu) if mtu < 1280 && network.has(Family::V6) => Err(Error::invalid(format!(
            "invalid MTU {mtu}: IPv6 needs 1280 at least"
        ))
        .hint("leave IPv6 off (--ipv6=false)")),
        _ => Ok(()),
    }
}
