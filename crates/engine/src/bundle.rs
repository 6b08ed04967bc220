//! A container as an OCI runtime specification: what was asked for, the image's word and Docker's defaults, put together.
//!
//! [`spec`] is pure: what it has to know of the host is passed in, and [`validate`] runs the same rules when a container is
//! made, so that what starts is what was promised.

pub(crate) mod block;
mod capabilities;
pub(crate) mod defaults;
pub(crate) mod devices;
pub(crate) mod facts;
mod mounts;
mod resources;
mod seccomp;
mod security;
mod sysctls;
#[cfg(test)]
mod tests;
mod ulimits;

use std::path::Path;

use protocol::GivenFilter;
use protocol::launch::NETWORK_FD;
use spec::ContainerId;
use spec::profile;
use spec::runtime::{
    BlockIo, ConsoleSize, Linux, Namespace, NamespaceKind, Pids, Process, Resources, Root, Spec,
    User, VERSION,
};

use crate::container::HostConfig;
use crate::container::merge::environment;
use crate::container::stored::Stored;
use crate::error::{Error, Result};
use devices::HostDevice;

/// What a specification is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) id: &'a ContainerId,
    pub(crate) stored: &'a Stored,
    /// The directory with `hosts`, `hostname` and `resolv.conf`.
    pub(crate) directory: &'a Path,
    /// Its name, if another's network and name are lent to it.
    pub(crate) hostname: Option<&'a str>,
    /// The directory of all volumes.
    pub(crate) volumes: &'a Path,
    pub(crate) facts: &'a Facts,
    /// The devices that were asked for.
    pub(crate) devices: &'a [HostDevice],
    /// Limits of block devices.
    pub(crate) block_io: &'a BlockIo,
    /// The program that is the first process if one is asked for, on the host.
    pub(crate) init: &'a Path,
}

/// What a specification depends on beside the container.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Whether the cgroup hierarchy is the unified one alone.
    pub(crate) unified: bool,
    /// The capabilities that the engine has itself: all that it can give.
    pub(crate) capabilities: Vec<String>,
    /// The host's name.
    pub(crate) hostname: String,
    /// Paths beside the fixed ones that must not be seen.
    pub(crate) masked: Vec<String>,
}

/// Refuses, when a container is made, what could not be started.
pub(crate) fn validate(stored: &Stored) -> Result<()> {
    let host = &stored.host;
    capabilities::check(&host.cap_add, &host.cap_drop)?;
    let security = security::parse(&host.security_opt)?;
    if let security::Filter::Profile(profile) = &security.filter {
        seccomp::resolve(profile, &[])?;
    }
    sysctls::check(host)?;
    ulimits::rlimits(&host.ulimits)?;
    resources::device_rules(&host.device_cgroup_rules)?;
    for device in &host.devices {
        devices::permissions(device)?;
    }
    let named = !stored.config.domainname.is_empty() || !stored.config.hostname.is_empty();
    if named && host.uts_mode == "host" {
        return Err(Error::invalid(
            "conflicting options: hostname and the UTS mode",
        ));
    }
    Ok(())
}

/// The limits of a container that may be running. None is said too: there may have been one.
pub(crate) fn limits(host: &HostConfig) -> Resources {
    Resources {
        pids: host.pids_limit.map(|limit| Pids {
            limit: if limit > 0 { limit } else { -1 },
        }),
        block_io: (host.blkio_weight != 0).then(|| BlockIo {
            weight: Some(host.blkio_weight),
            ..BlockIo::default()
        }),
        ..resources::limits(host)
    }
}

/// The container's runtime specification.
pub(crate) fn spec(input: &Input<'_>) -> Result<Spec> {
    let Stored { config, host, .. } = input.stored;
    let own_uts = host.uts_mode != "host";
    let mut mounts = mounts::mounts(input);
    if uses_init(host) {
        mounts.push(mounts::init(input.init));
    }
    Ok(Spec {
        oci_version: VERSION.to_owned(),
        process: Some(process(input)?),
        root: Some(Root {
            path: String::new(),
            readonly: host.readonly_rootfs,
        }),
        hostname: if own_uts {
            hostname(input)
        } else {
            String::new()
        },
        domainname: if own_uts {
            config.domainname.clone()
        } else {
            String::new()
        },
        mounts,
        hooks: None,
        annotations: host.annotations.clone(),
        linux: Some(linux(input)?),
    })
}

/// The name that the container has for itself.
pub(crate) fn hostname(input: &Input<'_>) -> String {
    if let Some(lent) = input.hostname {
        return lent.to_owned();
    }
    let shared = input.stored.host.network_mode == "host" || input.stored.host.uts_mode == "host";
    if input.stored.config.hostname.is_empty() && shared {
        input.facts.hostname.clone()
    } else {
        input.stored.hostname(input.id)
    }
}

fn process(input: &Input<'_>) -> Result<Process> {
    let Stored {
        config, host, args, ..
    } = input.stored;
    let caps = capabilities::of(host, &input.facts.capabilities);
    let (rows, columns) = host.console_size;
    let security = security::parse(&host.security_opt)?;
    let console = config.tty && rows > 0 && columns > 0;
    Ok(Process {
        terminal: config.tty,
        console_size: console.then(|| ConsoleSize {
            height: rows.into(),
            width: columns.into(),
        }),
        user: User {
            additional_gids: numbers(&host.group_add),
            ..User::default()
        },
        args: if uses_init(host) {
            let own = [INIT.to_owned(), "--".to_owned()];
            own.into_iter().chain(args.iter().cloned()).collect()
        } else {
            args.clone()
        },
        env: environment(config, &hostname(input)),
        cwd: if config.working_dir.is_empty() {
            "/".to_owned()
        } else {
            config.working_dir.clone()
        },
        capabilities: Some(profile::capabilities(&caps, 0)),
        rlimits: ulimits::rlimits(&host.ulimits)?,
        no_new_privileges: security.no_new_privileges,
        apparmor_profile: security.apparmor,
        oom_score_adj: i32::try_from(host.oom_score_adj).ok(),
        ..Process::default()
    })
}

/// The numbers among groups; their monitor finds the names in the container's files.
fn numbers(groups: &[String]) -> Vec<u32> {
    groups
        .iter()
        .filter_map(|group| group.parse().ok())
        .collect()
}

/// Where the first process is in a container that has one of ours, by the name at which Docker has its own.
const INIT: &str = "/sbin/docker-init";

/// Whether the first process is ours. Where other processes are seen it would not be the first, and do nothing.
fn uses_init(host: &HostConfig) -> bool {
    host.init == Some(true) && matches!(host.pid_mode.as_str(), "" | "private")
}

/// Whose filter of system calls the container has.
pub(crate) fn filter(host: &HostConfig) -> Result<GivenFilter> {
    Ok(match security::parse(&host.security_opt)?.filter {
        security::Filter::Default if !host.privileged => GivenFilter::Usual,
        _ => GivenFilter::Specified,
    })
}

fn linux(input: &Input<'_>) -> Result<Linux> {
    let host = &defaults::complete(input.stored.host.clone(), input.facts);
    let caps = capabilities::of(host, &input.facts.capabilities);
    let filter = match security::parse(&host.security_opt)?.filter {
        _ if host.privileged => None,
        security::Filter::None => None,
        // The monitor knows it.
        security::Filter::Default => None,
        security::Filter::Profile(text) => Some(seccomp::resolve(&text, &caps)?),
    };
    Ok(Linux {
        sysctl: sysctls::sysctls(host),
        resources: Some(Resources {
            block_io: (*input.block_io != BlockIo::default()).then(|| input.block_io.clone()),
            ..resources::resources(host, input.devices)?
        }),
        namespaces: namespaces(host),
        devices: input.devices.iter().map(HostDevice::node).collect(),
        seccomp: filter,
        rootfs_propagation: mounts::root_propagation(input.stored).to_owned(),
        masked_paths: host.masked_paths.clone().unwrap_or_default(),
        readonly_paths: host.readonly_paths.clone().unwrap_or_default(),
        ..Linux::default()
    })
}

/// Of a completed configuration.
fn namespaces(host: &HostConfig) -> Vec<Namespace> {
    let mut all = profile::namespaces();
    all.retain(|n| match n.kind {
        NamespaceKind::Network => host.network_mode != "host",
        NamespaceKind::Pid => host.pid_mode != "host",
        NamespaceKind::Ipc => host.ipc_mode != "host",
        NamespaceKind::Uts => host.uts_mode != "host",
        NamespaceKind::Mount
        | NamespaceKind::User
        | NamespaceKind::Cgroup
        | NamespaceKind::Time => true,
    });
    for network in all.iter_mut().filter(|n| n.kind == NamespaceKind::Network) {
        if host.network_mode != "none" {
            // Made before the container, or another's.
            network.path = format!("/proc/self/fd/{NETWORK_FD}");
        }
    }
    if host.cgroupns_mode == "private" && !all.iter().any(|n| n.kind == NamespaceKind::Cgroup) {
        all.push(Namespace::new(NamespaceKind::Cgroup));
    }
    all
}
