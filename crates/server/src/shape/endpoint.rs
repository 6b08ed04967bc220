//! Containers' ends of networks, and their ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::container as wire;
use api::network::{EndpointIpam, EndpointSettings};
use engine::network::{End, EndpointRequest, Placed, PublishedPort};

use super::unless_empty;
use crate::error::{Answer, Refusal};

/// What a container wants of a network.
pub(crate) fn decode(settings: Option<EndpointSettings>) -> Answer<EndpointRequest> {
    let settings = settings.unwrap_or_default();
    let ipam = settings.ipam_config.unwrap_or_default();
    let link_local = ipam.link_local_ips.unwrap_or_default();
    Ok(EndpointRequest {
        v4: address(&ipam.ipv4_address, "IPv4")?,
        v6: address(&ipam.ipv6_address, "IPv6")?,
        link_local: link_local
            .iter()
            .map(|text| parse(text, "link-local IP"))
            .collect::<Answer<_>>()?,
        mac: match settings.mac_address.as_str() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| Refusal::bad(format!("{text:?} is not a valid mac address")))?,
            ),
        },
        aliases: settings.aliases.unwrap_or_default(),
        links: settings.links.unwrap_or_default(),
        driver_opts: settings.driver_opts.unwrap_or_default(),
        gateway_priority: i32::try_from(settings.gw_priority)
            .map_err(|_| Refusal::bad("invalid gateway priority: it does not fit 32 bits"))?,
    })
}

fn address<A: std::str::FromStr>(text: &str, what: &str) -> Answer<Option<A>> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text, what).map(Some)
}

fn parse<A: std::str::FromStr>(text: &str, what: &str) -> Answer<A> {
    text.parse()
        .map_err(|_| Refusal::bad(format!("invalid {what} address: {text}")))
}

/// Ends by their networks' names.
pub(crate) fn encode_all(ends: &[End]) -> BTreeMap<String, EndpointSettings> {
    ends.iter()
        .map(|end| (end.network.clone(), encode(end)))
        .collect()
}

fn encode(end: &End) -> EndpointSettings {
    let request = &end.request;
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let ipam = EndpointIpam {
        ipv4_address: text(request.v4.map(IpAddr::V4)),
        ipv6_address: text(request.v6.map(IpAddr::V6)),
        link_local_ips: unless_empty(request.link_local.iter().map(ToString::to_string).collect()),
    };
    let settings = EndpointSettings {
        ipam_config: (ipam != EndpointIpam::default()).then_some(ipam),
        links: unless_empty(request.links.clone()),
        aliases: unless_empty(request.aliases.clone()),
        mac_address: request.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        driver_opts: (!request.driver_opts.is_empty()).then(|| request.driver_opts.clone()),
        gw_priority: request.gateway_priority.into(),
        network_id: end.network_id.clone(),
        ..EndpointSettings::default()
    };
    match &end.placed {
        Some(placed) => place(settings, placed),
        None => settings,
    }
}

fn place(settings: EndpointSettings, placed: &Placed) -> EndpointSettings {
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let end = &placed.endpoint;
    EndpointSettings {
        mac_address: end.mac.to_string(),
        endpoint_id: placed.id.clone(),
        gateway: text(placed.gateway_v4),
        ip_address: text(end.v4.map(IpAddr::V4)),
        ip_prefix_len: placed.prefix_v4.unwrap_or_default().into(),
        ipv6_gateway: text(placed.gateway_v6),
        global_ipv6_address: text(end.v6.map(IpAddr::V6)),
        global_ipv6_prefix_len: placed.prefix_v6.unwrap_or_default().into(),
        dns_names: unless_empty(placed.names.clone()),
        ..settings
    }
}

/// A container's ports by `80/tcp`: null for one that is only exposed.
pub(crate) fn encode_ports(ports: &[PublishedPort]) -> wire::PortBindings {
    let mut all = wire::PortBindings::new();
    for port in ports {
        let bindings = all
            .entry(format!("{}/{}", port.private, port.protocol))
            .or_default();
        if let Some((ip, number)) = port.public {
            bindings.get_or_insert_default().push(wire::PortBinding {
                host_ip: ip.to_string(),
                host_port: number.to_string(),
            });
        }
    }
    all
}

/// The same for a line in the list.
pub(crate) fn encode_port(port: &PublishedPort) -> wire::Port {
    wire::Port {
        ip: port
            .public
            .map(|(ip, _)| ip.to_string())
            .unwrap_or_default(),
        private_port: port.private,
        public_port: port.public.map(|(_, number)| number).unwrap_or_default(),
        kind: port.protocol.to_string(),
    }
}
