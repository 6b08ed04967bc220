//! Ports more or less of a container, running or not. What is changed for one that runs is journaled: who is killed half way leaves rows from which the rules
//! are made again.

use std::collections::{BTreeMap, BTreeSet};

use ::network::{Binding, Endpoint, Family, Network, Ports, Publish};
use failpoint::failpoint;
use spec::ContainerId;
use state::{ContainerRow, EntryId, NewEntry, Tx};

use super::request::Mode;
use super::view::PublishedPort;
use super::{Networks, again, attach, decide, leave, ports};
use crate::container::lookup as containers;
use crate::container::stored::Stored;
use crate::container::{Config, HostConfig, PortBinding};
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::open::Inner;
use crate::truth;

#[cfg(test)]
mod tests;

/// The journal's word for it.
pub(crate) const KIND: &str = "network.ports";

/// Ports of a container by `80/tcp`, and where on the host, as at its creation.
pub type PortRequest = BTreeMap<String, Vec<PortBinding>>;

/// What became of a request for ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Republished {
    /// What leads to the container now that did not, or did and does not any more. Empty for one that does not run.
    pub ports: Vec<PublishedPort>,
    /// What the user should hear.
    pub warnings: Vec<String>,
}

impl Networks {
    /// Publishes more ports of a container: at once if it runs, and at every start. Either all or none.
    ///
    /// # Errors
    /// There is no such container, it has no network of its own, or a port is taken.
    pub async fn publish(&self, container: &str, asked: PortRequest) -> Result<Republished> {
        let container = container.to_owned();
        self.engine
            .step(move |engine| publish(&engine.0, &container, asked))
            .await
    }

    /// Takes published ports of a container back: at once if it runs, and for every start. Either all or none.
    ///
    /// # Errors
    /// There is no such container, or one of the ports is not published so.
    pub async fn unpublish(&self, container: &str, asked: PortRequest) -> Result<Republished> {
        let container = container.to_owned();
        self.engine
            .step(move |engine| unpublish(&engine.0, &container, &asked))
            .await
    }
}

fn publish(inner: &Inner, container: &str, asked: PortRequest) -> Result<Republished> {
    let found = containers::find(inner, container)?;
    let _lock = inner.lock_container(&found.id)?;
    let row = containers::again(inner, &found)?;
    let mut stored = Stored::parse(&row.id, &row.config)?;
    let wishes = wishes(&asked)?;
    if !matches!(Mode::of(&stored.host.network_mode), Mode::Networks(_)) {
        return Err(Error::conflict(format!(
            "container {} has no network of its own: its network mode is {}",
            row.name, stored.host.network_mode
        )));
    }
    for (key, bindings) in asked {
        stored.config.exposed_ports.insert(key.clone());
        let there = stored.host.port_bindings.entry(key).or_default();
        let new = bindings.into_iter().filter(|one| !there.contains(one));
        let new: Vec<_> = new.collect();
        there.extend(new);
    }
    let config = stored.to_json()?;
    let mut done = Republished::default();
    if truth::look_locked(inner, &row)?.is_alive() {
        let _networks = inner.lock_networks()?;
        done = publish_live(inner, &row, &wishes, &config)?;
    } else {
        inner
            .db
            .write(|tx| tx.configure_container(&row.id, &config))?;
    }
    inner.record(Happened::to_container(&row, "update"));
    Ok(done)
}

/// The caller holds the container's lock and that of all networks.
fn publish_live(
    inner: &Inner,
    row: &ContainerRow,
    wishes: &[Publish],
    config: &str,
) -> Result<Republished> {
    let fabric = inner.fabric();
    let ends = leave::held_by(inner, &row.id)?.ends;
    let pairs: Vec<(&Network, &Endpoint)> = ends.iter().map(|(n, e)| (n, e)).collect();
    leave::dead(inner)?;
    let held = attach::held(inner, wishes, &fabric)?;
    let found = decide::bindings(wishes, &pairs, &held, &fabric)?;
    if found.is_empty() {
        return Err(Error::conflict(format!(
            "container {} is on no network whose ports can be published",
            row.name
        )));
    }
    let entry = begin(inner, &row.id, |tx| {
        for binding in &found {
            tx.add_port(&ports::row(binding, &row.id))?;
        }
        Ok(())
    })?;
    failpoint!("network.ports.reserved");
    let mut warnings = Vec::new();
    let done = pairs.iter().try_for_each(|(network, end)| {
        let here = leading_to(&found, end);
        if !here.is_empty() {
            warnings.extend(fabric.publish(network, &here)?);
        }
        Ok(())
    });
    if let Err(error) = done {
        drop(take(inner, &row.id, &found, entry, |_| Ok(())));
        return Err(error);
    }
    inner.db.write(|tx| {
        tx.configure_container(&row.id, config)?;
        tx.finish(entry)
    })?;
    Ok(Republished {
        ports: shown(&found),
        warnings: warnings
            .into_iter()
            .map(|warning: ::network::Warning| match warning.hint {
                Some(hint) => format!("{} (try: {hint})", warning.message),
                None => warning.message,
            })
            .collect(),
    })
}

fn leading_to(bindings: &[Binding], end: &Endpoint) -> Vec<Binding> {
    let its = |b: &&Binding| end.address(Family::of(b.target)) == Some(b.target);
    bindings.iter().filter(its).copied().collect()
}

fn unpublish(inner: &Inner, container: &str, asked: &PortRequest) -> Result<Republished> {
    let found = containers::find(inner, container)?;
    let _lock = inner.lock_container(&found.id)?;
    let row = containers::again(inner, &found)?;
    let mut stored = Stored::parse(&row.id, &row.config)?;
    let wishes = wishes(asked)?;
    let runs = truth::look_locked(inner, &row)?.is_alive();
    let bindings = if runs {
        leave::held_by(inner, &row.id)?.bindings
    } else {
        Vec::new()
    };
    let mut gone = Vec::new();
    for wish in &wishes {
        let parts: Vec<Binding> = bindings.iter().filter_map(|b| meet(b, wish)).collect();
        let forgotten = forget(&mut stored.host, wish, &parts)?;
        if parts.is_empty() && !forgotten {
            return Err(not_published(&row, &stored, wish));
        }
        gone.extend(parts);
    }
    let config = stored.to_json()?;
    if gone.is_empty() {
        inner
            .db
            .write(|tx| tx.configure_container(&row.id, &config))?;
    } else {
        let _networks = inner.lock_networks()?;
        let entry = begin(inner, &row.id, |_| Ok(()))?;
        failpoint!("network.ports.begun");
        take(inner, &row.id, &gone, entry, |tx| {
            tx.configure_container(&row.id, &config)
        })?;
    }
    inner.record(Happened::to_container(&row, "update"));
    Ok(Republished {
        ports: shown(&gone),
        warnings: Vec::new(),
    })
}

fn not_published(row: &ContainerRow, stored: &Stored, wish: &Publish) -> Error {
    let error = Error::not_found(format!(
        "no public port '{}/{}' published for {}",
        wish.container, wish.protocol, row.name
    ));
    if stored.host.publish_all_ports {
        error.hint("ports of --publish-all are not there while the container does not run")
    } else {
        error.hint(format!("tare port {} lists them", row.name))
    }
}

fn begin(
    inner: &Inner,
    id: &ContainerId,
    also: impl FnOnce(&Tx<'_>) -> Result<(), state::Error>,
) -> Result<EntryId> {
    let subject = id.to_string();
    let owner = inner.owner()?;
    Ok(inner.db.write(|tx| {
        also(tx)?;
        tx.begin(&NewEntry {
            kind: KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })
    })?)
}

/// Takes these ports, which may be parts of what is published together, from the host and from the rows; strikes the operation out.
fn take(
    inner: &Inner,
    id: &ContainerId,
    gone: &[Binding],
    entry: EntryId,
    also: impl FnOnce(&Tx<'_>) -> Result<(), state::Error>,
) -> Result<()> {
    inner.fabric().unpublish(gone)?;
    failpoint!("network.ports.taken");
    let whole = leave::held_by(inner, id)?.bindings;
    Ok(inner.db.write(|tx| {
        for one in &whole {
            let left = without(*one, gone);
            if left != [*one] {
                tx.remove_port(one.protocol.number(), one.host.first(), one.host_ip)?;
                for part in &left {
                    tx.add_port(&ports::row(part, id))?;
                }
            }
        }
        also(tx)?;
        tx.finish(entry)
    })?)
}

/// Who was killed half way had the rows right: the rules follow from them.
pub(crate) fn resume(inner: &Inner, entry: EntryId) -> Result<()> {
    let _networks = inner.lock_networks()?;
    again::apply(inner)?;
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}

fn wishes(asked: &PortRequest) -> Result<Vec<Publish>> {
    let host = HostConfig {
        port_bindings: asked.clone(),
        ..HostConfig::default()
    };
    let wishes = ports::wishes(&Config::default(), &host)?;
    if wishes.is_empty() {
        return Err(Error::invalid("no port is named"));
    }
    Ok(wishes)
}

/// The part of a binding that a wish is about: that of its container ports, and of its host ports and address where it names them. Pure.
fn meet(binding: &Binding, wish: &Publish) -> Option<Binding> {
    let address = wish.host_ip.is_none_or(|ip| ip == binding.host_ip);
    if binding.protocol != wish.protocol || !address {
        return None;
    }
    let first = binding.container_first.max(wish.container.first());
    let last = binding
        .container_first
        .checked_add(binding.host.len() - 1)?
        .min(wish.container.last());
    if first > last {
        return None;
    }
    let offset = first - binding.container_first;
    let host = Ports::new(
        binding.host.first() + offset,
        binding.host.first() + offset + (last - first),
    )
    .ok()?;
    if let Some(wanted) = wish.host {
        let same = wanted.first() <= host.first() && host.last() <= wanted.last();
        let shifted = wanted.len() == wish.container.len()
            && host.first() - wanted.first().min(host.first()) != first - wish.container.first();
        if !same || shifted {
            return None;
        }
    }
    Some(Binding {
        host,
        container_first: first,
        ..*binding
    })
}

/// What is left of a binding without these parts of it. Pure.
fn without(binding: Binding, gone: &[Binding]) -> Vec<Binding> {
    let mut left = vec![binding];
    for hole in gone.iter().filter(|hole| {
        hole.protocol == binding.protocol
            && hole.host_ip == binding.host_ip
            && hole.target == binding.target
    }) {
        left = left.into_iter().flat_map(|one| cut(one, hole)).collect();
    }
    left
}

fn cut(one: Binding, hole: &Binding) -> Vec<Binding> {
    if !one.host.overlaps(hole.host) {
        return vec![one];
    }
    let mut parts = Vec::new();
    if let Ok(host) = Ports::new(one.host.first(), hole.host.first().saturating_sub(1)) {
        parts.push(Binding { host, ..one });
    }
    if let Some(after) = hole.host.last().checked_add(1)
        && let Ok(host) = Ports::new(after, one.host.last())
    {
        parts.push(Binding {
            host,
            container_first: one.container_first + (after - one.host.first()),
            ..one
        });
    }
    parts
}

/// Takes out of what is published at every start what a wish names, or what leads to the ports that were just found. Whether something was there. Pure.
fn forget(host: &mut HostConfig, wish: &Publish, parts: &[Binding]) -> Result<bool> {
    let mut forgotten = false;
    let mut kept = BTreeMap::new();
    for (key, bindings) in std::mem::take(&mut host.port_bindings) {
        let (inside, protocol) = ports::parse_port(&key)?;
        let (mut left, mut touched) = (Vec::new(), false);
        for binding in bindings {
            if protocol == wish.protocol
                && inside.overlaps(wish.container)
                && means(&binding, inside, wish, parts)
            {
                touched = true;
                left.extend(spared(&binding, inside, wish));
            } else {
                left.push((inside, binding));
            }
        }
        forgotten |= touched;
        for (ports, binding) in left {
            kept.entry(format!("{ports}/{protocol}"))
                .or_insert_with(Vec::new)
                .push(binding);
        }
    }
    host.port_bindings = kept;
    Ok(forgotten)
}

fn means(binding: &PortBinding, inside: Ports, wish: &Publish, parts: &[Binding]) -> bool {
    let own_ip = binding.host_ip.parse().ok();
    if wish.host_ip.is_some() && wish.host_ip != own_ip {
        return false;
    }
    match (wish.host, binding.host_port.as_str()) {
        (None, _) => true,
        // Any port of the host: it is the one that was found.
        (Some(_), "" | "0") => !parts.is_empty(),
        (Some(wanted), text) => match ports::parse_port(text) {
            Ok((host, _)) if host.len() == inside.len() => {
                wanted.overlaps(host)
                    && (wanted.len() != wish.container.len()
                        || i32::from(host.first()) - i32::from(inside.first())
                            == i32::from(wanted.first()) - i32::from(wish.container.first()))
            }
            // One of several: it is the one that was found.
            Ok((host, _)) => wanted == host || parts.iter().any(|part| part.host.overlaps(host)),
            Err(_) => false,
        },
    }
}

/// What is left of an entry for several ports of which a wish names some.
fn spared(binding: &PortBinding, inside: Ports, wish: &Publish) -> Vec<(Ports, PortBinding)> {
    let host = match ports::parse_port(&binding.host_port) {
        Ok((host, _)) if host.len() == inside.len() => Some(host),
        _ => None,
    };
    let named: BTreeSet<u16> = (wish.container.first()..=wish.container.last()).collect();
    (inside.first()..=inside.last())
        .filter(|port| !named.contains(port))
        .filter_map(|port| {
            let host_port = match host {
                Some(host) => (host.first() + (port - inside.first())).to_string(),
                None => binding.host_port.clone(),
            };
            let host_ip = binding.host_ip.clone();
            Some((Ports::one(port).ok()?, PortBinding { host_ip, host_port }))
        })
        .collect()
}

fn shown(bindings: &[Binding]) -> Vec<PublishedPort> {
    let mut all: Vec<PublishedPort> = bindings
        .iter()
        .flat_map(|binding| {
            (0..binding.host.len()).map(|n| PublishedPort {
                private: binding.container_first.saturating_add(n),
                protocol: binding.protocol,
                public: Some((binding.host_ip, binding.host.first().saturating_add(n))),
            })
        })
        .collect();
    all.sort();
    all
}
