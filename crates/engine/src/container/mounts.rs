//! What is to be mounted: binds, volumes and file systems in memory, from all the ways in which they are asked for. Pure.

#[cfg(test)]
mod tests;
mod tmpfs;

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::config::{Config, HostConfig, MountKind, MountRequest};
use super::stored::{Missing, StoredMount};
use crate::error::{Error, Result};

const PROPAGATIONS: [&str; 6] = [
    "private", "rprivate", "shared", "rshared", "slave", "rslave",
];

/// All mounts of a container, outer ones before those inside them.
///
/// # Errors
/// One is malformed, asks for what can't be done, or two have the same destination.
pub(crate) fn plan(config: &Config, host: &HostConfig) -> Result<Vec<StoredMount>> {
    plan_with(config, host, Vec::new())
}

/// The same with what it has from other containers, in places that nobody asked something else for.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_with(
    config: &Config,
    host: &HostConfig,
    inherited: Vec<StoredMount>,
) -> Result<Vec<StoredMount>> {
    let mut mounts = Vec::new();
    for text in &host.binds {
        mounts.push(short(text)?);
    }
    for request in &host.mounts {
        mounts.push(long(request)?);
    }
    for (target, options) in &host.tmpfs {
        mounts.push(StoredMount {
            tmpfs: tmpfs::options(options)?,
            mode: options.clone(),
            ..blank(MountKind::Tmpfs, "", target)?
        });
    }
    let mut taken = BTreeSet::new();
    for mount in &mounts {
        if !taken.insert(mount.destination.clone()) {
            return Err(Error::invalid(format!(
                "Duplicate mount point: {}",
                mount.destination
            )));
        }
    }
    for mount in inherited {
        if taken.insert(mount.destination.clone()) {
            mounts.push(mount);
        }
    }
    // Volumes that the image or the user only gave a place: the place may be taken by something with a name.
    for target in &config.volumes {
        let mount = blank(MountKind::Volume, "", target)?;
        if taken.insert(mount.destination.clone()) {
            mounts.push(mount);
        }
    }
    mounts.sort_by_cached_key(|m| (m.destination.matches('/').count(), m.destination.clone()));
    Ok(mounts)
}

/// `container[:ro|rw]`: whose volumes, and how.
pub(crate) fn from(text: &str) -> Result<(&str, bool)> {
    let (name, mode) = text.split_once(':').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(Error::invalid(format!("malformed volumes-from: {text:?}")));
    }
    let mut read_only = false;
    for option in mode.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            // Labels for SELinux, as for binds.
            "rw" | "z" | "Z" => {}
            _ => return Err(Error::invalid(format!("invalid mode: {option}"))),
        }
    }
    Ok((name, read_only))
}

/// What another container has of its mounts for this one: its volumes and binds.
pub(crate) fn inherited(mounts: Vec<StoredMount>, read_only: bool) -> Vec<StoredMount> {
    let kept = mounts
        .into_iter()
        .filter(|mount| matches!(mount.kind, MountKind::Volume | MountKind::Bind));
    kept.map(|mount| StoredMount {
        read_only: mount.read_only || read_only,
        missing: match mount.kind {
            MountKind::Volume => Missing::Create,
            _ => mount.missing,
        },
        ..mount
    })
    .collect()
}

fn blank(kind: MountKind, source: &str, target: &str) -> Result<StoredMount> {
    Ok(StoredMount {
        kind,
        source: source.to_owned(),
        destination: destination(target, source)?,
        read_only: false,
        non_recursive: false,
        propagation: match kind {
            MountKind::Bind => "rprivate".to_owned(),
            _ => String::new(),
        },
        mode: String::new(),
        tmpfs: Vec::new(),
        subpath: String::new(),
        writable_inside: false,
        missing: match kind {
            MountKind::Volume => Missing::Fill,
            _ => Missing::Create,
        },
    })
}

/// `source:target[:options]`, or a target alone.
fn short(text: &str) -> Result<StoredMount> {
    let invalid = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(invalid()),
    };
    if target.is_empty() || (parts.len() > 1 && source.is_empty()) {
        return Err(invalid());
    }
    let kind = if source.starts_with('/') {
        MountKind::Bind
    } else {
        MountKind::Volume
    };
    let source = match kind {
        MountKind::Bind => clean(source),
        _ => {
            if !source.is_empty() {
                volume_name(source)?;
            }
            source.to_owned()
        }
    };
    let mut mount = blank(kind, &source, target)?;
    options.clone_into(&mut mount.mode);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        short_option(&mut mount, option)?;
    }
    Ok(mount)
}

fn short_option(mount: &mut StoredMount, option: &str) -> Result<()> {
    let invalid = || Error::invalid(format!("invalid mode: {option}"));
    match option {
        "rw" | "consistent" | "cached" | "delegated" => {}
        "ro" => mount.read_only = true,
        "nocopy" if mount.kind == MountKind::Volume => mount.missing = Missing::Create,
        // Labels for SELinux, which is not enforced here: as Docker where SELinux is off.
        "z" | "Z" => {}
        _ if PROPAGATIONS.contains(&option) && mount.kind == MountKind::Bind => {
            option.clone_into(&mut mount.propagation);
        }
        _ => return Err(invalid()),
    }
    Ok(())
}

fn long(request: &MountRequest) -> Result<StoredMount> {
    let kind = request.kind;
    let invalid = |why: &str| {
        Error::invalid(format!(
            "invalid mount config for type \"{}\": {why}",
            kind.name()
        ))
    };
    let mut mount = match kind {
        MountKind::Bind => bind(request)?,
        MountKind::Volume => volume(request)?,
        MountKind::Tmpfs => {
            if !request.source.is_empty() {
                return Err(invalid("field Source must not be specified"));
            }
            let options = request.tmpfs.clone().unwrap_or_default();
            StoredMount {
                tmpfs: tmpfs::sized(options.size, options.mode),
                ..blank(kind, "", &request.target)?
            }
        }
        MountKind::Image | MountKind::Other => {
            return Err(Error::unsupported(format!(
                "mounts of type \"{}\" are not supported",
                kind.name()
            )));
        }
    };
    mount.read_only = request.read_only;
    if request.read_only && kind == MountKind::Tmpfs {
        mount.tmpfs.push("ro".to_owned());
    }
    if request.read_only {
        "ro".clone_into(&mut mount.mode);
    }
    Ok(mount)
}

fn bind(request: &MountRequest) -> Result<StoredMount> {
    let invalid =
        |why: String| Error::invalid(format!("invalid mount config for type \"bind\": {why}"));
    if request.source.is_empty() {
        return Err(invalid("field Source must not be empty".to_owned()));
    }
    if !request.source.starts_with('/') {
        return Err(invalid(format!(
            "invalid mount path: '{}' mount path must be absolute",
            request.source
        )));
    }
    let options = request.bind.clone().unwrap_or_default();
    let mut mount = blank(MountKind::Bind, &clean(&request.source), &request.target)?;
    mount.non_recursive = options.non_recursive;
    mount.missing = if options.create_mountpoint {
        Missing::Create
    } else {
        Missing::Refuse
    };
    let (top, all) = (
        options.read_only_non_recursive,
        options.read_only_force_recursive,
    );
    if top && all {
        return Err(invalid(
            "ReadOnlyNonRecursive and ReadOnlyForceRecursive are in conflict".to_owned(),
        ));
    }
    if (top || all) && !request.read_only {
        return Err(invalid(
            "the mount must be read-only to be so with or without what is mounted in it".to_owned(),
        ));
    }
    if all && !matches!(options.propagation.as_str(), "" | "private" | "rprivate") {
        return Err(invalid(
            "mode read-only-force-recursive needs the propagation private or rprivate".to_owned(),
        ));
    }
    mount.writable_inside = top;
    if !options.propagation.is_empty() {
        if !PROPAGATIONS.contains(&options.propagation.as_str()) {
            return Err(invalid(format!(
                "invalid propagation mode: {}",
                options.propagation
            )));
        }
        mount.propagation = options.propagation;
    }
    Ok(mount)
}

fn volume(request: &MountRequest) -> Result<StoredMount> {
    if !request.source.is_empty() {
        volume_name(&request.source)?;
    }
    let options = request.volume.clone().unwrap_or_default();
    if !matches!(options.driver.as_str(), "" | "local") || !options.driver_options.is_empty() {
        return Err(Error::unsupported(format!(
            "volume driver \"{}\" or its options are not supported: only \"local\" without options is",
            options.driver
        )));
    }
    let mut mount = blank(MountKind::Volume, &request.source, &request.target)?;
    if options.no_copy {
        mount.missing = Missing::Create;
    }
    let up = |c| matches!(c, Component::ParentDir | Component::RootDir);
    if Path::new(&options.subpath).components().any(up) {
        return Err(Error::invalid(
            "invalid mount config for type \"volume\": subpath must be a relative path within the volume",
        ));
    }
    mount.subpath = options.subpath;
    Ok(mount)
}

pub(crate) fn volume_name(name: &str) -> Result<()> {
    match name.parse::<spec::Name>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!(
            "create {name}: \"{name}\" includes invalid characters for a local volume name, only \"{}\" are allowed. \
             If you intended to pass a host directory, use absolute path",
            spec::Name::GRAMMAR
        ))),
    }
}

fn destination(target: &str, source: &str) -> Result<String> {
    let shown = if source.is_empty() {
        target.to_owned()
    } else {
        format!("{source}:{target}")
    };
    if !target.starts_with('/') {
        return Err(Error::invalid(format!(
            "invalid volume specification: '{shown}': invalid mount path: '{target}' mount path must be absolute"
        )));
    }
    let path = clean(target);
    if path == "/" {
        return Err(Error::invalid(format!(
            "invalid volume specification: '{shown}': destination can't be '/'"
        )));
    }
    Ok(path)
}

/// An absolute path without `.`, `..`, doubled and trailing slashes, by its text alone.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
