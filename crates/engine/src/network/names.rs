//! Who is called what, on which network: what the resolvers of the monitors answer from, and the links of single containers.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::DirBuilderExt;

use ::network::endpoint::way_out;
use ::network::options::GatewayMode;
use ::network::{Driver, Endpoint, Family, Network, NetworkId};
use protocol::names::{Directory, Owner, Resolution, Scope, Server};
use spec::ContainerId;
use state::ContainerRow;

use crate::container::HostConfig;
use crate::container::stored::Stored;
use crate::error::{Error, Result};
use crate::launch::open_dir;
use crate::open::Inner;

#[cfg(test)]
mod tests;

/// The names by which the host is known to its containers.
pub(crate) const OF_HOST: [&str; 2] = ["host.docker.internal", "gateway.docker.internal"];
/// The port at which servers are asked.
const DOMAIN: u16 = 53;

/// `container[:alias]`.
pub(crate) fn parse_link(text: &str) -> Result<(&str, &str)> {
    let invalid = || Error::invalid(format!("bad format for links: {text}"));
    let (container, alias) = text.split_once(':').unwrap_or((text, text));
    // Who copies a container gives back what its description says: `/web:/own/alias`.
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    let container = container.strip_prefix('/').unwrap_or(container);
    let good = !container.is_empty()
        && crate::network_files::is_word(alias)
        && !alias.contains([':', ',', '=']);
    if good {
        Ok((container, alias))
    } else {
        Err(invalid())
    }
}

/// All names of a container on a network, its own first, each once, in lower case.
pub(crate) fn of(row: &ContainerRow, stored: &Stored, end: &Endpoint) -> Vec<String> {
    let mut names: Vec<String> = vec![row.name.to_ascii_lowercase()];
    let more = end.aliases.iter().cloned();
    let more = more.chain([row.id.short(), stored.config.hostname.clone()]);
    for name in more.map(|name| name.to_ascii_lowercase()) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn owner(end: &Endpoint) -> Owner {
    Owner {
        id: end.container.to_string(),
        v4: end.v4,
        v6: end.v6,
    }
}

fn directory(inner: &Inner, network: &NetworkId) -> Result<Directory> {
    let path = inner.names_dir(network);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .map_err(|e| Error::internal(format!("make {}", path.display()), e))?;
    Ok(Directory::open(open_dir(&path)?, ".")?)
}

/// Makes a container known on its networks, and tells its resolver what to go by.
pub(super) fn give(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    ends: &[(Network, Endpoint)],
) -> Result<()> {
    for (network, end) in ends {
        directory(inner, &network.id)?.give(&owner(end), &of(row, stored, end))?;
    }
    resolve(inner, row, stored, ends)
}

/// Replaces what a container's resolver goes by.
pub(super) fn resolve(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    ends: &[(Network, Endpoint)],
) -> Result<()> {
    let of_host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let mut resolution = resolution(&stored.host, ends, &of_host)?;
    for scope in &mut resolution.scopes {
        let request = stored.networks.get(&scope.network);
        for link in request.iter().flat_map(|request| &request.links) {
            let (target, alias) = parse_link(link)?;
            scope
                .links
                .insert(alias.to_ascii_lowercase(), target.to_ascii_lowercase());
        }
        if scope.network == super::DEFAULT {
            scope.links.extend(legacy(inner, &row.id)?);
        }
    }
    Ok(resolution.write(open_dir(&inner.run_dir(&row.id))?)?)
}

/// Links of the default network, which follow their targets' ids.
fn legacy(inner: &Inner, id: &ContainerId) -> Result<BTreeMap<String, String>> {
    let links = inner.db.read(|tx| tx.links_of(id))?;
    let short =
        |(alias, target): (String, ContainerId)| (alias.to_ascii_lowercase(), target.short());
    Ok(links.into_iter().map(short).collect())
}

/// Makes a running container known by another name; `old` is what it was. The caller holds its lock.
pub(crate) fn renamed(inner: &Inner, old: &ContainerRow, new: &ContainerRow) -> Result<()> {
    let ends = super::leave::held_by(inner, &new.id)?.ends;
    if !ends.is_empty() {
        let _lock = inner.lock_networks()?;
        let stored = Stored::parse(&new.id, &new.config)?;
        for (network, end) in &ends {
            let directory = directory(inner, &network.id)?;
            directory.take(&owner(end), &of(old, &stored, end))?;
            directory.give(&owner(end), &of(new, &stored, end))?;
        }
    }
    super::links::follow(inner, &new.id)
}

/// Takes a container's names off these networks.
pub(super) fn take(inner: &Inner, id: &ContainerId, ends: &[(Network, Endpoint)]) -> Result<()> {
    let Some(row) = inner.db.read(|tx| tx.container(id))? else {
        return Ok(());
    };
    let stored = Stored::parse(&row.id, &row.config)?;
    for (network, end) in ends {
        // Where there is no directory there are no names: the run directory ends with the boot.
        if inner.names_dir(&network.id).is_dir() {
            directory(inner, &network.id)?.take(&owner(end), &of(&row, &stored, end))?;
        }
    }
    Ok(())
}

/// Forgets all names of a network that nobody is on.
pub(super) fn forget(inner: &Inner, network: &NetworkId) -> Result<()> {
    let all = inner.config.paths.run.join("names");
    if !all.join(network.as_str()).exists() {
        return Ok(());
    }
    Ok(kernel::tree::remove(open_dir(&all)?, network.as_str())?)
}

/// The host's addresses as a container of these networks reaches them.
pub(crate) fn host_gateway(ends: &[(Network, Endpoint)]) -> Vec<IpAddr> {
    let at = |family, mode: fn(&Network) -> GatewayMode| {
        ends.iter().find_map(|(network, end)| {
            if network.driver != Driver::Bridge || mode(network) == GatewayMode::Isolated {
                return None;
            }
            let address = end.address(family)?;
            let pool = network.pools.iter().find(|p| p.subnet.contains(address))?;
            pool.gateway
        })
    };
    let v4 = at(Family::V4, |network| network.options.gateway_mode_v4);
    // One address: what serves on the host often serves IPv4 alone, and not every program tries a second address.
    let v6 = || at(Family::V6, |network| network.options.gateway_mode_v6);
    v4.or_else(v6).into_iter().collect()
}

/// What a container's resolver goes by, without links. Pure.
fn resolution(
    host: &HostConfig,
    ends: &[(Network, Endpoint)],
    of_host: &str,
) -> Result<Resolution> {
    let pairs: Vec<(&Network, &Endpoint)> = ends.iter().map(|(n, e)| (n, e)).collect();
    let out = way_out(&pairs, Family::V4).or_else(|| way_out(&pairs, Family::V6));
    let out = out.map(|(end, _)| end.network.clone());
    let mut scopes: Vec<(bool, Scope)> = Vec::new();
    for (network, _) in ends {
        let scope = Scope {
            network: network.name.clone(),
            directory: format!("../../names/{}", network.id),
            links: BTreeMap::new(),
        };
        scopes.push((out.as_ref() == Some(&network.id), scope));
    }
    scopes.sort_by_key(|(first, _)| !first);
    let gateway = host_gateway(ends);
    let hosts = OF_HOST
        .iter()
        .filter(|_| !gateway.is_empty())
        .map(|name| ((*name).to_owned(), gateway.clone()))
        .collect();
    let servers = if host.dns.is_empty() {
        // What leads nowhere asks nobody: a question leaves too (CVE-2024-29018).
        let leads_out = ends.iter().any(|(network, _)| !network.internal);
        if leads_out {
            servers(of_host)
        } else {
            Vec::new()
        }
    } else {
        let inside = |text: &String| {
            let address: IpAddr = text.parse().map_err(|_| {
                Error::invalid(format!(
                    "invalid dns: {text:?} is no address of a name server"
                ))
            })?;
            Ok(Server {
                address: SocketAddr::new(address, DOMAIN),
                inside: true,
            })
        };
        host.dns.iter().map(inside).collect::<Result<_>>()?
    };
    Ok(Resolution {
        v: Resolution::VERSION,
        scopes: scopes.into_iter().map(|(_, scope)| scope).collect(),
        servers,
        hosts,
    })
}

/// The host's name servers, asked as the host asks them: also those at its own loopback addresses.
fn servers(resolv_conf: &str) -> Vec<Server> {
    let mut all = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        if let Some(address) = words.next().and_then(server) {
            let inside = false;
            all.push(Server { address, inside });
        }
    }
    all
}

/// `192.0.2.1`, `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    match text.split_once('%') {
        None => Some(SocketAddr::new(text.parse().ok()?, DOMAIN)),
        Some((address, link)) => {
            let index = std::fs::read_to_string(format!("/sys/class/net/{link}/ifindex")).ok()?;
            let scope = index.trim().parse().ok()?;
            let address = address.parse().ok()?;
            Some(SocketAddrV6::new(address, DOMAIN, 0, scope).into())
        }
    }
}
