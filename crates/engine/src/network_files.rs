//! The files that tell a container its name, its neighbours' and its name servers: made anew at each start.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;

use crate::container::HostConfig;
use crate::error::{Error, Result};
use crate::truth::write_small;

const LOCAL: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// What a container is called.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) host: String,
    /// Empty for none.
    pub(crate) domain: String,
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
fn is_word(text: &str) -> bool {
    let breaks = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | ';');
    !text.is_empty() && !text.contains(breaks)
}

fn parse_host(line: &str) -> Result<(&str, &str)> {
    let (name, address) = line
        .split_once([':', '='])
        .filter(|(name, _)| is_word(name))
        .ok_or_else(|| Error::invalid(format!("bad format for add-host: {line:?}")))?;
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let address = bare.unwrap_or(address);
    if address == "host-gateway" {
        return Err(Error::unsupported(
            "unable to derive the IP value for host-gateway: the container has no network of its own yet",
        ));
    }
    if address.parse::<IpAddr>().is_err() {
        return Err(Error::invalid(format!(
            "invalid IP address in add-host: {address:?}"
        )));
    }
    Ok((name, address))
}

/// The content of /etc/hosts; `of_host` is the host's own, for a container that shares its network.
pub(crate) fn hosts(host: &HostConfig, names: &Names, of_host: Option<&str>) -> Result<String> {
    let mut text = of_host.unwrap_or(LOCAL).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if of_host.is_none() {
        // Its own name must lead somewhere: without a network to itself alone.
        let Names { host, domain } = names;
        if domain.is_empty() {
            text.push_str(&format!("127.0.1.1\t{host}\n"));
        } else {
            text.push_str(&format!("127.0.1.1\t{host}.{domain} {host}\n"));
        }
    }
    for line in &host.extra_hosts {
        let (name, address) = parse_host(line)?;
        text.push_str(&format!("{address}\t{name}\n"));
    }
    Ok(text)
}

/// The content of /etc/resolv.conf, from the host's own and what was asked for.
pub(crate) fn resolv_conf(host: &HostConfig, of_host: &str) -> String {
    let own_network = host.network_mode != "host";
    let mut text = String::new();
    for line in of_host.lines() {
        let mut words = line.split_whitespace();
        let keep = match words.next() {
            Some("nameserver") => {
                // The host's own loopback is not the container's.
                let local = words
                    .next()
                    .and_then(|a| a.parse::<IpAddr>().ok())
                    .is_some_and(|a| a.is_loopback());
                host.dns.is_empty() && !(own_network && local)
            }
            Some("search" | "domain") => host.dns_search.is_empty(),
            Some("options") => host.dns_options.is_empty(),
            _ => true,
        };
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    for server in &host.dns {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !host.dns_search.is_empty() && host.dns_search != ["."] {
        text.push_str(&format!("search {}\n", host.dns_search.join(" ")));
    }
    if !host.dns_options.is_empty() {
        text.push_str(&format!("options {}\n", host.dns_options.join(" ")));
    }
    text
}

/// Writes all three into the container's directory.
pub(crate) fn write(directory: &Path, host: &HostConfig, names: &Names) -> Result<()> {
    let of_host = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let hosts_of_host = (host.network_mode == "host").then(|| of_host("/etc/hosts"));
    for (name, text) in [
        ("hosts", hosts(host, names, hosts_of_host.as_deref())?),
        ("hostname", format!("{}\n", names.host)),
        (
            "resolv.conf",
            resolv_conf(host, &of_host("/etc/resolv.conf")),
        ),
    ] {
        write_small(&directory.join(name), text.as_bytes(), 0o644)?;
    }
    Ok(())
}
