//! A container as its first process will make it: everything read, checked and compiled before there is a process.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use kernel::namespace::Kind;
use rustix::fs::{CWD, Mode, OFlags, openat};
use spec::runtime::{Linux, NamespaceKind, Process, Spec};

use crate::device::{self, Node};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::mount::{self, RootPlan};
use crate::program;
use crate::sysctl::{self, Setting};

/// A container to be made.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) namespaces: Namespaces,
    pub(crate) root: RootPlan,
    pub(crate) mounts: mount::Plan,
    pub(crate) nodes: Vec<Node>,
    pub(crate) label: String,
    pub(crate) sysctls: Vec<Setting>,
    pub(crate) masked: Vec<String>,
    pub(crate) readonly: Vec<String>,
    pub(crate) hostname: String,
    pub(crate) domainname: String,
    pub(crate) program: Program,
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
    pub(crate) identity: Identity,
}

/// Namespaces to make, and to join.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Made with the process.
    pub(crate) made: Vec<Kind>,
    /// Made by the process: a cgroup namespace begins at the cgroup that its maker is in.
    pub(crate) later: Vec<Kind>,
    /// Joined by the process.
    pub(crate) joined: Vec<(Kind, OwnedFd)>,
    /// Joined by its maker, since only children enter it.
    pub(crate) pid: Option<OwnedFd>,
}

impl Plan {
    pub(crate) fn new(spec: &Spec) -> Result<Self> {
        let nothing = Linux::default();
        let linux = spec.linux.as_ref().unwrap_or(&nothing);
        let process = spec
            .process
            .as_ref()
            .ok_or_else(|| Error::invalid("read", "process: there is none"))?;
        refuse_unsupported(spec, linux)?;
        let namespaces = Namespaces::new(linux)?;
        for (name, text) in [
            ("hostname", &spec.hostname),
            ("domainname", &spec.domainname),
        ] {
            if !text.is_empty() && !namespaces.is_own(Kind::Uts) {
                return Err(Error::invalid("set without a UTS namespace:", name));
            }
        }
        let mounts = mount::plan(spec)?;
        Ok(Self {
            root: RootPlan::new(spec, &mounts)?,
            nodes: device::plan(spec)?,
            mounts,
            label: linux.mount_label.clone(),
            sysctls: sysctl::plan(&linux.sysctl, spec)?,
            masked: linux.masked_paths.clone(),
            readonly: linux.readonly_paths.clone(),
            hostname: spec.hostname.clone(),
            domainname: spec.domainname.clone(),
            program: Program::new(process, linux.seccomp.as_ref())?,
            namespaces,
        })
    }
}

impl Program {
    /// The same for a container's first process and for every other in it (R16).
    pub(crate) fn new(process: &Process, seccomp: Option<&spec::runtime::Seccomp>) -> Result<Self> {
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
            umask: process.user.umask.unwrap_or(0o022),
            identity: Identity::new(process, seccomp)?,
        })
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
                (Kind::User, _) => return Err(Error::unsupported("make", "user namespace")),
                (Kind::Cgroup | Kind::Time, "") => all.later.push(kind),
                (_, "") => all.made.push(kind),
                (Kind::Mount, path) => {
                    return Err(Error::unsupported("join mount namespace", path));
                }
                (Kind::Pid, path) => all.pid = Some(open(path)?),
                (_, path) => all.joined.push((kind, open(path)?)),
            }
        }
        if !all.made.contains(&Kind::Mount) {
            return Err(Error::invalid(
                "make a container without a",
                "mount namespace",
            ));
        }
        Ok(all)
    }

    /// Whether it isn't the caller's.
    pub(crate) fn is_own(&self, kind: Kind) -> bool {
        self.made.contains(&kind)
            || self.later.contains(&kind)
            || self.joined.iter().any(|(k, _)| *k == kind)
            || (kind == Kind::Pid && self.pid.is_some())
    }
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

/// What is asked for and not done is an error, never silently less.
fn refuse_unsupported(spec: &Spec, linux: &Linux) -> Result<()> {
    let hooks = spec
        .hooks
        .as_ref()
        .is_some_and(|h| *h != spec::runtime::Hooks::default());
    let asked = [
        (hooks, "hooks"),
        (!linux.net_devices.is_empty(), "linux.netDevices"),
        (linux.intel_rdt.is_some(), "linux.intelRdt"),
        (linux.memory_policy.is_some(), "linux.memoryPolicy"),
        (linux.personality.is_some(), "linux.personality"),
        (!linux.time_offsets.is_empty(), "linux.timeOffsets"),
        (
            !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty(),
            "linux.uidMappings",
        ),
    ];
    match asked.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(Error::unsupported("apply", *what)),
        None => Ok(()),
    }
}
