//! A container as its first process will make it: everything read, checked and compiled before there is a process.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use kernel::namespace::Kind;
use rustix::fs::{CWD, Mode, OFlags, openat};
use spec::runtime::{Linux, NamespaceKind, Process, Spec};

use crate::birth::Birth;
use crate::device::{self, Node};
use crate::error::{Error, Result};
use crate::filter::Confinement;
use crate::hook;
use crate::identity::Identity;
use crate::idmap::IdMaps;
use crate::mount::{self, RootPlan};
use crate::netdev;
use crate::program;
use crate::sysctl::{self, Setting};
use crate::tuning::{Shared, Tuning};

/// A container to be made.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) namespaces: Namespaces,
    /// The maps of its new user namespace.
    pub(crate) maps: Option<IdMaps>,
    pub(crate) root: RootPlan,
    pub(crate) mounts: mount::Plan,
    pub(crate) nodes: Vec<Node>,
    pub(crate) label: String,
    pub(crate) sysctls: Vec<Setting>,
    /// The lines of `timens_offsets`.
    pub(crate) clocks: String,
    pub(crate) masked: Vec<String>,
    pub(crate) readonly: Vec<String>,
    pub(crate) hostname: String,
    pub(crate) domainname: String,
    pub(crate) devices: Vec<netdev::Device>,
    pub(crate) program: Program,
    pub(crate) hooks: Turns,
}

/// Which turns of a container's life have hooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turns {
    /// `prestart`, `createRuntime`: run by the maker.
    pub(crate) outside: bool,
    /// `createContainer`.
    pub(crate) create: bool,
    /// `startContainer`.
    pub(crate) start: bool,
}

impl Turns {
    fn of(spec: &Spec) -> Result<Self> {
        let Some(hooks) = &spec.hooks else {
            return Ok(Self::default());
        };
        hook::check(hooks)?;
        Ok(Self {
            outside: !(hooks.prestart.is_empty() && hooks.create_runtime.is_empty()),
            create: !hooks.create_container.is_empty(),
            start: !hooks.start_container.is_empty(),
        })
    }
}

/// A program to be run, in a new container or in one that runs.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) texts: Vec<String>,
    pub(crate) cwd: String,
    pub(crate) umask: u32,
    size: (u16, u16),
    pub(crate) identity: Identity,
    pub(crate) tuning: Tuning,
}

/// Namespaces to make, and to join.
#[derive(Debug)]
pub(crate) struct Namespaces {
    /// Made with the process.
    pub(crate) made: Vec<Kind>,
    /// Made by the process: a cgroup namespace begins at the cgroup that its maker is in.
    pub(crate) later: Vec<Kind>,
    /// Joined by the process.
    pub(crate) joined: Vec<(Kind, OwnedFd)>,
    /// Which process joins and makes them.
    pub(crate) birth: Birth,
}

impl Plan {
    pub(crate) fn new(spec: &Spec, compiled: Option<&Confinement>) -> Result<Self> {
        let nothing = Linux::default();
        let linux = spec.linux.as_ref().unwrap_or(&nothing);
        let process = spec
            .process
            .as_ref()
            .ok_or_else(|| Error::invalid("read", "process: there is none"))?;
        let namespaces = Namespaces::new(linux)?;
        for (name, text) in [
            ("hostname", &spec.hostname),
            ("domainname", &spec.domainname),
        ] {
            if !text.is_empty() && !namespaces.is_own(Kind::Uts) {
                return Err(Error::invalid("set without a UTS namespace:", name));
            }
        }
        let shared = Shared {
            domain: linux.personality.as_ref(),
            memory_policy: linux.memory_policy.as_ref(),
        };
        let mounts = mount::plan(spec)?;
        let confinement = match compiled {
            Some(confinement) => Some(confinement.clone()),
            None => linux.seccomp.as_ref().map(Confinement::new).transpose()?,
        };
        Ok(Self {
            maps: maps(linux, &namespaces)?,
            root: RootPlan::new(spec, &mounts)?,
            nodes: device::plan(spec)?,
            mounts,
            label: linux.mount_label.clone(),
            clocks: clocks(linux, &namespaces)?,
            sysctls: sysctl::plan(&linux.sysctl, spec)?,
            masked: linux.masked_paths.clone(),
            readonly: linux.readonly_paths.clone(),
            hostname: spec.hostname.clone(),
            domainname: spec.domainname.clone(),
            program: Program::new(process, confinement, shared)?,
            hooks: Turns::of(spec)?,
            devices: netdev::plan(linux, &namespaces)?,
            namespaces,
        })
    }
}

impl Program {
    /// The same for a container's first process and for every other in it (R16).
    pub(crate) fn new(
        process: &Process,
        confinement: Option<Confinement>,
        shared: Shared<'_>,
    ) -> Result<Self> {
        let name = process
            .args
            .first()
            .ok_or_else(|| Error::invalid("read", "process.args: there are none"))?;
        if !process.cwd.starts_with('/') || process.cwd.contains('\0') {
            return Err(Error::invalid(
                "start in a directory that is not absolute:",
                process.cwd.escape_default().to_string(),
            ));
        }
        Ok(Self {
            name: name.clone(),
            args: program::strings("read argument", &process.args)?,
            env: program::strings("read variable", &process.env)?,
            texts: process.env.clone(),
            cwd: process.cwd.clone(),
            size: size(process)?,
            umask: process.user.umask.unwrap_or(0o022),
            identity: Identity::new(process, confinement)?,
            tuning: Tuning::new(process, shared)?,
        })
    }
}

impl Program {
    /// The size of its terminal: what the caller knows, else what the configuration says.
    pub(crate) fn size(&self, rows: u16, columns: u16) -> (u16, u16) {
        if (rows, columns) == (0, 0) {
            self.size
        } else {
            (rows, columns)
        }
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self {
            made: Vec::new(),
            later: Vec::new(),
            joined: Vec::new(),
            birth: Birth::Direct,
        }
    }
}

impl Namespaces {
    fn new(linux: &Linux) -> Result<Self> {
        let mut all = Self::default();
        for namespace in &linux.namespaces {
            let kind = kind(namespace.kind);
            if all.is_own(kind) {
                return Err(Error::invalid("give twice a namespace:", kind.name()));
            }
            match (kind, namespace.path.as_str()) {
                (Kind::Cgroup | Kind::Time, "") => all.later.push(kind),
                (_, "") => all.made.push(kind),
                (_, path) => all.joined.push((kind, open(path)?)),
            }
        }
        all.birth = Birth::of(&all);
        if !all.is_own(Kind::Mount) {
            return Err(Error::invalid(
                "make a container without a",
                "mount namespace",
            ));
        }
        Ok(all)
    }

    /// Whether it is another's.
    pub(crate) fn joins(&self, kind: Kind) -> bool {
        self.joined.iter().any(|(k, _)| *k == kind)
    }

    /// Whether it isn't the caller's.
    pub(crate) fn is_own(&self, kind: Kind) -> bool {
        self.made.contains(&kind) || self.later.contains(&kind) || self.joins(kind)
    }
}

/// How the clocks of the new time namespace are moved: time_namespaces(7).
fn clocks(linux: &Linux, namespaces: &Namespaces) -> Result<String> {
    if linux.time_offsets.is_empty() {
        return Ok(String::new());
    }
    if !namespaces.later.contains(&Kind::Time) {
        return Err(Error::invalid(
            "move clocks without a new time namespace:",
            "linux.timeOffsets",
        ));
    }
    let mut lines = String::new();
    for (clock, offset) in &linux.time_offsets {
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            return Err(Error::invalid("move clock", clock));
        }
        if offset.nanosecs >= 1_000_000_000 {
            let nanoseconds = offset.nanosecs.to_string();
            return Err(Error::invalid("move a clock by nanoseconds:", nanoseconds));
        }
        lines += &format!("{clock} {} {}\n", offset.secs, offset.nanosecs);
    }
    Ok(lines)
}

/// The maps of a new user namespace.
fn maps(linux: &Linux, namespaces: &Namespaces) -> Result<Option<IdMaps>> {
    if namespaces.made.contains(&Kind::User) {
        let maps = IdMaps::new("linux", &linux.uid_mappings, &linux.gid_mappings)?;
        if !maps.has_root() {
            return Err(Error::invalid(
                "make a user namespace without its user and group 0:",
                "linux",
            ));
        }
        return Ok(Some(maps));
    }
    let given = !(linux.uid_mappings.is_empty() && linux.gid_mappings.is_empty());
    if given && !namespaces.joins(Kind::User) {
        return Err(Error::invalid(
            "map ids without a user namespace:",
            "linux.uidMappings",
        ));
    }
    Ok(None)
}

fn size(process: &Process) -> Result<(u16, u16)> {
    let Some(size) = process.console_size else {
        return Ok((0, 0));
    };
    let narrow = |number: u32| {
        u16::try_from(number)
            .map_err(|_| Error::invalid("make a terminal of size", number.to_string()))
    };
    Ok((narrow(size.height)?, narrow(size.width)?))
}

fn open(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(Error::at("open namespace", path))
}

fn kind(kind: NamespaceKind) -> Kind {
    match kind {
        NamespaceKind::Pid => Kind::Pid,
        NamespaceKind::Network => Kind::Net,
        NamespaceKind::Mount => Kind::Mount,
        NamespaceKind::Ipc => Kind::Ipc,
        NamespaceKind::Uts => Kind::Uts,
        NamespaceKind::User => Kind::User,
        NamespaceKind::Cgroup => Kind::Cgroup,
        NamespaceKind::Time => Kind::Time,
    }
}

/// Whether a container can be made of `spec`, as far as can be told before anything is: [`crate::create`] checks the same.
///
/// # Errors
/// It asks for what can't be, or must not be, or names a namespace that isn't there.
pub fn check(spec: &Spec) -> Result<()> {
    Plan::new(spec, None).map(drop)
}

#[cfg(test)]
mod tests;
