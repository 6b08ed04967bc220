//! A container that starts joins its networks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use ::network::fabric::{self, Home};
use ::network::publish::{Held, Ports, Publish};
use ::network::{Binding, Endpoint, Network};
use failpoint::failpoint;
use kernel::namespace::{self, Kind as Namespace};
use protocol::GivenNetwork;
use protocol::launch::{NAMES_TCP_FD, NAMES_UDP_FD, NETWORK_FD};
use spec::ContainerId;
use state::{ContainerRow, EndpointRow, EntryId, NewEntry, Tx};

use super::decide::{self, Taken};
use super::request::{EndpointRequest, Mode};
use super::{again, event, leave, lookup, names, ports};
use crate::container::stored::Stored;
use crate::error::{Error, Kind, Result};
use crate::open::Inner;
use crate::truth::{self, Now};

/// The journal's word for it.
pub(crate) const KIND: &str = "network.join";

/// What fails here is done by whoever opens the engine next; the cause of it all is another.
fn give_back(inner: &Inner, id: &ContainerId, entry: EntryId) {
    if let Ok(left) = leave::finish(inner, id, entry) {
        drop(again::sweep_later(inner, &left));
    }
}

/// What a container has of its networks when its monitor is launched.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) given: GivenNetwork,
    /// What the monitor is given, and by which number.
    pub(crate) fds: Vec<(OwnedFd, i32)>,
    pub(crate) ends: Vec<(Network, Endpoint)>,
    /// Whose network it is, and whose name and files, if it is another container's.
    pub(crate) lender: Option<ContainerRow>,
    entry: Option<EntryId>,
}

impl Joined {
    /// The launch came to nothing: everything is given back.
    pub(crate) fn undo(&self, inner: &Inner, id: &ContainerId) {
        if let Some(entry) = self.entry
            && let Ok(_lock) = inner.lock_networks()
        {
            give_back(inner, id, entry);
        }
    }

    /// The container runs: from now on its rows are its own.
    pub(crate) fn settle(&self, inner: &Inner) -> Result<()> {
        match self.entry {
            Some(entry) => Ok(inner.db.write(|tx| tx.finish(entry))?),
            None => Ok(()),
        }
    }
}

/// Puts a container that is about to be launched on its networks; the caller holds its lock, and says [`Joined::settle`] or [`Joined::undo`].
pub(crate) fn join(inner: &Inner, row: &ContainerRow, stored: &Stored) -> Result<Joined> {
    match Mode::of(&stored.host.network_mode) {
        Mode::Nothing | Mode::Host => Ok(Joined::default()),
        Mode::Container(name) => share(inner, name),
        Mode::Networks(_) => join_networks(inner, row, stored),
    }
}

/// The network namespace of a container that runs.
fn share(inner: &Inner, name: &str) -> Result<Joined> {
    let other = crate::container::lookup::find(inner, name)?;
    Ok(Joined {
        given: GivenNetwork::Namespace,
        fds: vec![(namespace_of(inner, &other)?, NETWORK_FD)],
        lender: Some(other),
        ..Joined::default()
    })
}

/// Whose network and name a container has, if it has another's and that one is still there.
pub(crate) fn lender(inner: &Inner, stored: &Stored) -> Result<Option<ContainerRow>> {
    let Mode::Container(name) = Mode::of(&stored.host.network_mode) else {
        return Ok(None);
    };
    match crate::container::lookup::find(inner, name) {
        Ok(row) => Ok(Some(row)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// See [`share`].
pub(crate) fn namespace_of(inner: &Inner, row: &ContainerRow) -> Result<OwnedFd> {
    let Now::Running(alive) = truth::look(inner, row)? else {
        return Err(Error::conflict(format!(
            "cannot join network namespace of a non running container: {} is not running",
            row.name
        ))
        .hint(format!("start it first: tare start {}", row.name)));
    };
    let pid = kernel::Pid::from_raw(alive.pid)
        .ok_or_else(|| Error::new(Kind::Internal, "the monitor's state names no process"))?;
    let namespace = namespace::open(Some(pid), Namespace::Net)?;
    // The number may be another's by now: it was opened while the container still ran, or it is not used.
    let identity = kernel::process::ProcessIdentity {
        pid,
        start_time: alive.start_time,
        boot_id: alive.boot_id,
    };
    if !identity.is_alive()? {
        return Err(Error::conflict(format!("container {} has ended", row.name)));
    }
    Ok(namespace)
}

fn join_networks(inner: &Inner, row: &ContainerRow, stored: &Stored) -> Result<Joined> {
    // The namespace is made beside everything that needs the database.
    let home = thread::spawn(|| fabric::new_home(protocol::names::ADDRESS));
    let reserved = reserve(inner, row, stored);
    let home = home
        .join()
        .map_err(|_| Error::new(Kind::Internal, "a thread of the network has ended"))
        .and_then(|home| Ok(home?));
    let (lock, reserved) = reserved?;
    failpoint!("network.join.reserved");
    let applied = home.and_then(|home| apply(inner, row, stored, &reserved, &home).map(|()| home));
    let Reserved { ends, entry, .. } = reserved;
    let home = applied.inspect_err(|_| give_back(inner, &row.id, entry))?;
    drop(lock);
    failpoint!("network.join.named");
    Ok(Joined {
        given: GivenNetwork::Names,
        fds: vec![
            (home.namespace, NETWORK_FD),
            (home.datagrams.into(), NAMES_UDP_FD),
            (home.connections.into(), NAMES_TCP_FD),
        ],
        ends,
        lender: None,
        entry: Some(entry),
    })
}

/// What was decided and written down.
#[derive(Debug)]
struct Reserved {
    ends: Vec<(Network, Endpoint)>,
    bindings: Vec<Binding>,
    entry: EntryId,
}

/// Decides, and writes it down under the lock of all networks, which is kept. What a container that has ended still has is no reason to refuse.
fn reserve(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
) -> Result<(state::ObjectLock, Reserved)> {
    // Of a start that was killed, or of a life whose end nobody cleared up after.
    leave::leave(inner, &row.id)?;
    let lock = inner.lock_networks()?;
    let tried = reserve_once(inner, row, stored);
    let reserved = match tried {
        Err(error) if error.kind == Kind::Conflict || error.kind == Kind::Internal => {
            if leave::dead(inner)? == 0 {
                return Err(error);
            }
            reserve_once(inner, row, stored)?
        }
        other => other?,
    };
    Ok((lock, reserved))
}

fn reserve_once(inner: &Inner, row: &ContainerRow, stored: &Stored) -> Result<Reserved> {
    let mut ends: Vec<(Network, Endpoint)> = Vec::new();
    for (network, request) in wanted(inner, stored)? {
        let taken = taken(inner, &network, &request)?;
        let used: Vec<String> = ends.iter().map(|(_, e)| e.interface.clone()).collect();
        let name = decide::interface(&network, &request, &used);
        if used.contains(&name) {
            return Err(Error::invalid(format!(
                "two networks of container {} name the interface {name}",
                row.name
            )));
        }
        let end = decide::end(&row.id, &network, &request, &name, &taken)?;
        ends.push((network, end));
    }
    let wishes = ports::wishes(&stored.config, &stored.host)?;
    let fabric = inner.fabric();
    let held = held(inner, &wishes, &fabric)?;
    let pairs: Vec<(&Network, &Endpoint)> = ends.iter().map(|(n, e)| (n, e)).collect();
    let bindings = decide::bindings(&wishes, &pairs, &held, &fabric)?;
    let rows: Vec<EndpointRow> = ends
        .iter()
        .map(|(_, e)| end_row(e))
        .collect::<Result<_>>()?;
    let subject = row.id.to_string();
    let owner = inner.owner()?;
    let entry = inner.db.write(|tx| {
        put_ends(tx, &rows)?;
        for binding in &bindings {
            tx.add_port(&ports::row(binding, &row.id))?;
        }
        tx.begin(&NewEntry {
            kind: KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })
    })?;
    Ok(Reserved {
        ends,
        bindings,
        entry,
    })
}

pub(super) fn put_ends(tx: &Tx<'_>, rows: &[EndpointRow]) -> Result<(), state::Error> {
    for row in rows {
        tx.put_endpoint(row)?;
        tx.note_given(&row.network, row.v4, row.v6)?;
    }
    Ok(())
}

/// The row of an end.
pub(super) fn end_row(end: &Endpoint) -> Result<EndpointRow> {
    Ok(EndpointRow {
        network: end.network.to_string(),
        container: end.container,
        v4: end.v4.map(IpAddr::V4),
        v6: end.v6.map(IpAddr::V6),
        config: serde_json::to_string(end).map_err(|e| Error::internal("encode endpoint", e))?,
    })
}

/// The networks that a container is to be on, the one of its mode first.
pub(super) fn wanted(inner: &Inner, stored: &Stored) -> Result<Vec<(Network, EndpointRequest)>> {
    let first = stored.host.network_mode.as_str();
    let mut all = Vec::new();
    for (name, request) in &stored.networks {
        let network = if name == super::DEFAULT {
            lookup::default_locked(inner)?
        } else {
            lookup::find(inner, name)?
        };
        all.push((network, request.clone()));
    }
    all.sort_by_key(|(network, _)| network.name != first);
    Ok(all)
}

/// What is taken on a network; by whom only if an address is asked for.
pub(super) fn taken(inner: &Inner, network: &Network, request: &EndpointRequest) -> Result<Taken> {
    let named = request.v4.is_some() || request.v6.is_some();
    let id = network.id.as_str();
    let (addresses, last, holders) = inner.db.read(|tx| {
        let mut holders = BTreeMap::new();
        if named {
            for end in tx.endpoints_on(id)? {
                let name = tx.container(&end.container)?.map(|row| row.name);
                let name = name.unwrap_or_else(|| end.container.short());
                for address in [end.v4, end.v6].into_iter().flatten() {
                    holders.insert(address, name.clone());
                }
            }
        }
        Ok((tx.addresses_on(id)?, tx.last_given(id)?, holders))
    })?;
    Ok(Taken {
        addresses: addresses.into_iter().collect(),
        holders,
        last,
    })
}

/// Those of all published ports that may be in the way of these wishes, with their holders' names.
pub(super) fn held(
    inner: &Inner,
    wishes: &[Publish],
    probe: &impl ::network::publish::Probe,
) -> Result<Vec<Held>> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let ephemeral = probe.ephemeral();
    let mut names: BTreeMap<ContainerId, String> = BTreeMap::new();
    let rows = inner.db.read(|tx| {
        let mut rows = Vec::new();
        for wish in wishes {
            let range: Ports = wish.host.unwrap_or(ephemeral);
            let there = tx.ports_between(wish.protocol.number(), range.first(), range.last())?;
            rows.extend(
                there
                    .into_iter()
                    .filter(|row| !rows.contains(row))
                    .collect::<Vec<_>>(),
            );
        }
        for row in &rows {
            if let Entry::Vacant(place) = names.entry(row.container) {
                let name = tx.container(&row.container)?.map(|row| row.name);
                place.insert(name.unwrap_or_else(|| row.container.short()));
            }
        }
        Ok(rows)
    })?;
    let one = |row: &state::PortRow| {
        Some(Held {
            binding: ports::binding(row)?,
            container: row.container,
            name: names.get(&row.container).cloned().unwrap_or_default(),
        })
    };
    Ok(rows.iter().filter_map(one).collect())
}

/// From rows to links, rules and names.
fn apply(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    reserved: &Reserved,
    home: &Home,
) -> Result<()> {
    let pairs: Vec<(&Network, &Endpoint)> = reserved.ends.iter().map(|(n, e)| (n, e)).collect();
    let fabric = inner.fabric();
    let attached = fabric.attach(&pairs, &reserved.bindings, home.namespace.as_fd())?;
    failpoint!("network.join.attached");
    if attached.rules_were_gone {
        // Ours are made; those of the others who run are not.
        again::apply(inner)?;
    }
    names::give(inner, row, stored, &reserved.ends)?;
    for (network, _) in &reserved.ends {
        event::moved(inner, network, &row.id, "connect");
    }
    Ok(())
}
