//! What is mounted where, in which order: pure.

use spec::runtime::{IdMapping, Mount, Spec};

use super::options::{self, Depth, Options};
use crate::error::{Error, Result};
use crate::idmap::IdMaps;

/// Files of procfs that may be covered, as lxcfs does. Anything else there could fool what writes to procfs later
/// (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).
const PROC_FILES: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// All mounts of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Whether `/dev` gets the nodes and links of every container: not when it is the host's, bound.
    pub(crate) dev: Dev,
}

/// What becomes of `/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dev {
    /// It gets the nodes and links of every container.
    Filled,
    /// It is somebody else's: left alone.
    Bound,
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// As it was given; resolved in the root when it is mounted.
    pub(crate) destination: String,
    /// Where that should be.
    pub(crate) place: Place,
    pub(crate) what: What,
    pub(crate) options: Options,
    pub(crate) uid_mappings: Vec<IdMapping>,
    pub(crate) gid_mappings: Vec<IdMapping>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A new instance of a file system.
    New { kind: String, source: String },
    /// A part of the host's tree.
    Bind { source: String, depth: Depth },
    /// The container's cgroups.
    Cgroup,
}

/// How much a destination is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/proc` itself: no links on the way (CVE-2023-27561).
    ProcRoot,
    /// A file of procfs that may be covered.
    ProcFile,
    /// `/dev` or `/sys` itself: no links on the way (CVE-2025-54867, CVE-2026-41579).
    Fixed,
    /// Anywhere else, which must not turn out to be in procfs.
    Free,
}

pub(crate) fn plan(spec: &Spec) -> Result<Plan> {
    let mut steps = Vec::with_capacity(spec.mounts.len());
    for mount in &spec.mounts {
        steps.push(step(mount)?);
    }
    let bound = steps
        .iter()
        .any(|s| clean(&s.destination) == "/dev" && matches!(s.what, What::Bind { .. }));
    defer_cgroups(&mut steps);
    let dev = if bound { Dev::Bound } else { Dev::Filled };
    Ok(Plan { steps, dev })
}

/// Cgroup mounts need the container's cgroups, which are made meanwhile: they come last where nothing is mounted in them.
fn defer_cgroups(steps: &mut Vec<Step>) {
    let below = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
            || inner == outer
    };
    let Some(at) = steps.iter().position(|s| s.what == What::Cgroup) else {
        return;
    };
    let destination = clean(&steps[at].destination);
    let free = steps[at + 1..]
        .iter()
        .all(|s| !below(&destination, &clean(&s.destination)));
    if free {
        let step = steps.remove(at);
        steps.push(step);
    }
}

fn step(mount: &Mount) -> Result<Step> {
    let Mount {
        destination,
        kind,
        source,
        ..
    } = mount;
    if destination.is_empty() || destination.contains('\0') || source.contains('\0') {
        return Err(Error::invalid(
            "read mount",
            destination.escape_default().to_string(),
        ));
    }
    let mut options = options::parse(&mount.options)?;
    let mapped = !(mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty());
    if mapped && options.id_map.is_none() {
        // Maps alone mean what the option says, as callers of runc rely on.
        options.id_map = Some(Depth::One);
    }
    let what = what(kind, source, &options)?;
    let cleaned = clean(destination);
    let place = place(&cleaned, &what)?;
    if mapped {
        // Checked now, though used later.
        IdMaps::new(destination, &mount.uid_mappings, &mount.gid_mappings)?;
    }
    if options.id_map.is_some() && !matches!(what, What::Bind { .. }) {
        return Err(Error::unsupported(
            "map the owners of a mount that is no bind at",
            destination,
        ));
    }
    if options.copy_up && kind != "tmpfs" {
        return Err(Error::invalid(
            "copy up into what is not a tmpfs at",
            destination,
        ));
    }
    if cleaned == "/" {
        return Err(Error::invalid("mount over the root", destination));
    }
    Ok(Step {
        destination: destination.clone(),
        place,
        what,
        options,
        uid_mappings: mount.uid_mappings.clone(),
        gid_mappings: mount.gid_mappings.clone(),
    })
}

fn what(kind: &str, source: &str, options: &Options) -> Result<What> {
    if let Some(depth) = options.bind.or((kind == "bind").then_some(Depth::One)) {
        if !source.starts_with('/') {
            return Err(Error::invalid("bind a path that is not absolute", source));
        }
        return Ok(What::Bind {
            source: source.to_owned(),
            depth,
        });
    }
    match kind {
        "" => Err(Error::invalid("mount without a type", source)),
        "cgroup" | "cgroup2" => Ok(What::Cgroup),
        _ => Ok(What::New {
            kind: kind.to_owned(),
            source: source.to_owned(),
        }),
    }
}

fn place(destination: &str, what: &What) -> Result<Place> {
    let refused = || Err(Error::invalid("mount in /proc", destination));
    match destination {
        "/proc" => match what {
            What::New { kind, .. } if kind == "proc" => Ok(Place::ProcRoot),
            What::Bind { .. } => Ok(Place::ProcRoot),
            What::New { .. } | What::Cgroup => refused(),
        },
        "/dev" | "/sys" => Ok(Place::Fixed),
        _ if PROC_FILES.contains(&destination) && matches!(what, What::Bind { .. }) => {
            Ok(Place::ProcFile)
        }
        _ if destination.starts_with("/proc/") => refused(),
        _ => Ok(Place::Free),
    }
}

/// `path` as an absolute one, without `.`, `..`, and doubled slashes; as if nothing in it were a link.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
