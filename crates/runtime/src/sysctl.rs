//! Kernel parameters: which a container may set, and how they are written.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use spec::runtime::{NamespaceKind, Spec};

use crate::error::{Error, Result};

/// Parameters of an IPC namespace; `fs.mqueue.*` besides.
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

/// One parameter, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Below `/proc/sys`.
    pub(crate) path: String,
    pub(crate) value: String,
}

/// Checks `asked` against the namespaces that the container has of its own: a parameter of the host's is refused
/// (CVE-2022-0532, CVE-2022-0811).
pub(crate) fn plan(asked: &BTreeMap<String, String>, spec: &Spec) -> Result<Vec<Setting>> {
    let own = |kind| spec.namespace(kind).is_some();
    let mut settings = Vec::with_capacity(asked.len());
    for (name, value) in asked {
        let refused = |why| Err(Error::invalid(why, name.escape_default().to_string()));
        let parts = parts(name);
        let plain = |p: &&str| {
            !p.is_empty() && *p != "." && *p != ".." && !p.contains(['\0', '\n', '+', '/'])
        };
        if parts.len() < 2 || !parts.iter().all(|p| plain(&p.as_str())) {
            return refused("read kernel parameter");
        }
        if value.contains(['\0', '\n']) {
            return refused("read value of kernel parameter");
        }
        let dotted = parts.join(".");
        let (first, second) = (parts[0].as_str(), parts[1].as_str());
        let allowed = match first {
            "net" => own(NamespaceKind::Network),
            "fs" => second == "mqueue" && parts.len() > 2 && own(NamespaceKind::Ipc),
            "kernel" if dotted == "kernel.domainname" => own(NamespaceKind::Uts),
            "kernel" => IPC.contains(&dotted.as_str()) && own(NamespaceKind::Ipc),
            "user" => own(NamespaceKind::User),
            _ => false,
        };
        if !allowed {
            return refused("set kernel parameter of the host");
        }
        settings.push(Setting {
            path: parts.join("/"),
            value: value.clone(),
        });
    }
    Ok(settings)
}

/// `net.ipv4.conf.eth0/1.x` and `net/ipv4/conf/eth0.1/x` are one: whichever separator comes first is the separator, the other
/// stands for itself swapped, as sysctl(8) has it.
fn parts(name: &str) -> Vec<String> {
    let slash = name
        .find(['.', '/'])
        .is_some_and(|at| name.as_bytes()[at] == b'/');
    if slash {
        return name.split('/').map(str::to_owned).collect();
    }
    name.split('.').map(|p| p.replace('/', ".")).collect()
}

/// Writes `settings` through `proc`, the root of a procfs of the container's namespaces that nobody else can reach or
/// cover.
pub(crate) fn apply(proc: BorrowedFd<'_>, settings: &[Setting]) -> Result<()> {
    for Setting { path, value } in settings {
        write(proc, &format!("sys/{path}"), value.as_bytes())
            .map_err(Error::at("set kernel parameter", path))?;
    }
    Ok(())
}

/// Writes to a file of a procfs, which must be just that: no link, nothing mounted over it.
pub(crate) fn write(proc: BorrowedFd<'_>, path: &str, value: &[u8]) -> rustix::io::Result<()> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS;
    let file = rustix::fs::openat2(
        proc,
        path,
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )?;
    let written = rustix::io::write(&file, value)?;
    if written == value.len() {
        Ok(())
    } else {
        Err(rustix::io::Errno::IO)
    }
}

#[cfg(test)]
mod tests;
