//! The files that tell a container its name, its neighbours' and its name servers: made anew at each start.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;

use ::network::{Endpoint, Family, Network};

use crate::container::HostConfig;
use crate::error::{Error, Result};
use crate::network::links::Linked;
use crate::network::names::{OF_HOST, host_gateway};
use crate::network::request::Mode;
use crate::truth::write_small;

const LOCAL: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// What stands for the host's own address in a line of `--add-host`.
const HOST_GATEWAY: &str = "host-gateway";

/// What a container is called.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) host: String,
    /// Empty for none.
    pub(crate) domain: String,
}

/// Where a container is, and whom it knows by names of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    pub(crate) ends: &'a [(Network, Endpoint)],
    pub(crate) links: &'a [Linked],
}

/// Refuses what the files can't say.
pub(crate) fn check(host: &HostConfig) -> Result<()> {
    for line in &host.extra_hosts {
        parse_host(line)?;
    }
    for server in &host.dns {
        if server.parse::<IpAddr>().is_err() {
            return Err(Error::invalid(format!(
                "invalid dns: {server:?} is no address of a name server"
            )));
        }
    }
    for (what, words) in [
        ("dns-search", &host.dns_search),
        ("dns-option", &host.dns_options),
    ] {
        if let Some(word) = words.iter().find(|word| !is_word(word)) {
            return Err(Error::invalid(format!("invalid {what}: {word:?}")));
        }
    }
    Ok(())
}

/// Whether the files have it as one word: no end of a line, no end of the text, and no comment begins in it.
pub(crate) fn is_word(text: &str) -> bool {
    let breaks = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | ';');
    !text.is_empty() && !text.contains(breaks)
}

/// A line's name, and its address; none for the host's own.
fn parse_host(line: &str) -> Result<(&str, Option<IpAddr>)> {
    let (name, address) = line
        .split_once([':', '='])
        .filter(|(name, _)| is_word(name))
        .ok_or_else(|| Error::invalid(format!("bad format for add-host: {line:?}")))?;
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let address = bare.unwrap_or(address);
    if address == HOST_GATEWAY {
        return Ok((name, None));
    }
    match address.parse() {
        Ok(address) => Ok((name, Some(address))),
        Err(_) => Err(Error::invalid(format!(
            "invalid IP address in add-host: {address:?}"
        ))),
    }
}

/// The content of /etc/hosts; `of_host` is the host's own, for a container that shares its network.
pub(crate) fn hosts(
    host: &HostConfig,
    names: &Names,
    of_host: Option<&str>,
    around: &Around<'_>,
) -> Result<String> {
    let mut text = of_host.unwrap_or(LOCAL).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if of_host.is_none() {
        own_name(&mut text, names, around.ends);
    }
    for link in around.links {
        let mut names = vec![link.alias.clone()];
        for name in [link.stored.hostname(&link.row.id), link.row.name.clone()] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        text.push_str(&format!("{}\t{}\n", link.address, names.join(" ")));
    }
    let gateway = match of_host {
        Some(_) => vec![IpAddr::from([127, 0, 0, 1])],
        None => host_gateway(around.ends),
    };
    for line in &host.extra_hosts {
        match parse_host(line)? {
            (name, Some(address)) => text.push_str(&format!("{address}\t{name}\n")),
            (_, None) if gateway.is_empty() => {
                return Err(Error::invalid(
                    "unable to derive the IP value for host-gateway: the container has no network on which the host is",
                ));
            }
            (name, None) => {
                for address in &gateway {
                    text.push_str(&format!("{address}\t{name}\n"));
                }
            }
        }
    }
    // Elsewhere its resolver knows it.
    if of_host.is_some() && !OF_HOST.iter().any(|name| text.contains(name)) {
        text.push_str(&format!("127.0.0.1\t{}\n", OF_HOST.join(" ")));
    }
    Ok(text)
}

/// Its own name must lead somewhere: without a network to itself alone.
fn own_name(text: &mut String, names: &Names, ends: &[(Network, Endpoint)]) {
    let Names { host, domain } = names;
    let called = if domain.is_empty() {
        host.clone()
    } else {
        format!("{host}.{domain} {host}")
    };
    let mut alone = true;
    for (_, end) in ends {
        for family in [Family::V4, Family::V6] {
            if let Some(address) = end.address(family) {
                alone = false;
                text.push_str(&format!("{address}\t{called}\n"));
            }
        }
    }
    if alone {
        text.push_str(&format!("127.0.1.1\t{called}\n"));
    }
}

/// The content of /etc/resolv.conf, from the host's own and what was asked for.
pub(crate) fn resolv_conf(host: &HostConfig, of_host: &str) -> String {
    let mode = Mode::of(&host.network_mode);
    // What is not known on its networks is asked of the host's servers, or those that were named, by the resolver.
    let resolver = matches!(mode, Mode::Networks(_));
    let mut text = String::new();
    let mut options: Vec<String> = host.dns_options.clone();
    if resolver {
        text.push_str(&format!("nameserver {}\n", protocol::names::ADDRESS));
    }
    for line in of_host.lines() {
        let mut words = line.split_whitespace();
        let keep = match words.next() {
            Some("nameserver") => {
                // The host's own loopback is not the container's.
                let local = words
                    .next()
                    .and_then(|a| a.parse::<IpAddr>().ok())
                    .is_some_and(|a| a.is_loopback());
                host.dns.is_empty() && !resolver && !(mode != Mode::Host && local)
            }
            Some("search" | "domain") => host.dns_search.is_empty(),
            Some("options") if resolver => {
                if host.dns_options.is_empty() {
                    options.extend(words.map(str::to_owned));
                }
                false
            }
            Some("options") => host.dns_options.is_empty(),
            _ => !resolver,
        };
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    if !resolver {
        for server in &host.dns {
            text.push_str(&format!("nameserver {server}\n"));
        }
    } else if !options.iter().any(|option| option.starts_with("ndots:")) {
        // A container's name is asked for as it is first, whatever the search list.
        options.push("ndots:0".to_owned());
    }
    if !host.dns_search.is_empty() && host.dns_search != ["."] {
        text.push_str(&format!("search {}\n", host.dns_search.join(" ")));
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

/// Writes all three into the container's directory.
pub(crate) fn write(
    directory: &Path,
    host: &HostConfig,
    names: &Names,
    around: &Around<'_>,
) -> Result<()> {
    write_hosts(directory, host, names, around)?;
    let of_host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    for (name, text) in [
        ("hostname", format!("{}\n", names.host)),
        ("resolv.conf", resolv_conf(host, &of_host)),
    ] {
        write_small(&directory.join(name), text.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Writes /etc/hosts, in place: a running container has the file itself.
pub(crate) fn write_hosts(
    directory: &Path,
    host: &HostConfig,
    names: &Names,
    around: &Around<'_>,
) -> Result<()> {
    let shared = Mode::of(&host.network_mode) == Mode::Host;
    let of_host = shared.then(|| std::fs::read_to_string("/etc/hosts").unwrap_or_default());
    let text = hosts(host, names, of_host.as_deref(), around)?;
    write_small(&directory.join("hosts"), text.as_bytes(), 0o644)
}
