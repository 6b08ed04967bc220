//! What users see of networks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::network::{Binding, Endpoint, Family, Network, Protocol};
use spec::ContainerId;
use state::ContainerRow;

use super::request::{EndpointRequest, Mode};
use super::{end_id, leave, lookup, names, ports};
use crate::container::stored::Stored;
use crate::error::Result;
use crate::open::Inner;

/// A container's end of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The network's name.
    pub network: String,
    /// The network's id; empty if there is no network of this name any more.
    pub network_id: String,
    /// What was asked for.
    pub request: EndpointRequest,
    /// What it has there, while it runs.
    pub placed: Option<Placed>,
}

/// What a running container has on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The end's id.
    pub id: String,
    /// Addresses and all.
    pub endpoint: Endpoint,
    /// How many bits of its IPv4 address are its subnet's.
    pub prefix_v4: Option<u8>,
    /// How many bits of its IPv6 address are its subnet's.
    pub prefix_v6: Option<u8>,
    /// The way out.
    pub gateway_v4: Option<IpAddr>,
    /// The way out.
    pub gateway_v6: Option<IpAddr>,
    /// All its names there.
    pub names: Vec<String>,
}

/// A port of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The container's port.
    pub private: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The host's address and port that lead to it; none if it is only exposed.
    pub public: Option<(IpAddr, u16)>,
}

/// A network and who is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkView {
    /// The network.
    pub network: Network,
    /// The running containers on it, with their names and what they have.
    pub containers: Vec<(ContainerId, String, Placed)>,
}

/// Everything that containers have on networks, read at once.
#[derive(Debug, Default)]
pub(crate) struct Board {
    networks: Vec<Network>,
    ends: BTreeMap<ContainerId, Vec<Endpoint>>,
    bindings: BTreeMap<ContainerId, Vec<Binding>>,
}

impl Board {
    pub(crate) fn load(inner: &Inner) -> Result<Self> {
        let (networks, ends, ports) = inner
            .db
            .read(|tx| Ok((tx.networks()?, tx.endpoints()?, tx.ports()?)))?;
        let mut board = Self {
            networks: networks.iter().map(lookup::decode).collect::<Result<_>>()?,
            ..Self::default()
        };
        for row in &ends {
            let end = leave::decode(row)?;
            board.ends.entry(row.container).or_default().push(end);
        }
        for row in &ports {
            let bindings = board.bindings.entry(row.container).or_default();
            bindings.extend(ports::binding(row));
        }
        Ok(board)
    }

    /// Of one container alone.
    pub(crate) fn of(inner: &Inner, id: &ContainerId) -> Result<Self> {
        let (networks, ends, ports) = inner
            .db
            .read(|tx| Ok((tx.networks()?, tx.endpoints_of(id)?, tx.ports_of(id)?)))?;
        let ends = ends.iter().map(leave::decode).collect::<Result<_>>()?;
        Ok(Self {
            networks: networks.iter().map(lookup::decode).collect::<Result<_>>()?,
            ends: [(*id, ends)].into(),
            bindings: [(*id, leave::bindings(&ports))].into(),
        })
    }

    /// A container's ends, in the order of the networks' names.
    pub(crate) fn ends(&self, row: &ContainerRow, stored: &Stored, runs: Runs) -> Vec<End> {
        let none = EndpointRequest::default();
        match Mode::of(&stored.host.network_mode) {
            Mode::Container(_) => Vec::new(),
            Mode::Nothing | Mode::Host => lookup::always()
                .filter(|network| network.name == stored.host.network_mode)
                .map(|network| End {
                    network: network.name,
                    network_id: network.id.to_string(),
                    request: none.clone(),
                    placed: None,
                })
                .collect(),
            Mode::Networks(_) => stored
                .networks
                .iter()
                .map(|(name, request)| {
                    let network = self.networks.iter().find(|n| n.name == *name);
                    End {
                        network: name.clone(),
                        network_id: network.map(|n| n.id.to_string()).unwrap_or_default(),
                        request: request.clone(),
                        placed: network
                            .filter(|_| runs == Runs::Yes)
                            .and_then(|network| self.placed(network, row, stored)),
                    }
                })
                .collect(),
        }
    }

    fn placed(&self, network: &Network, row: &ContainerRow, stored: &Stored) -> Option<Placed> {
        let ends = self.ends.get(&row.id)?;
        let end = ends.iter().find(|end| end.network == network.id)?;
        let prefix = |family| end.with_prefix(network, family).map(|(_, prefix)| prefix);
        Some(Placed {
            id: end_id(&network.id, &row.id),
            prefix_v4: prefix(Family::V4),
            prefix_v6: prefix(Family::V6),
            gateway_v4: end.gateway(network, Family::V4),
            gateway_v6: end.gateway(network, Family::V6),
            names: names::of(row, stored, end),
            endpoint: end.clone(),
        })
    }

    /// A running container's ports: published ones, and those that it exposes.
    pub(crate) fn ports(
        &self,
        row: &ContainerRow,
        stored: &Stored,
        runs: Runs,
    ) -> Vec<PublishedPort> {
        if runs == Runs::No {
            return Vec::new();
        }
        let mut all = Vec::new();
        for binding in self.bindings.get(&row.id).into_iter().flatten() {
            for (n, port) in (binding.host.first()..=binding.host.last()).enumerate() {
                let n = u16::try_from(n).unwrap_or(u16::MAX);
                all.push(PublishedPort {
                    private: binding.container_first.saturating_add(n),
                    protocol: binding.protocol,
                    public: Some((binding.host_ip, port)),
                });
            }
        }
        let published: std::collections::BTreeSet<_> = all
            .iter()
            .map(|port| (port.private, port.protocol))
            .collect();
        for text in &stored.config.exposed_ports {
            let Ok((range, protocol)) = ports::parse_port(text) else {
                continue;
            };
            let exposed =
                (range.first()..=range.last()).filter(|p| !published.contains(&(*p, protocol)));
            all.extend(exposed.map(|private| PublishedPort {
                private,
                protocol,
                public: None,
            }));
        }
        all.sort();
        all
    }
}

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    Yes,
    No,
}

impl From<bool> for Runs {
    fn from(alive: bool) -> Self {
        if alive { Self::Yes } else { Self::No }
    }
}

/// A network and who is on it.
pub(crate) fn network(inner: &Inner, name: &str) -> Result<NetworkView> {
    let network = lookup::find(inner, name)?;
    let ends = inner.db.read(|tx| tx.endpoints_on(network.id.as_str()))?;
    let mut containers = Vec::new();
    for end in &ends {
        let Some(row) = inner.db.read(|tx| tx.container(&end.container))? else {
            continue;
        };
        if !crate::truth::look(inner, &row)?.is_alive() {
            continue;
        }
        let stored = Stored::parse(&row.id, &row.config)?;
        let board = Board::of(inner, &row.id)?;
        if let Some(placed) = board.placed(&network, &row, &stored) {
            containers.push((row.id, row.name, placed));
        }
    }
    Ok(NetworkView {
        network,
        containers,
    })
}
