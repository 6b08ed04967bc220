//! Proxies: which one a host is reached by, from the variables that everybody sets (`HTTPS_PROXY`, `NO_PROXY` …).

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::host::{host_of, is_loopback};

/// Addresses of proxies. The environment is read by the caller.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For plain http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// Hosts, domains and networks that need none, separated by commas.
    pub no: String,
}

// Its addresses may hold passwords.
impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies")
            .field("no", &self.no)
            .finish_non_exhaustive()
    }
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

impl Proxies {
    /// The proxy for a host; none for a direct way.
    ///
    /// # Errors
    /// The address makes no sense, or is that of a proxy of another kind.
    pub(crate) fn find(&self, tls: bool, authority: &str) -> Result<Option<Proxy>, String> {
        let address = if tls { &self.https } else { &self.http };
        let Some(address) = address.as_deref().filter(|a| !a.is_empty()) else {
            return Ok(None);
        };
        if is_loopback(authority) || self.is_excepted(authority) {
            return Ok(None);
        }
        parse(address).map(Some)
    }

    fn is_excepted(&self, authority: &str) -> bool {
        let host = host_of(authority).to_ascii_lowercase();
        let ip: Option<IpAddr> = host.parse().ok();
        self.no.split(',').map(str::trim).any(|rule| {
            let rule = rule.to_ascii_lowercase();
            if rule == "*" || rule == authority || rule == host {
                return true;
            }
            if let Some(ip) = ip {
                return crate::host::in_network(ip, &rule);
            }
            // `.example.org` are the names below; `example.org` that name too.
            let domain = rule.trim_start_matches("*.").trim_start_matches('.');
            !domain.is_empty()
                && host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
        })
    }
}

fn parse(address: &str) -> Result<Proxy, String> {
    let rest = match address.split_once("://") {
        None => address,
        Some(("http", rest)) => rest,
        Some((scheme, _)) => {
            return Err(format!(
                "a proxy that speaks {scheme} is not supported: use http://"
            ));
        }
    };
    let rest = rest.split('/').next().unwrap_or(rest);
    let (login, authority) = match rest.rsplit_once('@') {
        Some((login, authority)) => (Some(login), authority),
        None => (None, rest),
    };
    let port = authority
        .strip_prefix(host_of(authority))
        .or_else(|| authority.split_once(']').map(|(_, rest)| rest))
        .and_then(|rest| rest.strip_prefix(':'));
    let port = match port {
        None => 80,
        Some(port) => port
            .parse()
            .map_err(|_| "a proxy's port is no number".to_owned())?,
    };
    if host_of(authority).is_empty() {
        return Err("a proxy's address has no host".to_owned());
    }
    Ok(Proxy {
        host: host_of(authority).to_owned(),
        port,
        authorization: login.map(|login| format!("Basic {}", STANDARD.encode(unescaped(login)))),
    })
}

/// `%40` is an at sign.
fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    out
}
