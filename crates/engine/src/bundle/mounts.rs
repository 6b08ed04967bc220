//! The mounts of a container.

use spec::profile;
use spec::runtime::Mount;

use super::{Input, security};
use crate::container::MountKind;
use crate::container::stored::{Stored, StoredMount};

pub(super) fn mounts(input: &Input<'_>) -> Vec<Mount> {
    let Stored { host, mounts, .. } = input.stored;
    // Refused when it was made, if it could not be read.
    let writable_cgroups =
        security::parse(&host.security_opt).is_ok_and(|security| security.writable_cgroups);
    let mut all = profile::mounts();
    for mount in &mut all {
        match mount.destination.as_str() {
            "/dev/shm" if host.shm_size > 0 => set_option(mount, "size=", host.shm_size),
            "/sys" | "/sys/fs/cgroup" if host.privileged => mount.options.retain(|o| o != "ro"),
            "/sys/fs/cgroup" if writable_cgroups => mount.options.retain(|o| o != "ro"),
            _ => {}
        }
    }
    match host.ipc_mode.as_str() {
        "host" => {
            for mount in &mut all {
                // Of queues, each mount shows those of its namespace.
                if mount.destination == "/dev/shm" {
                    *mount = bound(
                        &mount.destination.clone(),
                        &mount.destination,
                        &["rbind", "rprivate"],
                    );
                }
            }
        }
        "none" => all.retain(|m| m.destination != "/dev/shm"),
        _ => {}
    }
    // What the user mounts replaces a default, and what is below it.
    all.retain(|m| {
        !mounts
            .iter()
            .any(|own| covers(&own.destination, &m.destination))
    });
    if host.readonly_rootfs {
        for mount in &mut all {
            let writable = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"];
            if !writable.contains(&mount.destination.as_str())
                && !mount.options.iter().any(|o| o == "ro")
            {
                mount.options.push("ro".to_owned());
            }
        }
    }
    for (file, target) in [
        ("resolv.conf", "/etc/resolv.conf"),
        ("hostname", "/etc/hostname"),
        ("hosts", "/etc/hosts"),
    ] {
        if !mounts.iter().any(|own| own.destination == target) {
            let source = input.directory.join(file).display().to_string();
            all.push(bound(target, &source, &["rbind", "rprivate"]));
        }
    }
    all.extend(mounts.iter().map(|own| user(own, input)));
    all
}

/// The program that is the first process.
pub(super) fn init(program: &std::path::Path) -> Mount {
    let source = program.display().to_string();
    bound(
        super::INIT,
        &source,
        &["bind", "rprivate", "ro", "nosuid", "nodev"],
    )
}

fn covers(own: &str, default: &str) -> bool {
    default == own
        || default
            .strip_prefix(own)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn set_option(mount: &mut Mount, name: &str, value: i64) {
    mount.options.retain(|o| !o.starts_with(name));
    mount.options.push(format!("{name}{value}"));
}

fn bound(destination: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: "bind".to_owned(),
        source: source.to_owned(),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        ..Mount::default()
    }
}

fn user(own: &StoredMount, input: &Input<'_>) -> Mount {
    if own.kind == MountKind::Tmpfs {
        return Mount {
            destination: own.destination.clone(),
            kind: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            options: own.tmpfs.clone(),
            ..Mount::default()
        };
    }
    let source = match own.kind {
        MountKind::Volume => {
            let mut path = input.volumes.join(&own.source);
            if !own.subpath.is_empty() {
                path.push(&own.subpath);
            }
            path.display().to_string()
        }
        _ => own.source.clone(),
    };
    let recursive = if own.non_recursive { "bind" } else { "rbind" };
    let propagation = if own.propagation.is_empty() {
        "rprivate"
    } else {
        &own.propagation
    };
    let mut mount = bound(&own.destination, &source, &[recursive, propagation]);
    if own.read_only {
        // Also the mounts below it, as Docker since 25; mount_setattr does it since Linux 5.12.
        let top = own.non_recursive || own.writable_inside;
        let option = if top { "ro" } else { "rro" };
        mount.options.push(option.to_owned());
    }
    mount
}

/// A bind that is to be seen on both sides needs a root that is not private.
pub(super) fn root_propagation(stored: &Stored) -> &'static str {
    let any = |kind: &str| {
        stored
            .mounts
            .iter()
            .any(|m| m.propagation.trim_start_matches('r') == kind)
    };
    if any("shared") {
        "shared"
    } else if any("slave") {
        "slave"
    } else {
        ""
    }
}
