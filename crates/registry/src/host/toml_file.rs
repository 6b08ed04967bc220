//! `hosts.toml`, in containerd's grammar (docs/hosts.md there): a default server, and hosts to try before it.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use toml::{Table, Value};

use super::{Capabilities, Host, Scheme, Trust, split_address};

type Result<T> = std::result::Result<T, String>;

/// Reads the file. `origin` is the registry as it would be without it.
pub(super) fn parse(text: &str, folder: &Path, origin: Host) -> Result<Vec<Host>> {
    let file: Table = text
        .parse()
        .map_err(|e: toml::de::Error| e.message().to_owned())?;
    let mut hosts = Vec::new();
    // In the order of the file: containerd tries them so.
    for name in host_names(text) {
        let Some(entry) = file
            .get("host")
            .and_then(Value::as_table)
            .and_then(|t| t.get(&name))
        else {
            continue;
        };
        let entry = entry.as_table().ok_or("a host is no table")?;
        hosts.push(host(&name, entry, folder, &origin)?);
    }
    let mut server = origin.clone();
    if let Some(address) = file.get("server") {
        let address = address.as_str().ok_or("\"server\" is no text")?;
        if address.is_empty() {
            return Ok(hosts);
        }
        server = at(address, &origin);
    }
    configure(&mut server, &file, folder)?;
    // The server is the registry itself if its address is, so that credentials go nowhere else (security.md, E9).
    server.origin = server.authority == origin.authority;
    hosts.push(server);
    Ok(hosts)
}

/// The keys of `[host.…]` in the order in which they stand; the parsed table has lost it.
fn host_names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("[host.") else {
            continue;
        };
        let quoted = |q: char| rest.strip_prefix(q).and_then(|r| r.split(q).next());
        let name = quoted('"')
            .or_else(|| quoted('\''))
            .or_else(|| rest.split([']', '.']).next());
        if let Some(name) = name
            && !names.iter().any(|n| n == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

fn at(address: &str, origin: &Host) -> Host {
    let (scheme, authority, path) = split_address(address);
    let mut host = origin.clone();
    host.scheme = scheme.unwrap_or_else(|| {
        if super::is_loopback(&authority) {
            Scheme::Either
        } else {
            Scheme::Https
        }
    });
    if host.authority != authority {
        host.trust = Trust::default();
    }
    host.authority = authority;
    host.prefix = format!("{}/v2", path.strip_suffix("/v2").unwrap_or(&path));
    host
}

fn host(name: &str, entry: &Table, folder: &Path, origin: &Host) -> Result<Host> {
    let mut host = at(name, origin);
    host.origin = host.authority == origin.authority;
    configure(&mut host, entry, folder)?;
    if entry.get("override_path").and_then(Value::as_bool) == Some(true) {
        host.prefix = split_address(name).2;
    }
    Ok(host)
}

fn configure(host: &mut Host, entry: &Table, folder: &Path) -> Result<()> {
    if let Some(list) = entry.get("capabilities") {
        let words = texts(list, "capabilities")?;
        let has = |word: &str| words.iter().any(|w| w == word);
        host.capabilities = Capabilities {
            pull: has("pull"),
            resolve: has("resolve"),
            push: has("push"),
        };
    }
    if let Some(list) = entry.get("ca") {
        let files = texts(list, "ca")?;
        host.trust
            .authorities
            .extend(files.iter().map(|file| folder.join(file)));
    }
    if let Some(clients) = entry.get("client") {
        host.trust.clients.extend(pairs(clients, folder)?);
    }
    if let Some(skip) = entry.get("skip_verify") {
        host.trust.anybody = skip
            .as_bool()
            .ok_or("\"skip_verify\" is neither true nor false")?;
    }
    if let Some(header) = entry.get("header") {
        add_headers(&mut host.headers, header)?;
    }
    Ok(())
}

fn texts(value: &Value, what: &str) -> Result<Vec<String>> {
    let bad = || format!("{what:?} is no text and no list of texts");
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(bad))
            .collect(),
        _ => Err(bad()),
    }
}

/// `"file"`, `["file", …]` or `[["certificate", "key"], …]`.
fn pairs(value: &Value, folder: &Path) -> Result<Vec<(PathBuf, Option<PathBuf>)>> {
    let Value::Array(items) = value else {
        return Ok(vec![(folder.join(texts(value, "client")?.remove(0)), None)]);
    };
    let one = |item: &Value| {
        let files = texts(item, "client")?;
        match &files[..] {
            [certificate] => Ok((folder.join(certificate), None)),
            [certificate, key] if key.is_empty() => Ok((folder.join(certificate), None)),
            [certificate, key] => Ok((folder.join(certificate), Some(folder.join(key)))),
            _ => Err("\"client\" has more than a certificate and a key".to_owned()),
        }
    };
    items.iter().map(one).collect()
}

fn add_headers(headers: &mut HeaderMap, value: &Value) -> Result<()> {
    let table = value.as_table().ok_or("\"header\" is no table")?;
    for (name, values) in table {
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no header"))?;
        for value in texts(values, "header")? {
            let value = HeaderValue::from_str(&value).map_err(|e| e.to_string())?;
            headers.append(name.clone(), value);
        }
    }
    Ok(())
}
