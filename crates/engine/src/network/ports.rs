//! Published ports: from what users write to wishes, and from rows to bindings. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ::network::{Binding, Ports, Protocol, Publish};
use spec::ContainerId;
use state::PortRow;

use crate::container::{Config, HostConfig, PortBinding};
use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// `80/tcp`, `80-90/udp`, `80`.
pub(crate) fn parse_port(text: &str) -> Result<(Ports, Protocol)> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let invalid = || Error::invalid(format!("invalid port specification: {text:?}"));
    let ports = parse_range(numbers).ok_or_else(invalid)?;
    Ok((ports, protocol.parse().map_err(|_| invalid())?))
}

fn parse_range(text: &str) -> Option<Ports> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    Ports::new(number(first)?, number(last)?).ok()
}

/// All that a container is to have published, neighbours together.
pub(crate) fn wishes(config: &Config, host: &HostConfig) -> Result<Vec<Publish>> {
    let mut all = Vec::new();
    let mut named = BTreeSet::new();
    for (key, bindings) in &host.port_bindings {
        let (container, protocol) = parse_port(key)?;
        for binding in bindings {
            named.insert((protocol, container));
            all.push(wish(binding, container, protocol)?);
        }
    }
    for key in &config.exposed_ports {
        let (container, protocol) = parse_port(key)?;
        if !host.publish_all_ports || named.contains(&(protocol, container)) {
            continue;
        }
        for port in container.first()..=container.last() {
            all.push(Publish {
                host_ip: None,
                host: None,
                container: Ports::one(port)?,
                protocol,
            });
        }
    }
    Ok(together(all))
}

fn wish(binding: &PortBinding, container: Ports, protocol: Protocol) -> Result<Publish> {
    let host_ip = match binding.host_ip.as_str() {
        "" => None,
        text => Some(
            text.parse::<IpAddr>()
                .map_err(|_| Error::invalid(format!("invalid host IP address: {text:?}")))?,
        ),
    };
    let host = match binding.host_port.as_str() {
        "" | "0" => None,
        text => Some(
            parse_range(text)
                .ok_or_else(|| Error::invalid(format!("invalid host port: {text:?}")))?,
        ),
    };
    let fits = host.is_none_or(|host| container.len() == 1 || host.len() == container.len());
    if !fits {
        return Err(Error::invalid(format!(
            "invalid ranges specified for container and host ports: {container} and {}",
            binding.host_port
        )));
    }
    Ok(Publish {
        host_ip,
        host,
        container,
        protocol,
    })
}

/// Ports one after the other that lead to ports one after the other are one wish: ten thousand of them are decided, kept and shown at once.
fn together(mut all: Vec<Publish>) -> Vec<Publish> {
    all.sort_by_key(|one| (one.protocol, one.host_ip, one.container, one.host));
    let mut merged: Vec<Publish> = Vec::new();
    for one in all {
        match merged.last_mut() {
            Some(last) if follows(last, &one) => {
                let grown = |a: Ports, b: Ports| Ports::new(a.first(), b.last());
                if let (Some(a), Some(b)) = (last.host, one.host)
                    && let (Ok(host), Ok(container)) =
                        (grown(a, b), grown(last.container, one.container))
                {
                    last.host = Some(host);
                    last.container = container;
                }
            }
            _ => merged.push(one),
        }
    }
    merged
}

fn follows(last: &Publish, next: &Publish) -> bool {
    let after = |a: Ports, b: Ports| a.last().checked_add(1) == Some(b.first());
    let even = |one: &Publish| {
        one.host
            .is_some_and(|host| host.len() == one.container.len())
    };
    last.protocol == next.protocol
        && last.host_ip == next.host_ip
        && even(last)
        && even(next)
        && after(last.container, next.container)
        && last.host.zip(next.host).is_some_and(|(a, b)| after(a, b))
}

/// A binding's row.
pub(crate) fn row(binding: &Binding, container: &ContainerId) -> PortRow {
    PortRow {
        protocol: binding.protocol.number(),
        first: binding.host.first(),
        last: binding.host.last(),
        host_ip: binding.host_ip,
        container: *container,
        target: binding.target,
        container_first: binding.container_first,
    }
}

/// A row's binding; none for a row that this version can't read.
pub(crate) fn binding(row: &PortRow) -> Option<Binding> {
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    Some(Binding {
        protocol: protocols
            .into_iter()
            .find(|one| one.number() == row.protocol)?,
        host_ip: row.host_ip,
        host: Ports::new(row.first, row.last).ok()?,
        target: row.target,
        container_first: row.container_first,
    })
}
