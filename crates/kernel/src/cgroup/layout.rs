//! What a host has: which controllers are in which mounted hierarchy.

use std::path::{Path, PathBuf};

use super::Controller;
use crate::error::At;
use crate::mountinfo::{self, MountInfo};
use crate::{Error, Result};

/// The version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// One hierarchy for some controllers.
    V1,
    /// The unified one.
    V2,
}

/// Which versions a host uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Version 1 only.
    Legacy,
    /// Version 1 for controllers, and the unified hierarchy beside it.
    Hybrid,
    /// Version 2 only.
    Unified,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its version.
    pub version: Version,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its controllers. Of version 2: those that its root offers.
    pub controllers: Vec<Controller>,
    /// The name of a version 1 hierarchy without controllers: `systemd`.
    pub name: Option<String>,
    /// Where the calling process is in it, as `/proc/self/cgroup` tells.
    pub own: String,
}

/// The hierarchies of a host. Found once, and passed to whoever needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// All of them, the unified one last.
    pub hierarchies: Vec<Hierarchy>,
}

impl Layout {
    /// Looks at the host: `/proc/self/mountinfo`, `/proc/self/cgroup`, and the controllers of the unified hierarchy.
    ///
    /// # Errors
    /// They can't be read, or no hierarchy is mounted.
    pub fn probe() -> Result<Self> {
        let mounts = mountinfo::read()?;
        const SELF: &str = "/proc/self/cgroup";
        let own = std::fs::read_to_string(SELF).at("read", SELF)?;
        let unified = mounts.iter().find(|mount| mount.fs_type == "cgroup2");
        let offered = match unified {
            Some(mount) => {
                let path = mount.mount_point.join("cgroup.controllers");
                std::fs::read_to_string(&path).at("read", path.display())?
            }
            None => String::new(),
        };
        let layout = Self::from_parts(&mounts, &own, &offered);
        if layout.hierarchies.is_empty() {
            return Err(Error::unsupported(
                "find",
                "cgroups",
                "no cgroup file system is mounted",
            ));
        }
        Ok(layout)
    }

    /// The layout that these mounts, this `/proc/self/cgroup` and this `cgroup.controllers` of the unified root tell of.
    #[must_use]
    pub fn from_parts(mounts: &[MountInfo], own: &str, offered: &str) -> Self {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for mount in mounts.iter().filter(|mount| mount.fs_type == "cgroup") {
            let options = || mount.super_options.split(',');
            let controllers: Vec<_> = options().filter_map(Controller::parse).collect();
            let name = options()
                .find_map(|option| option.strip_prefix("name="))
                .map(str::to_owned);
            // The same hierarchy may be mounted at several places: the first counts.
            let known = hierarchies
                .iter()
                .any(|it| it.controllers == controllers && it.name == name);
            if known || (controllers.is_empty() && name.as_deref() != Some("systemd")) {
                continue;
            }
            let own = own_path(own, |list| {
                let listed = |word: &str| list.split(',').any(|it| it == word);
                name.as_ref()
                    .is_some_and(|name| listed(&format!("name={name}")))
                    || controllers.iter().any(|it| listed(it.name(Version::V1)))
            });
            let mount = mount.mount_point.clone();
            hierarchies.push(Hierarchy {
                version: Version::V1,
                mount,
                controllers,
                name,
                own,
            });
        }
        if let Some(mount) = mounts.iter().find(|mount| mount.fs_type == "cgroup2") {
            let taken: Vec<_> = hierarchies
                .iter()
                .flat_map(|it| it.controllers.clone())
                .collect();
            let controllers = offered
                .split_ascii_whitespace()
                .filter_map(Controller::parse);
            hierarchies.push(Hierarchy {
                version: Version::V2,
                mount: mount.mount_point.clone(),
                controllers: controllers.filter(|it| !taken.contains(it)).collect(),
                name: None,
                own: own_path(own, str::is_empty),
            });
        }
        Self { hierarchies }
    }

    /// Which versions it uses.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let has = |version| self.hierarchies.iter().any(|it| it.version == version);
        match (has(Version::V1), has(Version::V2)) {
            (true, true) => Mode::Hybrid,
            (false, true) => Mode::Unified,
            _ => Mode::Legacy,
        }
    }

    /// The version that has `controller`; `None` if neither does.
    ///
    /// The unified hierarchy of a host without version 1 always has accounting, freezing and devices.
    #[must_use]
    pub fn version_of(&self, controller: Controller) -> Option<Version> {
        if let Some(found) = self
            .hierarchies
            .iter()
            .find(|it| it.controllers.contains(&controller))
        {
            return Some(found.version);
        }
        let always = matches!(
            controller,
            Controller::CpuAcct | Controller::Freezer | Controller::Devices
        );
        (always && self.unified().is_some()).then_some(Version::V2)
    }

    /// The unified hierarchy.
    #[must_use]
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|it| it.version == Version::V2)
    }

    /// The hierarchy that has `controller`.
    #[must_use]
    pub fn hierarchy_of(&self, controller: Controller) -> Option<&Hierarchy> {
        let version = self.version_of(controller)?;
        self.hierarchies.iter().find(|it| {
            it.version == version
                && (version == Version::V2 || it.controllers.contains(&controller))
        })
    }
}

/// The path of the line of `/proc/self/cgroup` whose controllers are `wanted`.
fn own_path(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let line = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (list, path) = (fields.next()?, fields.next()?);
        wanted(list).then(|| path.to_owned())
    });
    line.unwrap_or_else(|| "/".to_owned())
}

/// Where `path` (without a leading slash) is in `hierarchy`.
pub(super) fn place(hierarchy: &Hierarchy, path: &str) -> PathBuf {
    Path::new(&hierarchy.mount).join(path)
}
