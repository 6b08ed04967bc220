//! `--publish` and `--expose`.

use std::net::IpAddr;

/// One port of the container and where it is asked to appear on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// `80/tcp`.
    pub(crate) port: String,
    /// Empty: every address.
    pub(crate) host_ip: String,
    /// Empty: any free port.
    pub(crate) host_port: String,
}

/// `[ip:][host][:]container[/protocol]`, with ranges.
pub(crate) fn publish(text: &str) -> Result<Vec<Published>, String> {
    let (spec, protocol) = protocol(text)?;
    let (ip, rest) = split_address(spec)?;
    let (host, container) = match rest.rsplit_once(':') {
        Some((host, container)) => (host, container),
        None => ("", rest),
    };
    if container.is_empty() {
        return Err(format!(
            "no port specified: {text}; is there a stray space? expected [IP:][HOST:]CONTAINER"
        ));
    }
    let (first, last) = range(container)?;
    let hosts = if host.is_empty() {
        None
    } else {
        Some(range(host)?)
    };
    if let Some((from, to)) = hosts
        && first != last
        && to - from != last - first
    {
        return Err(format!(
            "invalid ranges specified for container and host ports: {container} and {host}"
        ));
    }
    Ok((first..=last)
        .map(|port| Published {
            port: format!("{port}/{protocol}"),
            host_ip: ip.clone(),
            host_port: match hosts {
                None => String::new(),
                Some((from, to)) if first == last && from != to => format!("{from}-{to}"),
                Some((from, _)) => (from + (port - first)).to_string(),
            },
        })
        .collect())
}

/// `port[-port][/protocol]`.
pub(crate) fn exposed(text: &str) -> Result<Vec<String>, String> {
    let (spec, protocol) = protocol(text)?;
    if spec.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    let (first, last) = range(spec)?;
    Ok((first..=last)
        .map(|port| format!("{port}/{protocol}"))
        .collect())
}

fn protocol(text: &str) -> Result<(&str, String), String> {
    let (spec, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        Ok((spec, protocol))
    } else {
        Err(format!("invalid proto: {protocol}; one of tcp, udp, sctp"))
    }
}

fn split_address(spec: &str) -> Result<(String, &str), String> {
    let (ip, rest) = if let Some(inner) = spec.strip_prefix('[') {
        let (ip, rest) = inner
            .split_once(']')
            .ok_or_else(|| format!("'[' without ']' in {spec}"))?;
        (
            ip,
            rest.strip_prefix(':')
                .ok_or_else(|| format!("no port after the address in {spec}"))?,
        )
    } else if spec.matches(':').count() >= 2 {
        let (head, container) = spec.rsplit_once(':').unwrap_or((spec, ""));
        let (ip, host) = head.rsplit_once(':').unwrap_or(("", head));
        (ip, &spec[spec.len() - host.len() - container.len() - 1..])
    } else {
        ("", spec)
    };
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {ip}"));
    }
    Ok((ip.to_owned(), rest))
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let port = |part: &str| {
        part.parse::<u16>()
            .map_err(|_| format!("invalid port number: '{part}'; a number from 0 to 65535"))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if last < first {
        Err(format!("invalid range of ports: {text}"))
    } else {
        Ok((first, last))
    }
}
