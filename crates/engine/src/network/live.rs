//! A network more or less for a container, running or not.

use std::os::fd::AsFd;

use ::network::{Binding, Endpoint, Network, NetworkId, Publish};
use spec::ContainerId;
use state::{ContainerRow, EntryId, LockKind, NewEntry};

use super::request::{EndpointRequest, Mode};
use super::{again, attach, decide, event, leave, links, lookup, names, ports, request};
use crate::container::lookup as containers;
use crate::container::stored::Stored;
use crate::error::{Error, Result};
use crate::open::Inner;
use crate::truth;

/// The journal's word for one that a running container is being taken off; a connection that was killed half way is undone in the same way.
pub(crate) const PART: &str = "network.part";

/// Puts a container on one more network: at once if it runs, and at every start.
pub(crate) fn connect(
    inner: &Inner,
    container: &str,
    network: &str,
    request: EndpointRequest,
) -> Result<()> {
    let network = lookup::find(inner, network)?;
    request::check(&request)?;
    let found = containers::find(inner, container)?;
    let _lock = inner.lock_container(&found.id)?;
    let row = containers::again(inner, &found)?;
    let mut stored = Stored::parse(&row.id, &row.config)?;
    admit(&network, &row, &stored)?;
    let runs = truth::look_locked(inner, &row)?.is_alive();
    stored
        .networks
        .insert(network.name.clone(), request.clone());
    let config = stored.to_json()?;
    if !runs {
        inner
            .db
            .write(|tx| tx.configure_container(&row.id, &config))?;
        return Ok(());
    }
    let namespace = attach::namespace_of(inner, &row)?;
    let _networks = inner.lock_networks()?;
    let mut ends = leave::held_by(inner, &row.id)?.ends;
    let taken = attach::taken(inner, &network, &request)?;
    let used: Vec<String> = ends.iter().map(|(_, e)| e.interface.clone()).collect();
    let interface = decide::interface(&network, &request, &used);
    let end = decide::end(&row.id, &network, &request, &interface, &taken)?;
    let rows = [attach::end_row(&end)?];
    let entry = begin(inner, &row.id, &network.id, |tx| {
        attach::put_ends(tx, &rows)
    })?;
    ends.push((network.clone(), end));
    let pairs: Vec<(&Network, &Endpoint)> = ends.iter().map(|(n, e)| (n, e)).collect();
    let fabric = inner.fabric();
    let done = fabric
        .attach(&pairs, &[], namespace.as_fd())
        .map_err(Error::from)
        .and_then(|attached| {
            if attached.rules_were_gone {
                again::apply(inner)?;
            }
            names::give(inner, &row, &stored, &ends)
        });
    if let Err(error) = done {
        drop(part(inner, &row, &network.id, entry));
        return Err(error);
    }
    inner.db.write(|tx| {
        tx.configure_container(&row.id, &config)?;
        tx.finish(entry)
    })?;
    event::moved(inner, &network, &row.id, "connect");
    links::rewrite(inner, &containers::again(inner, &row)?)
}

/// Takes a container off a network: at once if it runs, and for every start.
pub(crate) fn disconnect(inner: &Inner, container: &str, network: &str) -> Result<()> {
    let network = lookup::find(inner, network)?;
    let found = containers::find(inner, container)?;
    let _lock = inner.lock_container(&found.id)?;
    let row = containers::again(inner, &found)?;
    let mut stored = Stored::parse(&row.id, &row.config)?;
    if Mode::of(&stored.host.network_mode) == Mode::Host && network.name == "host" {
        return Err(Error::conflict(
            "container cannot be disconnected from host network or connected to host network",
        ));
    }
    if stored.networks.remove(&network.name).is_none() {
        return Err(Error::conflict(format!(
            "container {} is not connected to network {}",
            row.id, network.name
        )));
    }
    let config = stored.to_json()?;
    if !truth::look_locked(inner, &row)?.is_alive() {
        inner
            .db
            .write(|tx| tx.configure_container(&row.id, &config))?;
        return Ok(());
    }
    let _networks = inner.lock_networks()?;
    let entry = begin(inner, &row.id, &network.id, |tx| {
        tx.configure_container(&row.id, &config).map(drop)
    })?;
    part(inner, &containers::again(inner, &row)?, &network.id, entry)
}

/// Whether a container may be on a network beside those that it is on.
fn admit(network: &Network, row: &ContainerRow, stored: &Stored) -> Result<()> {
    let refused = |why: &str| Err(Error::conflict(why));
    match Mode::of(&stored.host.network_mode) {
        Mode::Host | Mode::Container(_) => {
            return refused(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            );
        }
        Mode::Nothing => {
            return refused(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            );
        }
        Mode::Networks(_) => {}
    }
    if !network.driver.has_links() {
        return refused(
            "container cannot be disconnected from host network or connected to host network",
        );
    }
    if stored.networks.contains_key(&network.name) {
        return Err(Error::conflict(format!(
            "endpoint with name {} already exists in network {}",
            row.name, network.name
        )));
    }
    Ok(())
}

fn begin(
    inner: &Inner,
    id: &ContainerId,
    network: &NetworkId,
    also: impl FnOnce(&state::Tx<'_>) -> Result<(), state::Error>,
) -> Result<EntryId> {
    let subject = id.to_string();
    let owner = inner.owner()?;
    Ok(inner.db.write(|tx| {
        also(tx)?;
        tx.begin(&NewEntry {
            kind: PART,
            subject: &subject,
            owner,
            payload: network.as_str(),
            created_at: inner.nanos(),
        })
    })?)
}

/// Takes a running container off a network, and strikes the operation out. What was published there is published where the container is reached now. May be
/// done again. The caller holds the container's lock and that of all networks.
fn part(inner: &Inner, row: &ContainerRow, network: &NetworkId, entry: EntryId) -> Result<()> {
    let stored = Stored::parse(&row.id, &row.config)?;
    let leave::Held { ends, bindings } = leave::held_by(inner, &row.id)?;
    let (gone, left): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(n, _)| n.id == *network);
    let Some((network, end)) = gone.into_iter().next() else {
        return Ok(inner.db.write(|tx| tx.finish(entry))?);
    };
    let leads_there = |binding: &Binding| {
        let addresses = [end.v4.map(Into::into), end.v6.map(Into::into)];
        addresses.contains(&Some(binding.target))
    };
    let lost: Vec<Binding> = bindings.into_iter().filter(leads_there).collect();
    let namespace = attach::namespace_of(inner, row)?;
    let pairs: Vec<(&Network, &Endpoint)> = left.iter().map(|(n, e)| (n, e)).collect();
    let fabric = inner.fabric();
    let ended = [(network.clone(), end.clone())];
    names::take(inner, &row.id, &ended)?;
    fabric.disconnect((&network, &end), &lost, &pairs, namespace.as_fd())?;
    inner.db.write(|tx| {
        tx.remove_endpoint(network.id.as_str(), &row.id)?;
        for binding in &lost {
            tx.remove_port(
                binding.protocol.number(),
                binding.host.first(),
                binding.host_ip,
            )?;
        }
        tx.finish(entry)
    })?;
    publish_again(inner, row, &lost, &pairs)?;
    event::moved(inner, &network, &row.id, "disconnect");
    names::resolve(inner, row, &stored, &left)?;
    links::rewrite(inner, row)?;
    again::sweep_later(inner, &[network.id])
}

fn publish_again(
    inner: &Inner,
    row: &ContainerRow,
    lost: &[Binding],
    left: &[(&Network, &Endpoint)],
) -> Result<()> {
    let fabric = inner.fabric();
    let wish = |binding: &Binding| {
        Some(Publish {
            host_ip: Some(binding.host_ip),
            host: Some(binding.host),
            container: ::network::Ports::new(
                binding.container_first,
                binding
                    .container_first
                    .checked_add(binding.host.len() - 1)?,
            )
            .ok()?,
            protocol: binding.protocol,
        })
    };
    // A family that no network has any more has no ports either.
    let reached = |binding: &&Binding| {
        let family = ::network::Family::of(binding.host_ip);
        left.iter().any(|(_, end)| end.address(family).is_some())
    };
    let wishes: Vec<Publish> = lost
        .iter()
        .filter(|binding| !binding.is_direct())
        .filter(reached)
        .filter_map(wish)
        .collect();
    let held = attach::held(inner, &wishes, &fabric)?;
    let found = decide::bindings(&wishes, left, &held, &fabric)?;
    inner.db.write(|tx| {
        for binding in &found {
            tx.add_port(&ports::row(binding, &row.id))?;
        }
        Ok(())
    })?;
    for (network, end) in left {
        let here: Vec<Binding> = found
            .iter()
            .filter(|b| end.address(::network::Family::of(b.target)) == Some(b.target))
            .copied()
            .collect();
        if !here.is_empty() {
            fabric.publish(network, &here)?;
        }
    }
    Ok(())
}

/// Takes a container off a network where a killed engine has put it half, or half taken it off.
pub(crate) fn resume(inner: &Inner, id: &ContainerId, network: &str, entry: EntryId) -> Result<()> {
    let lock = inner.locks.try_lock(LockKind::Container, &id.to_string())?;
    let row = inner.db.read(|tx| tx.container(id))?;
    let (Some(_lock), Some(row)) = (&lock, row) else {
        return Ok(inner.db.write(|tx| tx.finish(entry))?);
    };
    if truth::look_locked(inner, &row)?.is_alive() {
        let _networks = inner.lock_networks()?;
        return part(inner, &row, &network.parse()?, entry);
    }
    leave::leave(inner, id)?;
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}
