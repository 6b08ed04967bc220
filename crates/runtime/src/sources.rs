//! Mounts that the caller makes for the container's first process, which may not or could not: the host's files as a user namespace sees them, in another
//! mount namespace, or with other owners. None in the usual container.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use kernel::mount::{Attr, Mount, Recursive};
use kernel::namespace::Kind;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::idmap::IdMaps;
use crate::mount::{Step, What, open_bind, open_root, recursive};
use crate::plan::Plan;

/// What was made beforehand.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    root: Option<Mount>,
    /// By the number of the step.
    binds: Vec<(usize, Mount)>,
}

impl Sources {
    pub(crate) fn make(config: &Config<'_>, plan: &Plan) -> Result<Self> {
        let namespaces = &plan.namespaces;
        let joins = |kind| namespaces.joined.iter().any(|(k, _)| *k == kind);
        let elsewhere =
            joins(Kind::Mount) || joins(Kind::User) || namespaces.made.contains(&Kind::User);
        let mut sources = Self::default();
        let mut own = None;
        for (number, step) in plan.mounts.steps.iter().enumerate() {
            let What::Bind { source, depth } = &step.what else {
                continue;
            };
            if !elsewhere && step.options.id_map.is_none() {
                continue;
            }
            let map = id_map(step, plan, &mut own)?;
            let mount = open_bind(step, source, *depth, map.as_ref())?;
            if elsewhere {
                spread_nothing(&mount, plan)?;
            }
            sources.binds.push((number, mount));
        }
        if elsewhere {
            let root = open_root(&config.root)?;
            spread_nothing(&root, plan)?;
            sources.root = Some(root);
        }
        Ok(sources)
    }

    /// The root, if it was made.
    pub(crate) fn root(&self) -> Option<&Mount> {
        self.root.as_ref()
    }

    /// The mount of a step, if it was made.
    pub(crate) fn bind(&self, number: usize) -> Option<&Mount> {
        let found = self.binds.iter().find(|(n, _)| *n == number);
        found.map(|(_, mount)| mount)
    }

    /// What the first process needs open.
    pub(crate) fn fds(&self) -> impl Iterator<Item = RawFd> {
        use std::os::fd::AsFd;
        let binds = self.binds.iter().map(|(_, mount)| mount);
        self.root
            .iter()
            .chain(binds)
            .map(|mount| mount.as_fd().as_raw_fd())
    }
}

/// A copy of a mount of the host's has its peers; in the copy of the whole namespace that the first process begins with they were cut off.
fn spread_nothing(mount: &Mount, plan: &Plan) -> Result<()> {
    let propagation = match plan.root.spreads() {
        Some(propagation) => propagation,
        None => return Ok(()),
    };
    let none = Attr::empty();
    Ok(mount.set_attr(none, none, Some(propagation), Recursive::Yes)?)
}

/// The user namespace through which the owners of a mount are seen.
fn id_map(step: &Step, plan: &Plan, own: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>> {
    if step.options.id_map.is_none() {
        return Ok(None);
    }
    let what = format!("mount at {}", step.destination);
    if !(step.uid_mappings.is_empty() && step.gid_mappings.is_empty()) {
        let maps = IdMaps::new(&what, &step.uid_mappings, &step.gid_mappings)?;
        return maps.namespace().map(Some);
    }
    let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(Error::at("duplicate", "namespace"));
    if let Some(fd) = own {
        return duplicate(fd).map(Some);
    }
    let joined = plan.namespaces.joined.iter();
    let joined = joined.clone().find(|(kind, _)| *kind == Kind::User);
    let namespace = match (&plan.maps, joined) {
        (Some(maps), _) => maps.namespace()?,
        (None, Some((_, fd))) => duplicate(fd)?,
        (None, None) => return Err(Error::invalid("map owners without a map:", what)),
    };
    *own = Some(duplicate(&namespace)?);
    Ok(Some(namespace))
}

/// Applies an id map to a mount that was never attached.
pub(crate) fn map_owners(mount: &Mount, step: &Step, map: &OwnedFd) -> Result<()> {
    let Some(depth) = step.options.id_map else {
        return Ok(());
    };
    mount
        .set_id_map(map, recursive(depth))
        .map_err(|e| Error::io("map owners of mount at", &step.destination, e.source))
}
