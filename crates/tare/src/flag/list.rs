//! Flags that may be given many times, and the files that hold such lists.

use std::net::IpAddr;

/// `key=value`; a lone `key` has no value.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(format!("'{text}' has no name before the '='"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A label: as [`pair`], its name without white space.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text)?;
    if key.contains(char::is_whitespace) {
        return Err(format!("label '{key}' contains white space"));
    }
    Ok((key, value))
}

/// `host:ip` or `host=ip` as the engine takes it: `host:ip`.
pub(crate) fn host_entry(text: &str) -> Result<String, String> {
    let bad = || format!("bad format for add-host: \"{text}\"; expected HOST:IP");
    let (host, ip) = match text.split_once('=') {
        Some(pair) => pair,
        None => text.split_once(':').ok_or_else(bad)?,
    };
    if host.is_empty() {
        return Err(bad());
    }
    let bare = ip
        .strip_prefix('[')
        .and_then(|ip| ip.strip_suffix(']'))
        .unwrap_or(ip);
    if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address in add-host: \"{ip}\""));
    }
    Ok(format!("{host}:{bare}"))
}

/// The lines of an `--env-file`, as they are: no quotes, no expansion. A name without `=` takes its value from
/// `inherited`, and is left out if there is none.
pub(crate) fn env_file(
    path: &str,
    text: &str,
    inherited: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for (number, line) in entries(text) {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.contains(char::is_whitespace) {
            return Err(format!(
                "{path}:{number}: variable '{name}' contains white space"
            ));
        }
        if name.is_empty() {
            return Err(format!(
                "{path}:{number}: no variable name on line '{line}'"
            ));
        }
        match value {
            Some(_) => out.push(line.to_owned()),
            None => {
                out.extend(inherited(name.trim()).map(|value| format!("{}={value}", name.trim())))
            }
        }
    }
    Ok(out)
}

/// The lines of a `--label-file`.
pub(crate) fn label_file(path: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    entries(text)
        .map(|(number, line)| label(line).map_err(|why| format!("{path}:{number}: {why}")))
        .collect()
}

/// The lines that say something, numbered from one.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim_start()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// `--device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) host: String,
    pub(crate) container: String,
    pub(crate) permissions: String,
}

/// `host[:container][:permissions]`.
pub(crate) fn device(text: &str) -> Result<Device, String> {
    let is_permissions = |part: &str| !part.is_empty() && part.bytes().all(|b| b"rwm".contains(&b));
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, permissions) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, second] if is_permissions(second) => (*host, *host, *second),
        [host, second] => (*host, *second, "rwm"),
        [host, container, mode] if is_permissions(mode) => (*host, *container, *mode),
        [_, _, mode] => return Err(format!("invalid device mode: {mode}; letters of rwm")),
        _ => return Err(format!("invalid device specification: {text}")),
    };
    if !host.starts_with('/') {
        return Err(format!("'{host}' is not an absolute path"));
    }
    Ok(Device {
        host: host.into(),
        container: container.into(),
        permissions: permissions.into(),
    })
}
