//! Kernel parameters: only those that belong to a namespace of the container's own.

use std::collections::BTreeMap;

use crate::container::HostConfig;
use crate::error::{Error, Result};
use crate::network::request::Mode;

const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Refuses parameters of the host.
pub(super) fn check(host: &HostConfig) -> Result<()> {
    for name in host.sysctls.keys() {
        let refused = |why: &str| {
            Err(Error::invalid(format!(
                "sysctl '{name}' is not allowed{why}"
            )))
        };
        let dotted = dotted(name);
        if dotted.contains("..") {
            return refused("");
        }
        if dotted.starts_with("net.") {
            if host.network_mode == "host" {
                return refused(" because host network is enabled");
            }
        } else if dotted.starts_with("fs.mqueue.") || IPC.contains(&dotted.as_str()) {
            if host.ipc_mode == "host" {
                return refused(" because host IPC is enabled");
            }
        } else if dotted == "kernel.domainname" {
            if host.uts_mode == "host" {
                return refused(" because host UTS is enabled");
            }
        } else {
            return refused("");
        }
    }
    Ok(())
}

/// The parameters that are set: those asked for over Docker's defaults for a network of the container's own.
pub(super) fn sysctls(host: &HostConfig) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if matches!(
        Mode::of(&host.network_mode),
        Mode::Nothing | Mode::Networks(_)
    ) {
        // Ports below 1024 and ping need no capability in a network that is the container's alone.
        all.insert(
            "net.ipv4.ip_unprivileged_port_start".to_owned(),
            "0".to_owned(),
        );
        all.insert(
            "net.ipv4.ping_group_range".to_owned(),
            "0 2147483647".to_owned(),
        );
    }
    for (name, value) in &host.sysctls {
        all.insert(dotted(name), value.clone());
    }
    all
}

/// The name with dots: with a slash as its first separator, dots and slashes change places.
fn dotted(name: &str) -> String {
    if name
        .find(['.', '/'])
        .is_none_or(|at| name.as_bytes()[at] == b'.')
    {
        return name.to_owned();
    }
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    name.chars().map(swap).collect()
}
