//! A container that has ended gives back what it has on networks.

use std::path::Path;

use ::network::{Binding, Endpoint, Network, NetworkId};
use failpoint::failpoint;
use protocol::Liveness;
use spec::ContainerId;
use state::{EndpointRow, EntryId, LockKind, NewEntry, PortRow};

use super::{again, event, lookup, names, ports};
use crate::container::Containers;
use crate::error::Result;
use crate::open::Inner;

/// The journal's word for it.
pub(crate) const KIND: &str = "network.leave";

/// Gives back all that a container has; nothing is no error. The caller holds the container's lock, and the container does not run.
pub(crate) fn leave(inner: &Inner, id: &ContainerId) -> Result<()> {
    if !has_rows(inner, id)? {
        return Ok(());
    }
    let _lock = inner.lock_networks()?;
    let left = leave_locked(inner, id)?;
    again::sweep_later(inner, &left)
}

fn has_rows(inner: &Inner, id: &ContainerId) -> Result<bool> {
    Ok(inner
        .db
        .read(|tx| Ok(!tx.endpoints_of(id)?.is_empty() || !tx.ports_of(id)?.is_empty()))?)
}

/// As [`leave`], for who holds the lock of all networks too: first what is on the host, then the rows, so that nobody gets an address or a port whose rules are
/// still to be taken away.
fn leave_locked(inner: &Inner, id: &ContainerId) -> Result<Vec<NetworkId>> {
    let subject = id.to_string();
    let owner = inner.owner()?;
    let entry = inner.db.write(|tx| {
        tx.begin(&NewEntry {
            kind: KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })
    })?;
    failpoint!("network.leave.begun");
    finish(inner, id, entry)
}

/// Takes everything away, and strikes the operation out. May be done again. Gives the networks that were left.
pub(super) fn finish(inner: &Inner, id: &ContainerId, entry: EntryId) -> Result<Vec<NetworkId>> {
    let done = undo(inner, id);
    failpoint!("network.leave.undone");
    match done {
        Ok(left) => {
            inner.db.write(|tx| {
                tx.remove_endpoints_of(id)?;
                tx.remove_ports_of(id)?;
                tx.finish(entry)
            })?;
            forget(&inner.run_dir(id));
            for network in &left {
                event::moved(inner, network, id, "disconnect");
            }
            Ok(left.into_iter().map(|network| network.id).collect())
        }
        Err(error) => {
            drop(inner.db.write(|tx| tx.give_up(entry)));
            Err(error)
        }
    }
}

/// Takes away what a container's rows say that it has on the host.
fn undo(inner: &Inner, id: &ContainerId) -> Result<Vec<Network>> {
    let Held { ends, bindings } = held_by(inner, id)?;
    names::take(inner, id, &ends)?;
    let pairs: Vec<(&Network, &Endpoint)> = ends.iter().map(|(n, e)| (n, e)).collect();
    inner.fabric().detach(&pairs, &bindings)?;
    Ok(ends.into_iter().map(|(network, _)| network).collect())
}

/// What a container has on networks.
#[derive(Debug)]
pub(crate) struct Held {
    /// In the order of their interfaces' names.
    pub(crate) ends: Vec<(Network, Endpoint)>,
    pub(crate) bindings: Vec<Binding>,
}

/// What a container has on networks.
pub(crate) fn held_by(inner: &Inner, id: &ContainerId) -> Result<Held> {
    let (ends, ports, networks) = inner
        .db
        .read(|tx| Ok((tx.endpoints_of(id)?, tx.ports_of(id)?, tx.networks()?)))?;
    let networks: Vec<Network> = networks.iter().map(lookup::decode).collect::<Result<_>>()?;
    let mut pairs = Vec::new();
    for row in &ends {
        let end = decode(row)?;
        if let Some(network) = networks.iter().find(|n| n.id == end.network) {
            pairs.push((network.clone(), end));
        }
    }
    pairs.sort_by(|(_, a), (_, b)| a.interface.cmp(&b.interface));
    Ok(Held {
        ends: pairs,
        bindings: bindings(&ports),
    })
}

/// The bindings of rows.
pub(crate) fn bindings(rows: &[PortRow]) -> Vec<Binding> {
    rows.iter().filter_map(ports::binding).collect()
}

/// The row's end.
pub(crate) fn decode(row: &EndpointRow) -> Result<Endpoint> {
    serde_json::from_str(&row.config).map_err(|e| {
        crate::error::Error::internal(
            format!("read the place of container {} on a network", row.container),
            e,
        )
    })
}

/// Gives back what containers still have that have ended, all of them; how many there were. The caller holds the lock of all networks.
pub(crate) fn dead(inner: &Inner) -> Result<usize> {
    let (ends, ports) = inner.db.read(|tx| Ok((tx.endpoints()?, tx.ports()?)))?;
    let mut holders: Vec<ContainerId> = ends
        .iter()
        .map(|row| row.container)
        .chain(ports.iter().map(|row| row.container))
        .collect();
    holders.sort();
    holders.dedup();
    let mut count = 0;
    for id in &holders {
        if protocol::probe(&inner.config.paths.run, id)?.is_alive() {
            continue;
        }
        // Who holds it starts it or clears up after it himself.
        let Some(_lock) = inner.locks.try_lock(LockKind::Container, &id.to_string())? else {
            continue;
        };
        if !matches!(
            protocol::probe(&inner.config.paths.run, id)?,
            Liveness::Starting | Liveness::Running(_)
        ) {
            leave_locked(inner, id)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Finishes what a killed engine began: a start that came to nothing, or an end.
pub(crate) fn resume(inner: &Inner, id: &ContainerId, entry: EntryId) -> Result<()> {
    let lock = inner.locks.try_lock(LockKind::Container, &id.to_string())?;
    let alive = protocol::probe(&inner.config.paths.run, id)?.is_alive();
    // Who holds the container's lock begins with what was left.
    if let (Some(_held), false) = (&lock, alive)
        && has_rows(inner, id)?
    {
        let _networks = inner.lock_networks()?;
        let left = finish(inner, id, entry)?;
        return again::sweep_later(inner, &left);
    }
    Ok(inner.db.write(|tx| tx.finish(entry))?)
}

/// Whether a container's run directory says that it is on networks: what its monitor looks at when the container has ended.
pub(crate) fn forget(run_dir: &Path) {
    for name in [protocol::names::FILE, "~names"] {
        // What stays is found by the check, and ends with the boot.
        drop(std::fs::remove_file(run_dir.join(name)));
    }
}

impl Containers {
    /// Gives back what a container has on networks, if it has ended: what its monitor asks for when the container stays.
    ///
    /// # Errors
    /// The kernel refused, or the database can't be written. One that is gone or runs is no error.
    pub async fn leave_networks(&self, id: &ContainerId) -> Result<()> {
        let id = *id;
        self.engine
            .step(move |engine| {
                let inner = &*engine.0;
                let _lock = inner.lock_container(&id)?;
                if protocol::probe(&inner.config.paths.run, &id)?.is_alive() {
                    return Ok(());
                }
                leave(inner, &id)
            })
            .await
    }
}
