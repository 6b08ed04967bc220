//! `spec`.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use spec::runtime::{IdMapping, Mount, Namespace, NamespaceKind, Spec};

use crate::Cx;
use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::create::BUNDLE;
use crate::fault::{Fault, Result};

pub(crate) const COMMAND: Command = Command {
    name: "spec",
    arguments: "",
    about: "write a config.json to begin with",
    details: "It runs sh in rootfs with a terminal and all of Docker's defaults. An existing file is left alone.",
    flags: &[
        BUNDLE,
        Flag::switch("rootless", "", "for a caller who isn't root"),
    ],
    order: Order::Anywhere,
    run: write,
};

fn write(_: &Cx, given: &Given) -> Result<ExitCode> {
    given.nothing()?;
    let mut spec = spec::profile::default_spec();
    spec.hostname = "tare".to_owned();
    if let Some(process) = &mut spec.process {
        process.terminal = true;
    }
    if given.is_on("rootless") {
        // Of procfs, a process's own directory belongs to its effective user.
        let own = std::fs::metadata("/proc/self").map_err(Fault::at("find own user"))?;
        rootless(&mut spec, own.uid(), own.gid());
    }
    let mut text = serde_json::to_string_pretty(&spec).map_err(Fault::at("write configuration"))?;
    text.push('\n');
    let path = Path::new(given.last("bundle").unwrap_or(".")).join("config.json");
    let fault = || format!("write {}", path.display());
    let mut file = File::create_new(&path).map_err(Fault::at(fault()))?;
    file.write_all(text.as_bytes())
        .map_err(Fault::at(fault()))?;
    Ok(ExitCode::SUCCESS)
}

/// What a user without rights can have: a user namespace in which they are root, and nothing that needs another id or the host's network.
fn rootless(spec: &mut Spec, uid: u32, gid: u32) {
    let Some(linux) = &mut spec.linux else {
        return;
    };
    linux
        .namespaces
        .retain(|n| !matches!(n.kind, NamespaceKind::Network | NamespaceKind::User));
    linux.namespaces.push(Namespace::new(NamespaceKind::User));
    let one = |host_id| IdMapping {
        container_id: 0,
        host_id,
        size: 1,
    };
    linux.uid_mappings = vec![one(uid)];
    linux.gid_mappings = vec![one(gid)];
    linux.resources = None;
    for mount in &mut spec.mounts {
        mount
            .options
            .retain(|o| !o.starts_with("uid=") && !o.starts_with("gid="));
        // sysfs tells of a network namespace, and can be mounted by whoever owns that one only.
        if mount.destination == "/sys" {
            *mount = Mount {
                destination: "/sys".to_owned(),
                kind: "none".to_owned(),
                source: "/sys".to_owned(),
                options: ["rbind", "nosuid", "noexec", "nodev", "ro"]
                    .map(str::to_owned)
                    .to_vec(),
                ..Mount::default()
            };
        }
    }
    spec.mounts.retain(|m| m.kind != "cgroup");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rootless_container_asks_for_nothing_that_needs_rights() {
        let mut spec = spec::profile::default_spec();
        rootless(&mut spec, 1000, 1001);
        let linux = spec.linux.as_ref().unwrap();
        assert!(spec.namespace(NamespaceKind::User).is_some());
        assert!(spec.namespace(NamespaceKind::Network).is_none());
        assert_eq!(linux.uid_mappings[0].host_id, 1000);
        assert_eq!(linux.gid_mappings[0].host_id, 1001);
        assert!(linux.resources.is_none());
        let options = || spec.mounts.iter().flat_map(|m| &m.options);
        assert!(!options().any(|o| o.starts_with("gid=")));
        assert!(
            spec.mounts
                .iter()
                .all(|m| m.kind != "sysfs" && m.kind != "cgroup")
        );
    }
}
