//! Where a registry is reached and whom to trust there: the public registry's real address, mirrors, `hosts.toml` as containerd
//! reads it, `certs.d` as Docker does. Read anew for each operation, so that changes need no restart.

#[cfg(test)]
mod tests;
mod toml_file;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::HeaderMap;

use crate::error::{Error, Result};
use crate::lookup::is_localhost;

pub(crate) const PUBLIC: &str = "docker.io";
const PUBLIC_HOST: &str = "registry-1.docker.io";

/// Rules for all registries; what is particular to one is in the directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Directories with a folder for each registry: `/etc/docker/certs.d`, `/etc/containerd/certs.d`.
    pub directories: Vec<PathBuf>,
    /// Registries that may speak plain http or show any certificate: `host`, `host:port` or `10.0.0.0/8`.
    pub insecure: Vec<String>,
    /// Mirrors of the public registry, as addresses.
    pub mirrors: Vec<String>,
}

/// How a host is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Https,
    Http,
    /// TLS, and plain http if the other side knows none: only on this machine or by choice.
    Either,
}

/// A host that serves a registry's content.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) scheme: Scheme,
    /// Name or address, and the port if it is not the scheme's own.
    pub(crate) authority: String,
    /// `/v2`, or what it has instead.
    pub(crate) prefix: String,
    /// Whether it is the registry itself and not one that stands in for it: only that gets its credentials.
    pub(crate) origin: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) trust: Trust,
    pub(crate) headers: HeaderMap,
}

/// What a host may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Blobs, and manifests by digest.
    pub(crate) pull: bool,
    /// What a tag leads to.
    pub(crate) resolve: bool,
    pub(crate) push: bool,
}

impl Capabilities {
    pub(crate) const ALL: Self = Self {
        pull: true,
        resolve: true,
        push: true,
    };
}

/// Whom to trust beyond the machine's own authorities, and what to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    pub(crate) authorities: Vec<PathBuf>,
    /// Certificate and key; the key may be in the certificate's file.
    pub(crate) clients: Vec<(PathBuf, Option<PathBuf>)>,
    /// Whether any certificate will do: only by choice.
    pub(crate) anybody: bool,
}

impl Rules {
    /// The hosts to try for a registry's content, in order.
    ///
    /// # Errors
    /// A file makes no sense.
    pub(crate) fn hosts(&self, domain: &str) -> Result<Vec<Host>> {
        let found = self.folders(domain).find_map(|folder| {
            let file = folder.join("hosts.toml");
            file.exists().then_some((folder, file))
        });
        if let Some((folder, file)) = found {
            let text = std::fs::read_to_string(&file)
                .map_err(|e| Error::system("read", file.display(), e))?;
            return toml_file::parse(&text, &folder, self.origin(domain)?)
                .map_err(|why| Error::system("read", file.display(), why));
        }
        let mut hosts = Vec::new();
        if domain == PUBLIC {
            for mirror in &self.mirrors {
                hosts.push(self.mirror(mirror)?);
            }
        }
        hosts.push(self.origin(domain)?);
        Ok(hosts)
    }

    /// The registry itself.
    fn origin(&self, domain: &str) -> Result<Host> {
        let authority = if domain == PUBLIC {
            PUBLIC_HOST
        } else {
            domain
        };
        let insecure = self.is_insecure(authority);
        Ok(Host {
            scheme: if insecure || is_loopback(authority) {
                Scheme::Either
            } else {
                Scheme::Https
            },
            authority: authority.to_owned(),
            prefix: "/v2".to_owned(),
            origin: true,
            capabilities: Capabilities::ALL,
            trust: Trust {
                anybody: insecure,
                ..self.certificates(domain)?
            },
            headers: HeaderMap::new(),
        })
    }

    fn mirror(&self, address: &str) -> Result<Host> {
        let (scheme, authority, path) = split_address(address);
        let mut host = self.origin(&authority)?;
        host.scheme = scheme.unwrap_or(host.scheme);
        host.prefix = format!("{}/v2", path.trim_end_matches('/'));
        host.origin = false;
        host.capabilities.push = false;
        Ok(host)
    }

    /// The folders that may speak of a registry, as containerd and Docker name them.
    fn folders(&self, domain: &str) -> impl Iterator<Item = PathBuf> {
        // containerd writes the port in a way that file systems without colons take.
        let escaped = domain
            .rsplit_once(':')
            .map(|(host, port)| format!("{host}_{port}_"));
        let names: Vec<String> = [
            Some(domain.to_owned()),
            escaped,
            Some("_default".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let paths: Vec<PathBuf> = self
            .directories
            .iter()
            .flat_map(|directory| names.iter().map(|name| directory.join(name)))
            .collect();
        paths.into_iter()
    }

    /// Docker's certs.d: `*.crt` are authorities, `NAME.cert` and `NAME.key` are shown.
    fn certificates(&self, domain: &str) -> Result<Trust> {
        let mut trust = Trust::default();
        for directory in &self.directories {
            trust.add_folder(&directory.join(domain))?;
        }
        Ok(trust)
    }

    fn is_insecure(&self, authority: &str) -> bool {
        let host = host_of(authority);
        let ip: Option<IpAddr> = host.parse().ok();
        self.insecure.iter().any(|rule| {
            rule == authority || rule == host || ip.is_some_and(|ip| in_network(ip, rule))
        })
    }
}

impl Trust {
    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let failed = |e| Error::system("read", folder.display(), e);
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in &paths {
            match path.extension().and_then(|e| e.to_str()) {
                Some("crt") => self.authorities.push(path.clone()),
                Some("cert") => {
                    let key = path.with_extension("key");
                    if !key.exists() {
                        return Err(Error::system(
                            "read",
                            key.display(),
                            "missing key for a client certificate",
                        )
                        .hint("an authority's certificate ends in .crt, a client's in .cert"));
                    }
                    self.clients.push((path.clone(), Some(key)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Scheme, authority and path of an address that may lack the first.
pub(crate) fn split_address(address: &str) -> (Option<Scheme>, String, String) {
    let (scheme, rest) = if let Some(rest) = address.strip_prefix("https://") {
        (Some(Scheme::Https), rest)
    } else if let Some(rest) = address.strip_prefix("http://") {
        (Some(Scheme::Http), rest)
    } else {
        (None, address)
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("/{}", path.trim_end_matches('/'))
    };
    (scheme, authority.to_owned(), path)
}

/// The host of an authority, without port and brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// Whether it is this machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    is_localhost(host) || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an address is in `10.0.0.0/8`.
pub(crate) fn in_network(ip: IpAddr, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else {
        return false;
    };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(ip) & mask == u32::from(base) & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(base)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(ip) & mask == u128::from(base) & mask
        }
        _ => false,
    }
}
