//! Removing networks that no container is on. First what is on the host, then the row: who is killed in between leaves a network that is not on the host, as
//! any that nobody is on.

use ::network::Network;
use failpoint::failpoint;
use jiff::Timestamp;
use state::EndpointRow;

use super::create::is_predefined;
use super::event::happened;
use super::{Networks, again, leave, lookup, names};
use crate::container::list::{labelled, nanos};
use crate::error::{Error, Kind, Result};
use crate::event::{Happened, Subject};
use crate::open::Inner;

/// Which of the networks that no container is on are removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneNetworks {
    /// Only those that were made before.
    pub until: Option<Timestamp>,
    /// Only those with all of these labels: `key` or `key=value`.
    pub with: Vec<String>,
    /// Only those with none of these.
    pub without: Vec<String>,
}

impl Networks {
    /// Removes a network.
    ///
    /// # Errors
    /// There is no such network, every host has it, or a container is on it.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| remove(&engine.0, &name))
            .await
    }

    /// Removes all networks that no container is on, and what killed engines have left of any on the host; gives the networks' names.
    ///
    /// # Errors
    /// The kernel refused, or the database can't be written.
    pub async fn prune(&self, which: PruneNetworks) -> Result<Vec<String>> {
        self.engine
            .step(move |engine| prune(&engine.0, &which))
            .await
    }
}

fn remove(inner: &Inner, name: &str) -> Result<()> {
    let network = lookup::find(inner, name)?;
    if is_predefined(&network.name) {
        return Err(Error::new(
            Kind::Forbidden,
            format!(
                "{} is a pre-defined network and cannot be removed",
                network.name
            ),
        ));
    }
    let _lock = inner.lock_networks()?;
    let mut ends = ends_on(inner, &network)?;
    // One that has ended may not have been cleared up after.
    if !ends.is_empty() && leave::dead(inner)? > 0 {
        ends = ends_on(inner, &network)?;
    }
    if !ends.is_empty() {
        return Err(in_use(inner, &network, &ends)?);
    }
    if remove_locked(inner, &network)? {
        Ok(())
    } else {
        Err(lookup::missing(name))
    }
}

fn ends_on(inner: &Inner, network: &Network) -> Result<Vec<EndpointRow>> {
    Ok(inner.db.read(|tx| tx.endpoints_on(network.id.as_str()))?)
}

fn in_use(inner: &Inner, network: &Network, ends: &[EndpointRow]) -> Result<Error> {
    let mut holders = Vec::new();
    for end in ends {
        let row = inner.db.read(|tx| tx.container(&end.container))?;
        let name = row.map(|row| row.name).unwrap_or_default();
        holders.push(format!("name:{name:?} id:\"{}\"", end.container.short()));
    }
    Ok(Error::new(
        Kind::Forbidden,
        format!(
            "error while removing network: network {} has active endpoints ({})",
            network.name,
            holders.join(", ")
        ),
    ))
}

/// Removes a network that nobody is on; whether it was there. The caller holds the lock of all networks.
fn remove_locked(inner: &Inner, network: &Network) -> Result<bool> {
    let fabric = inner.fabric();
    if fabric.is_up(network)? {
        fabric.remove_network(network)?;
    }
    names::forget(inner, &network.id)?;
    failpoint!("network.remove.after_host");
    let gone = inner
        .db
        .write(|tx| tx.remove_network(network.id.as_str()))?;
    if gone {
        inner.record(happened(network, "destroy"));
    }
    Ok(gone)
}

fn prune(inner: &Inner, which: &PruneNetworks) -> Result<Vec<String>> {
    let _lock = inner.lock_networks()?;
    leave::dead(inner)?;
    let mut gone = Vec::new();
    for network in lookup::made(inner)? {
        let idle = || inner.db.read(|tx| tx.is_network_idle(network.id.as_str()));
        if is_predefined(&network.name) || !admits(which, &network) || !idle()? {
            continue;
        }
        if remove_locked(inner, &network)? {
            gone.push(network.name);
        }
    }
    // What engines that were killed have left on the host goes too, and what somebody has flushed is back.
    again::apply(inner)?;
    inner.record(Happened::to(Subject::Network, "prune", "").with("reclaimed", 0));
    Ok(gone)
}

fn admits(which: &PruneNetworks, network: &Network) -> bool {
    which
        .until
        .is_none_or(|until| nanos(network.created_at) < until)
        && which
            .with
            .iter()
            .all(|term| labelled(&network.labels, term))
        && !which
            .without
            .iter()
            .any(|term| labelled(&network.labels, term))
}
