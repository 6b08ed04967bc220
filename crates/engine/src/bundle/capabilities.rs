//! Which capabilities a container has.

use spec::profile;

use crate::container::HostConfig;
use crate::error::{Error, Result};

/// All capabilities by number, as of Linux 5.9; no later kernel has more.
pub(crate) const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

fn normal(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper == "ALL" || upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    }
}

/// Refuses names that are none.
pub(super) fn check(add: &[String], drop: &[String]) -> Result<()> {
    for (what, names) in [("CapAdd", add), ("CapDrop", drop)] {
        for name in names {
            let name = normal(name);
            if name != "ALL" && !ALL.contains(&name.as_str()) {
                return Err(Error::invalid(format!(
                    "invalid {what}: unknown capability: \"{name}\""
                )));
            }
        }
    }
    Ok(())
}

/// The container's capabilities; `held` are all that can be given.
pub(super) fn of(host: &HostConfig, held: &[String]) -> Vec<String> {
    let add: Vec<String> = host.cap_add.iter().map(|n| normal(n)).collect();
    let drop: Vec<String> = host.cap_drop.iter().map(|n| normal(n)).collect();
    let all = |names: &[String]| names.iter().any(|n| n == "ALL");
    if host.privileged {
        return held.to_vec();
    }
    let base: Vec<String> = if all(&add) {
        held.to_vec()
    } else if all(&drop) {
        Vec::new()
    } else {
        profile::CAPABILITIES.map(str::to_owned).to_vec()
    };
    let mut caps: Vec<String> = base.into_iter().filter(|n| !drop.contains(n)).collect();
    for name in add {
        if name != "ALL" && !caps.contains(&name) {
            caps.push(name);
        }
    }
    caps
}
