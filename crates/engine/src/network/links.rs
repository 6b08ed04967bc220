//! Links of the default network (`--link name[:alias]`): a name and an environment of a container's own for another.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ::network::Protocol;
use spec::ContainerId;
use state::ContainerRow;

use super::names::parse_link;
use super::request::Mode;
use super::{DEFAULT, attach, leave, lookup, ports};
use crate::container::lookup as containers;
use crate::container::stored::Stored;
use crate::container::{Config, HostConfig};
use crate::error::{Error, Kind, Result};
use crate::network_files;
use crate::open::Inner;
use crate::truth;

#[cfg(test)]
mod tests;

/// A container that another knows by a name of its own, as it is now.
#[derive(Debug)]
pub(crate) struct Linked {
    /// The name.
    pub(crate) alias: String,
    pub(crate) row: ContainerRow,
    pub(crate) stored: Stored,
    pub(crate) address: IpAddr,
}

/// Whom a container that is made on the default network is to know by which name.
pub(crate) fn plan(inner: &Inner, host: &HostConfig) -> Result<Vec<(String, ContainerId)>> {
    if Mode::of(&host.network_mode) != Mode::Networks(DEFAULT) {
        return Ok(Vec::new());
    }
    let mut all: Vec<(String, ContainerId)> = Vec::new();
    for text in &host.links {
        let (name, alias) = parse_link(text)?;
        let target = containers::find(inner, name).map_err(|error| match error.kind {
            Kind::NotFound => Error::invalid(format!("could not get container for {name}")),
            _ => error,
        })?;
        let stored = Stored::parse(&target.id, &target.config)?;
        match Mode::of(&stored.host.network_mode) {
            Mode::Networks(_) if stored.networks.contains_key(DEFAULT) => {}
            Mode::Host => {
                return Err(Error::invalid(
                    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
                ));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "Cannot link to {name}, as it does not belong to the default network"
                )));
            }
        }
        if let Some((_, other)) = all.iter().find(|(known, _)| known == alias)
            && *other != target.id
        {
            return Err(Error::invalid(format!(
                "conflicting options: two links are named {alias}"
            )));
        }
        all.push((alias.to_owned(), target.id));
    }
    Ok(all)
}

/// The targets of a container's links, all of which must run.
pub(crate) fn of(inner: &Inner, row: &ContainerRow) -> Result<Vec<Linked>> {
    let mut all = Vec::new();
    for (alias, target) in inner.db.read(|tx| tx.links_of(&row.id))? {
        let Some(target) = inner.db.read(|tx| tx.container(&target))? else {
            continue;
        };
        let now = address(inner, &target)?;
        let address = now.ok_or_else(|| {
            Error::conflict(format!(
                "Cannot link to a non running container: /{} AS /{}/{alias}",
                target.name, row.name
            ))
            .hint(format!("start it first: tare start {}", target.name))
        })?;
        all.push(Linked {
            alias,
            stored: Stored::parse(&target.id, &target.config)?,
            row: target,
            address,
        });
    }
    Ok(all)
}

/// The address of a container on the default network, if it runs.
fn address(inner: &Inner, row: &ContainerRow) -> Result<Option<IpAddr>> {
    if !truth::look(inner, row)?.is_alive() {
        return Ok(None);
    }
    let network = lookup::default(inner)?;
    let ends = inner.db.read(|tx| tx.endpoints_of(&row.id))?;
    let end = ends.iter().find(|end| end.network == network.id.as_str());
    Ok(end.and_then(|end| end.v4.or(end.v6)))
}

/// The links whose targets run now, for a container that runs already.
pub(crate) fn alive(inner: &Inner, row: &ContainerRow) -> Result<Vec<Linked>> {
    let mut all = Vec::new();
    for (alias, target) in inner.db.read(|tx| tx.links_of(&row.id))? {
        if let Some(target) = inner.db.read(|tx| tx.container(&target))?
            && let Some(address) = address(inner, &target)?
        {
            all.push(Linked {
                alias,
                stored: Stored::parse(&target.id, &target.config)?,
                row: target,
                address,
            });
        }
    }
    Ok(all)
}

/// Writes again what those who know a container by a name of their own have in their /etc/hosts: it has another address now, or another name.
pub(crate) fn follow(inner: &Inner, target: &ContainerId) -> Result<()> {
    for (id, _) in inner.db.read(|tx| tx.links_to(target))? {
        if let Some(row) = inner.db.read(|tx| tx.container(&id))?
            && truth::look(inner, &row)?.is_alive()
        {
            rewrite(inner, &row)?;
        }
    }
    Ok(())
}

/// Writes again what a running container has in its /etc/hosts.
pub(crate) fn rewrite(inner: &Inner, row: &ContainerRow) -> Result<()> {
    let stored = Stored::parse(&row.id, &row.config)?;
    let ends = leave::held_by(inner, &row.id)?.ends;
    let names = network_files::Names {
        host: stored.hostname(&row.id),
        domain: stored.config.domainname.clone(),
    };
    let around = network_files::Around {
        ends: &ends,
        links: &alive(inner, row)?,
    };
    network_files::write_hosts(&inner.container_dir(&row.id), &stored.host, &names, &around)
}

/// The environment that a link gives. Docker's names, order and rules: contiguous ports also as a range, TCP first. Pure.
pub(crate) fn environment(parent: &str, linked: &Linked) -> Vec<String> {
    let prefix = linked.alias.to_ascii_uppercase().replace('-', "_");
    let ip = linked.address;
    let all = exposed(&linked.stored.config);
    let mut env = Vec::new();
    if let Some((port, protocol)) = all.iter().min_by_key(|(port, protocol)| {
        // Of two protocols of the lowest port, or at all, TCP.
        (*protocol != Protocol::Tcp, *port)
    }) {
        env.push(format!("{prefix}_PORT={protocol}://{ip}:{port}"));
    }
    for run in runs(&all) {
        let (Some((first, protocol)), Some((last, _))) = (run.first(), run.last()) else {
            continue;
        };
        if first == last {
            continue;
        }
        let upper = protocol.name().to_ascii_uppercase();
        let from = format!("{prefix}_PORT_{first}_{upper}");
        let to = format!("{prefix}_PORT_{last}_{upper}");
        env.push(format!("{from}_START={protocol}://{ip}:{first}"));
        env.push(format!("{from}_ADDR={ip}"));
        env.push(format!("{from}_PROTO={protocol}"));
        env.push(format!("{from}_PORT_START={first}"));
        env.push(format!("{to}_END={protocol}://{ip}:{last}"));
        env.push(format!("{to}_PORT_END={last}"));
    }
    for (port, protocol) in &all {
        let upper = protocol.name().to_ascii_uppercase();
        let name = format!("{prefix}_PORT_{port}_{upper}");
        env.push(format!("{name}={protocol}://{ip}:{port}"));
        env.push(format!("{name}_ADDR={ip}"));
        env.push(format!("{name}_PORT={port}"));
        env.push(format!("{name}_PROTO={protocol}"));
    }
    env.push(format!("{prefix}_NAME=/{parent}/{}", linked.alias));
    for variable in &linked.stored.config.env {
        if let Some((name, value)) = variable.split_once('=')
            && !matches!(name, "HOME" | "PATH")
        {
            env.push(format!("{prefix}_ENV_{name}={value}"));
        }
    }
    env
}

/// The ports that a container exposes: TCP first, then by number.
fn exposed(config: &Config) -> Vec<(u16, Protocol)> {
    let all: BTreeSet<(Protocol, u16)> = config
        .exposed_ports
        .iter()
        .filter_map(|text| ports::parse_port(text).ok())
        .flat_map(|(ports, protocol)| {
            (ports.first()..=ports.last()).map(move |port| (protocol, port))
        })
        .collect();
    all.into_iter()
        .map(|(protocol, port)| (port, protocol))
        .collect()
}

/// Ports one after the other of one protocol.
fn runs(all: &[(u16, Protocol)]) -> impl Iterator<Item = &[(u16, Protocol)]> {
    all.chunk_by(|(a, p), (b, q)| p == q && a.checked_add(1) == Some(*b))
}

/// What a container's links say of it, as descriptions of containers have it: `/db:/web/data`.
pub(crate) fn shown(inner: &Inner, row: &ContainerRow) -> Result<Vec<String>> {
    Ok(inner.db.read(|tx| {
        let mut all = Vec::new();
        for (alias, target) in tx.links_of(&row.id)? {
            if let Some(target) = tx.container(&target)? {
                all.push(format!("/{}:/{}/{alias}", target.name, row.name));
            }
        }
        Ok(all)
    })?)
}

/// Takes a link away: `parent/alias`.
pub(crate) fn remove(inner: &Inner, name: &str) -> Result<()> {
    let missing = || Error::not_found(format!("No such link: {name}"));
    let bare = name.strip_prefix('/').unwrap_or(name);
    let (parent, alias) = bare.split_once('/').ok_or_else(missing)?;
    let row = containers::find(inner, parent)?;
    let _lock = inner.lock_container(&row.id)?;
    if !inner.db.write(|tx| tx.remove_link(&row.id, alias))? {
        return Err(missing());
    }
    let mut stored = Stored::parse(&row.id, &row.config)?;
    let known = |text: &String| parse_link(text).is_ok_and(|(_, other)| other == alias);
    stored.host.links.retain(|text| !known(text));
    let config = stored.to_json()?;
    inner
        .db
        .write(|tx| tx.configure_container(&row.id, &config))?;
    if truth::look_locked(inner, &row)?.is_alive() {
        let row = containers::again(inner, &row)?;
        let ends = leave::held_by(inner, &row.id)?.ends;
        super::names::resolve(inner, &row, &stored, &ends)?;
        rewrite(inner, &row)?;
    }
    Ok(())
}

/// What a container that starts gets of its links: their environment before its own.
pub(crate) fn with_environment(row: &ContainerRow, stored: &Stored, links: &[Linked]) -> Stored {
    let mut stored = stored.clone();
    let env: Vec<String> = links
        .iter()
        .flat_map(|link| environment(&row.name, link))
        .collect();
    stored.config.env = crate::container::merge::merge_env(&env, &stored.config.env);
    stored
}

/// Whether a container has any place on the default network: only then links mean something.
pub(crate) fn has_ends(joined: &attach::Joined) -> bool {
    joined
        .ends
        .iter()
        .any(|(network, _)| network.name == DEFAULT)
}
