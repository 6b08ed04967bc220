//! What a container gets on its networks. Pure, but for the host's ports, which are asked for by [`Probe`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::network::endpoint::way_out;
use ::network::publish::{self, Held, Probe};
use ::network::{Binding, Driver, Endpoint, Family, Mac, Network, Publish, ipam};
use spec::ContainerId;

use super::request::{EndpointRequest, INTERFACE};
use crate::error::Result;

/// What is taken on a network, and what it gave out last.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// By whom, where a wish for one address may have to be refused.
    pub(crate) holders: BTreeMap<IpAddr, String>,
    pub(crate) last: (Option<IpAddr>, Option<IpAddr>),
}

/// A container's end of a network.
pub(crate) fn end(
    container: &ContainerId,
    network: &Network,
    request: &EndpointRequest,
    interface: &str,
    taken: &Taken,
) -> Result<Endpoint> {
    let v4 = match address(
        network,
        Family::V4,
        request.v4.map(IpAddr::V4),
        taken.last.0,
        taken,
    )? {
        Some(IpAddr::V4(v4)) => Some(v4),
        _ => None,
    };
    let v6 = match address(
        network,
        Family::V6,
        request.v6.map(IpAddr::V6),
        taken.last.1,
        taken,
    )? {
        Some(IpAddr::V6(v6)) => Some(v6),
        _ => None,
    };
    let made_up = match (v4, v6) {
        (Some(v4), _) => Mac::of_ipv4(v4),
        (None, Some(v6)) => Mac::of_ipv6(v6),
        (None, None) => Mac::new([2, 0x42, 0, 0, 0, 1]),
    };
    Ok(Endpoint {
        network: network.id.clone(),
        container: *container,
        interface: interface.to_owned(),
        mac: request.mac.unwrap_or(made_up),
        v4,
        v6,
        extra: request.link_local.clone(),
        aliases: request.aliases.clone(),
        gateway_priority: request.gateway_priority,
        driver_opts: request.driver_opts.clone(),
    })
}

fn address(
    network: &Network,
    family: Family,
    wanted: Option<IpAddr>,
    last: Option<IpAddr>,
    taken: &Taken,
) -> Result<Option<IpAddr>> {
    if let Some(wanted) = wanted {
        return Ok(Some(ipam::claim(network, wanted, &taken.holders)?));
    }
    let mut full = None;
    for pool in network.pools_of(family) {
        match ipam::pick(pool, &taken.addresses, last) {
            Ok(address) => return Ok(Some(address)),
            Err(error) => full = Some(error),
        }
    }
    match full {
        Some(error) => Err(error.into()),
        None => Ok(None),
    }
}

/// The name of an interface: what was asked for, or the network's prefix and the first number that no other has.
pub(crate) fn interface(network: &Network, request: &EndpointRequest, used: &[String]) -> String {
    if let Some(name) = request.driver_opts.get(INTERFACE) {
        return name.clone();
    }
    let prefix = network.options.interface_prefix.as_deref().unwrap_or("eth");
    (0..=used.len())
        .map(|number| format!("{prefix}{number}"))
        .find(|name| !used.contains(name))
        .unwrap_or_else(|| format!("{prefix}0"))
}

/// Which ports of the host lead to a container: to its ends that lead to the world.
pub(crate) fn bindings(
    wishes: &[Publish],
    ends: &[(&Network, &Endpoint)],
    held: &[Held],
    probe: &impl Probe,
) -> Result<Vec<Binding>> {
    let bridges: Vec<(&Network, &Endpoint)> = ends
        .iter()
        .filter(|(network, _)| network.driver == Driver::Bridge && !network.internal)
        .copied()
        .collect();
    let out = |family| {
        let out = way_out(&bridges, family).map(|(end, _)| end);
        // A network that has no way out in a family may still be reached in it from the host.
        let any = || bridges.iter().find(|(_, e)| e.address(family).is_some());
        let end = out.or_else(|| any().map(|(_, end)| *end))?;
        bridges.iter().find(|(_, other)| *other == end).copied()
    };
    match (out(Family::V4), out(Family::V6)) {
        (Some(v4), Some(v6)) if v4.1 != v6.1 => {
            let mut all = one_family(wishes, v4, Family::V4, (held, probe))?;
            all.extend(one_family(wishes, v6, Family::V6, (held, probe))?);
            Ok(all)
        }
        (Some((network, end)), _) | (None, Some((network, end))) => {
            Ok(publish::decide(wishes, network, end, held, probe)?)
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn one_family(
    wishes: &[Publish],
    (network, end): (&Network, &Endpoint),
    family: Family,
    (held, probe): (&[Held], &impl Probe),
) -> Result<Vec<Binding>> {
    let wishes: Vec<Publish> = wishes
        .iter()
        .filter(|wish| wish.host_ip.is_none_or(|ip| Family::of(ip) == family))
        .cloned()
        .collect();
    let mut end = end.clone();
    match family {
        Family::V4 => end.v6 = None,
        Family::V6 => end.v4 = None,
    }
    Ok(publish::decide(&wishes, network, &end, held, probe)?)
}
