//! What a container wants of its networks. Pure, but for names that lead to others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::network::Mac;
use serde::{Deserialize, Serialize};

use super::{DEFAULT, lookup, ports};
use crate::container::lookup as containers;
use crate::container::{Config, HostConfig};
use crate::error::{Error, Kind, Result};
use crate::network_files;
use crate::open::Inner;

/// What a container wants of one network. Stored with the container as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointRequest {
    /// Its IPv4 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v6: Option<Ipv6Addr>,
    /// More addresses, of the link alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub link_local: Vec<IpAddr>,
    /// Its Ethernet address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Names for it there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// `container:name`: names that it alone has for others there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// What the driver is told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    /// The container's way out goes over the network with the highest.
    #[serde(skip_serializing_if = "is_zero")]
    pub gateway_priority: i32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// The driver option that names an interface.
pub(crate) const INTERFACE: &str = "com.docker.network.endpoint.ifname";

/// How a container is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode<'a> {
    /// It has no link but `lo`.
    Nothing,
    /// It has the host's.
    Host,
    /// It has another's: the name of that one.
    Container(&'a str),
    /// It has links on networks, on this one first.
    Networks(&'a str),
}

impl<'a> Mode<'a> {
    /// Of the text that is stored.
    pub(crate) fn of(text: &'a str) -> Self {
        match text {
            "none" => Self::Nothing,
            "host" => Self::Host,
            "" | "default" | DEFAULT => Self::Networks(DEFAULT),
            other => match other.strip_prefix("container:") {
                Some(name) => Self::Container(name),
                None => Self::Networks(other),
            },
        }
    }
}

/// Which networks a container joins and what it wants of each; the mode is written as it is stored. Refuses what contradicts itself; gives what was said in vain.
pub(crate) fn settle(
    inner: &Inner,
    config: &mut Config,
    host: &mut HostConfig,
    asked: BTreeMap<String, EndpointRequest>,
) -> Result<(BTreeMap<String, EndpointRequest>, Vec<String>)> {
    let mut warnings = Vec::new();
    if config.network_disabled {
        "none".clone_into(&mut host.network_mode);
    }
    ports::wishes(config, host)?;
    let published = host.publish_all_ports || host.port_bindings.values().any(|b| !b.is_empty());
    let mode = host.network_mode.clone();
    match Mode::of(&mode) {
        Mode::Nothing | Mode::Host => {
            alone(config, host, &asked)?;
            if published {
                warnings.push(format!(
                    "Published ports are discarded when using {mode} network mode"
                ));
            }
            Ok((BTreeMap::new(), warnings))
        }
        Mode::Container(name) => {
            shared(config, host, &asked)?;
            let other = containers::find(inner, name).map_err(not_404)?;
            host.network_mode = format!("container:{}", other.id);
            Ok((BTreeMap::new(), warnings))
        }
        Mode::Networks(first) => {
            let networks = joined(inner, first, config, asked)?;
            first_name(inner, first)?.clone_into(&mut host.network_mode);
            let mut networks = networks;
            if host.network_mode != DEFAULT
                && let Some(first) = networks.get_mut(&host.network_mode)
            {
                // Elsewhere than on the default network a link is a name on that network and nothing else.
                for link in &host.links {
                    super::names::parse_link(link)?;
                    if !first.links.contains(link) {
                        first.links.push(link.clone());
                    }
                }
            }
            warnings.extend(objections(inner, &networks)?);
            Ok((networks, warnings))
        }
    }
}

/// A missing network or container is no missing image, which is what clients make of that answer when they create.
fn not_404(mut error: Error) -> Error {
    if error.kind == Kind::NotFound {
        error.kind = Kind::InvalidParameter;
    }
    error
}

fn first_name(inner: &Inner, first: &str) -> Result<String> {
    Ok(lookup::find(inner, first).map_err(not_404)?.name)
}

fn conflicting(what: &str) -> Error {
    Error::invalid(format!("conflicting options: {what}"))
}

/// `host` and `none`.
fn alone(
    config: &Config,
    host: &HostConfig,
    asked: &BTreeMap<String, EndpointRequest>,
) -> Result<()> {
    let mode = &host.network_mode;
    if !host.links.is_empty() {
        return Err(conflicting(&format!(
            "{mode} type networking can't be used with links. This would result in undefined behavior"
        )));
    }
    if !config.mac_address.is_empty() {
        return Err(conflicting("mac-address and the network mode"));
    }
    for (name, request) in asked {
        if name != mode || *request != EndpointRequest::default() {
            return Err(conflicting(&format!(
                "a container in {mode} network mode has no place on network {name}"
            ))
            .hint("leave out the addresses, aliases and other networks, or choose a network"));
        }
    }
    Ok(())
}

/// `container:NAME`.
fn shared(
    config: &Config,
    host: &HostConfig,
    asked: &BTreeMap<String, EndpointRequest>,
) -> Result<()> {
    let mode = &host.network_mode;
    let published = host.publish_all_ports || !host.port_bindings.is_empty();
    let contradictions = [
        (!config.hostname.is_empty(), "hostname and the network mode"),
        (
            !host.links.is_empty(),
            "container type network can't be used with links. This would result in undefined behavior",
        ),
        (!host.dns.is_empty(), "dns and the network mode"),
        (
            !host.extra_hosts.is_empty(),
            "custom host-to-IP mapping and the network mode",
        ),
        (
            !config.mac_address.is_empty(),
            "mac-address and the network mode",
        ),
        (
            published,
            "port publishing and the container type network mode",
        ),
    ];
    if let Some((_, what)) = contradictions.iter().find(|(given, _)| *given) {
        return Err(conflicting(what));
    }
    let vain = |(name, request): (&String, &EndpointRequest)| {
        name != mode || *request != EndpointRequest::default()
    };
    if asked.iter().any(vain) {
        return Err(conflicting(
            "a container that has another's network has no networks of its own",
        ));
    }
    Ok(())
}

fn joined(
    inner: &Inner,
    first: &str,
    config: &mut Config,
    asked: BTreeMap<String, EndpointRequest>,
) -> Result<BTreeMap<String, EndpointRequest>> {
    let mut networks: BTreeMap<String, EndpointRequest> = BTreeMap::new();
    let first = first_name(inner, first)?;
    networks.insert(first.clone(), EndpointRequest::default());
    for (name, request) in asked {
        let network = match name.as_str() {
            "default" => lookup::default(inner)?,
            name => lookup::find(inner, name).map_err(not_404)?,
        };
        if !network.driver.has_links() {
            return Err(conflicting(&format!(
                "a container can't be on network {} and on others",
                network.name
            )));
        }
        check(&request)?;
        networks.insert(network.name, request);
    }
    if let Some(first) = networks.get_mut(&first)
        && !config.mac_address.is_empty()
    {
        let mac = config.mac_address.parse()?;
        if first.mac.is_some_and(|other| other != mac) {
            return Err(conflicting(
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
            ));
        }
        first.mac = Some(mac);
    }
    Ok(networks)
}

/// Refuses what can't become an end of a network.
pub(crate) fn check(request: &EndpointRequest) -> Result<()> {
    for name in &request.aliases {
        if !network_files::is_word(name) || name.len() > 253 {
            return Err(Error::invalid(format!("invalid network alias: {name:?}")));
        }
    }
    for link in &request.links {
        super::names::parse_link(link)?;
    }
    for address in &request.link_local {
        let local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if !local {
            return Err(Error::invalid(format!(
                "invalid link-local IP address: {address}"
            )));
        }
    }
    for (name, value) in &request.driver_opts {
        if name != INTERFACE {
            return Err(Error::unsupported(format!(
                "the driver option {name} of an endpoint is not supported"
            ))
            .hint(format!("{INTERFACE} is")));
        }
        let good = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
        let reserved = matches!(value.as_str(), "" | "." | ".." | "lo");
        if reserved || value.len() > 15 || !value.chars().all(good) {
            return Err(Error::invalid(format!("invalid interface name: {value:?}")));
        }
    }
    Ok(())
}

/// What other firewalls of the host refuse: said when a container is made, as its start has nobody to say it to.
fn objections(inner: &Inner, networks: &BTreeMap<String, EndpointRequest>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let fabric = inner.fabric();
    for name in networks.keys() {
        for warning in fabric.objections(&lookup::find(inner, name)?)? {
            all.push(match warning.hint {
                Some(hint) => format!("{} (try: {hint})", warning.message),
                None => warning.message,
            });
        }
    }
    Ok(all)
}
