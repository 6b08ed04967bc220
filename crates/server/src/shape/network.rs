//! Networks as the wire has them.

use std::collections::BTreeMap;

use api::network::{EndpointResource, Ipam, IpamConfig, Network, NetworkCreateRequest};
use engine::network::{self, Driver, Family, NetworkRequest, NetworkView, Placed, PoolRequest};
use http::StatusCode;
use jiff::Timestamp;

use crate::error::{Answer, Refusal};

/// A network to make.
pub(crate) fn decode(request: NetworkCreateRequest) -> Answer<NetworkRequest> {
    if !matches!(request.scope.as_str(), "" | "local") || request.ingress {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this engine is no part of a swarm: networks are local",
        ));
    }
    if request.config_only
        || request
            .config_from
            .is_some_and(|from| !from.network.is_empty())
    {
        return Err(Refusal::unsupported(
            "networks that are a configuration for others (config-only, config-from) are not supported",
        ));
    }
    let ipam = request.ipam.unwrap_or_default();
    let pools = ipam.config.unwrap_or_default();
    Ok(NetworkRequest {
        name: request.name,
        driver: request.driver,
        internal: request.internal,
        attachable: request.attachable,
        ipv4: request.enable_ipv4,
        ipv6: request.enable_ipv6,
        ipam_driver: ipam.driver,
        ipam_options: ipam.options.unwrap_or_default(),
        pools: pools.into_iter().map(decode_pool).collect(),
        options: request.options,
        labels: request.labels,
    })
}

fn decode_pool(pool: IpamConfig) -> PoolRequest {
    PoolRequest {
        subnet: pool.subnet,
        range: pool.ip_range,
        gateway: pool.gateway,
        aux: pool.aux_addresses,
    }
}

/// A network, without who is on it.
pub(crate) fn encode(network: &network::Network) -> Network {
    let has_links = network.driver.has_links();
    Network {
        name: network.name.clone(),
        id: network.id.to_string(),
        created: Timestamp::from_nanosecond(network.created_at.into())
            .ok()
            .filter(|_| network.created_at != 0)
            .into(),
        scope: "local".to_owned(),
        driver: network.driver.name().to_owned(),
        // What has no links of its own says no.
        enable_ipv4: has_links && network.has(Family::V4),
        enable_ipv6: has_links && network.has(Family::V6),
        ipam: Ipam {
            driver: "default".to_owned(),
            options: None,
            config: Some(network.pools.iter().map(encode_pool).collect()),
        },
        internal: network.internal,
        attachable: network.attachable,
        options: options(network),
        labels: network.labels.clone(),
        ..Network::default()
    }
}

fn encode_pool(pool: &network::Pool) -> IpamConfig {
    let aux = pool.aux.iter();
    IpamConfig {
        subnet: pool.subnet.to_string(),
        ip_range: pool
            .range
            .map(|range| range.to_string())
            .unwrap_or_default(),
        gateway: pool
            .gateway
            .map(|gateway| gateway.to_string())
            .unwrap_or_default(),
        aux_addresses: aux
            .map(|(name, address)| (name.clone(), address.to_string()))
            .collect(),
    }
}

/// What was given; for the default network, which nobody has made, what it is, as Docker says it.
fn options(network: &network::Network) -> BTreeMap<String, String> {
    if network.name != network::DEFAULT || network.driver != Driver::Bridge {
        return network.raw_options.clone();
    }
    let own = &network.options;
    let mut all: BTreeMap<String, String> = [
        ("default_bridge", "true".to_owned()),
        ("enable_icc", own.icc.to_string()),
        ("enable_ip_masquerade", own.masquerade.to_string()),
        ("host_binding_ipv4", "0.0.0.0".to_owned()),
        ("name", network.bridge()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("com.docker.network.bridge.{name}"), value))
    .collect();
    if let Some(mtu) = own.mtu {
        all.insert("com.docker.network.driver.mtu".to_owned(), mtu.to_string());
    }
    all
}

/// A network and who is on it.
pub(crate) fn encode_view(view: &NetworkView) -> Network {
    let containers = view.containers.iter();
    Network {
        containers: containers
            .map(|(id, name, placed)| (id.to_string(), resource(name, placed)))
            .collect(),
        ..encode(&view.network)
    }
}

fn resource(name: &str, placed: &Placed) -> EndpointResource {
    let end = &placed.endpoint;
    let cidr = |address: Option<String>, prefix: Option<u8>| match (address, prefix) {
        (Some(address), Some(prefix)) => format!("{address}/{prefix}"),
        _ => String::new(),
    };
    EndpointResource {
        name: name.to_owned(),
        endpoint_id: placed.id.clone(),
        mac_address: end.mac.to_string(),
        ipv4_address: cidr(end.v4.map(|v4| v4.to_string()), placed.prefix_v4),
        ipv6_address: cidr(end.v6.map(|v6| v6.to_string()), placed.prefix_v6),
    }
}
