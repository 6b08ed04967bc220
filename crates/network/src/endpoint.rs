//! What a container has on a network: [`Endpoint`].

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::network::{Network, NetworkId};
use crate::options::GatewayMode;
use crate::subnet::{Family, Mac};

/// A container's place on a network, with everything decided: what can be applied, and applied again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network.
    pub network: NetworkId,
    /// The container.
    #[serde(with = "container_id")]
    pub container: ContainerId,
    /// The interface's name in the container: `eth0`.
    pub interface: String,
    /// The interface's Ethernet address.
    pub mac: Mac,
    /// Its IPv4 address, if the network has IPv4.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address, if the network has IPv6.
    pub v6: Option<Ipv6Addr>,
    /// Addresses besides these: `--link-local-ip`, each alone on its link.
    pub extra: Vec<IpAddr>,
    /// Names for it on this network, besides the container's.
    pub aliases: Vec<String>,
    /// The container's way out goes over the network whose endpoint has the highest; of equals the name decides.
    pub gateway_priority: i32,
    /// What the driver was told about this endpoint (`--network name=N,driver-opt=K=V`).
    pub driver_opts: BTreeMap<String, String>,
}

impl Endpoint {
    /// Its address of a family.
    #[must_use]
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }

    /// Its address of a family with the prefix of its subnet.
    #[must_use]
    pub fn with_prefix(&self, network: &Network, family: Family) -> Option<(IpAddr, u8)> {
        let address = self.address(family)?;
        let pool = network.pools.iter().find(|p| p.subnet.contains(address))?;
        Some((address, pool.subnet.prefix()))
    }

    /// The next hop to the world that its network offers in a family.
    #[must_use]
    pub fn gateway(&self, network: &Network, family: Family) -> Option<IpAddr> {
        if network.internal {
            return None;
        }
        let mode = match family {
            Family::V4 => network.options.gateway_mode_v4,
            Family::V6 => network.options.gateway_mode_v6,
        };
        if mode == GatewayMode::Isolated {
            return None;
        }
        let address = self.address(family)?;
        let pool = network.pools.iter().find(|p| p.subnet.contains(address))?;
        pool.gateway
    }

    /// The name of the link at the host's end: `tv`, then the start of the container's id and of the network's.
    #[must_use]
    pub fn host_link(&self) -> String {
        host_link(&self.container, &self.network)
    }
}

/// See [`Endpoint::host_link`]. 32 bits of the container's id and 16 of the network's: only two containers whose ids start alike on the same network could
/// meet, and the kernel refuses a name twice.
#[must_use]
pub fn host_link(container: &ContainerId, network: &NetworkId) -> String {
    format!("tv{:.8}-{:.4}", container.short(), network.as_str())
}

/// Which of a container's endpoints leads to the world in a family: the highest priority, then a network that has a way out, then the name.
#[must_use]
pub fn way_out<'a>(
    endpoints: &'a [(&'a Network, &'a Endpoint)],
    family: Family,
) -> Option<(&'a Endpoint, IpAddr)> {
    endpoints
        .iter()
        .filter_map(|(network, endpoint)| {
            let gateway = endpoint.gateway(network, family)?;
            Some((network, *endpoint, gateway))
        })
        .min_by(|(n1, e1, _), (n2, e2, _)| {
            let higher = e2.gateway_priority.cmp(&e1.gateway_priority);
            higher.then_with(|| n1.name.cmp(&n2.name))
        })
        .map(|(_, endpoint, gateway)| (endpoint, gateway))
}

mod container_id {
    use serde::{Deserialize, Deserializer, Serializer};
    use spec::ContainerId;

    pub(super) fn serialize<S: Serializer>(id: &ContainerId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ContainerId, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
