//! The container's place in the cgroup hierarchies, made while its first process makes mounts.
//!
//! A process is born in its group of the unified hierarchy. Into those of version 1 it moves itself, by `tasks`: moved by
//! another it would wait for a lock of all processes, 6 to 10 ms at the first time.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::LazyLock;

use kernel::Pid;
use kernel::cgroup::{Cgroup, CgroupPath, Layout, Mode, Plan, Version};
use kernel::mount::{FsContext, Mount, Recursive};
use rustix::fs::{CWD, Mode as Bits, OFlags, mkdir, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use spec::runtime::Resources;

use crate::channel::Channel;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::limits;
use crate::mount::{Step, bits};
use crate::systemd::Scope;

static NOTHING: LazyLock<Resources> = LazyLock::new(Resources::default);

/// The groups of a container that is being made.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    layout: &'a Layout,
    scope: Option<(&'a Scope, &'a Resources)>,
    path: CgroupPath,
    plan: Plan,
    group: Option<Cgroup>,
    /// The group of the unified hierarchy where there are others too, which are made later.
    unified: Option<OwnedFd>,
}

/// How a process comes into the groups.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// It is born in this one.
    directory: Option<BorrowedFd<'a>>,
    tasks: Tasks,
    path: CgroupPath,
}

#[derive(Debug)]
enum Tasks {
    /// The files to write to.
    Open(Vec<OwnedFd>),
    /// They come over the channel.
    Awaited,
}

impl<'a> Making<'a> {
    /// Makes what must be there before the first process is.
    pub(crate) fn begin(config: &Config<'a>) -> Result<Self> {
        let Config { layout, spec, .. } = *config;
        let path = CgroupPath::parse(config.cgroup)?;
        let resources = spec.linux.as_ref().and_then(|l| l.resources.as_ref());
        let plan = Plan::new(&limits::resources(resources)?, layout)?;
        let mut making = Self {
            layout,
            scope: config
                .scope
                .map(|scope| (scope, resources.unwrap_or(&NOTHING))),
            path,
            plan,
            group: None,
            unified: None,
        };
        if config.scope.is_some() {
            // systemd makes it around a process.
            return Ok(making);
        }
        match (layout.mode(), layout.unified()) {
            (Mode::Unified, _) => {
                making.group = Some(Cgroup::create(layout, &making.path, &making.plan)?)
            }
            (Mode::Hybrid, Some(unified)) => {
                let directory = unified
                    .mount
                    .join(making.path.to_string().trim_start_matches('/'));
                making.unified = Some(directories(&directory)?);
            }
            _ => {}
        }
        Ok(making)
    }

    /// Where the first process is born.
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        let group = self.group.as_ref().and_then(Cgroup::unified_dir);
        group.or_else(|| self.unified.as_ref().map(AsFd::as_fd))
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            directory: self.directory(),
            tasks: if self.group.is_some() {
                Tasks::Open(Vec::new())
            } else {
                Tasks::Awaited
            },
            path: self.path.clone(),
        }
    }

    /// Makes the rest, and tells the first process, `pid`, where to go.
    pub(crate) fn finish(&mut self, pid: Pid, channel: &Channel) -> Result<Cgroup> {
        if let Some(group) = self.group.take() {
            return Ok(group);
        }
        if let Some((scope, resources)) = self.scope {
            scope.start(pid, self.layout, resources)?;
        }
        let group = Cgroup::create(self.layout, &self.path, &self.plan)?;
        let tasks = group.tasks_files()?;
        let files: Vec<BorrowedFd<'_>> = tasks.iter().map(AsFd::as_fd).collect();
        channel.send_place(&files)?;
        Ok(group)
    }

    /// Removes what was made, after the first process has ended.
    pub(crate) fn undo(self) -> Result<()> {
        let group = match self.group {
            Some(group) => Some(group),
            None => Cgroup::open(self.layout, &self.path)?,
        };
        if let Some(group) = group {
            group.remove()?;
        }
        match self.scope {
            Some((scope, _)) => scope.stop(),
            None => Ok(()),
        }
    }
}

fn directories(path: &std::path::Path) -> Result<OwnedFd> {
    let shown = path.display().to_string();
    let open = || {
        openat(
            CWD,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Bits::empty(),
        )
    };
    if let Ok(fd) = open() {
        return Ok(fd);
    }
    let mut missing: Vec<&std::path::Path> = path.ancestors().take_while(|a| !a.exists()).collect();
    while let Some(directory) = missing.pop() {
        match mkdir(directory, Bits::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::io("make cgroup", shown, error)),
        }
    }
    open().map_err(Error::at("open cgroup", &shown))
}

impl<'a> Place<'a> {
    /// That of a container that runs.
    pub(crate) fn of(group: &'a Cgroup) -> Result<Self> {
        let tasks = group.tasks_files()?;
        Ok(Self {
            directory: group.unified_dir(),
            tasks: Tasks::Open(tasks.into_iter().map(OwnedFd::from).collect()),
            path: group.path().clone(),
        })
    }

    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory
    }

    /// What a process needs open to enter.
    pub(crate) fn fds(&self) -> Vec<RawFd> {
        match &self.tasks {
            Tasks::Open(files) => files.iter().map(AsRawFd::as_raw_fd).collect(),
            Tasks::Awaited => Vec::new(),
        }
    }

    /// Moves the calling process in.
    pub(crate) fn enter(&self, channel: &Channel) -> Result<()> {
        let received;
        let files = match &self.tasks {
            Tasks::Open(files) => files,
            Tasks::Awaited => {
                received = channel.receive_place()?;
                &received
            }
        };
        for file in files {
            rustix::io::write(file, b"0").map_err(Error::at("enter", "cgroup"))?;
        }
        Ok(())
    }

    /// Mounts the container's groups at `target`. `own`: it has a cgroup namespace of its own.
    pub(crate) fn mount(
        &self,
        step: &Step,
        target: &OwnedFd,
        layout: &Layout,
        own: bool,
    ) -> Result<()> {
        let at = |e: kernel::Error| Error::io("mount cgroups at", &step.destination, e.source);
        let attr = bits(step.options.attr.set);
        if layout.mode() == Mode::Unified {
            let mount = match layout.unified() {
                Some(unified) if !own => {
                    // A new mount from the host's namespace would reset the options of the hierarchy (nsdelegate).
                    let mount =
                        Mount::clone_tree(CWD, &unified.mount, Recursive::No).map_err(at)?;
                    mount
                        .set_attr(attr, bits(0), None, Recursive::No)
                        .map_err(at)?;
                    mount
                }
                _ => FsContext::new("cgroup2")
                    .and_then(FsContext::create)
                    .and_then(|fs| fs.mount(attr))
                    .map_err(at)?,
            };
            return mount.attach(target, "").map_err(at);
        }
        let tmpfs = FsContext::new("tmpfs")
            .and_then(|c| {
                c.string("source", "cgroup")
                    .string("mode", "755")
                    .string("size", "64k")
                    .create()
            })
            .and_then(|fs| fs.mount(bits(step.options.attr.set & !crate::mount::RDONLY)))
            .map_err(at)?;
        tmpfs.attach(target, "").map_err(at)?;
        for hierarchy in layout
            .hierarchies
            .iter()
            .filter(|h| h.version == Version::V1)
        {
            let Some(name) = hierarchy.mount.file_name() else {
                continue;
            };
            let made = |e: Errno| Error::io("mount cgroups at", &step.destination, e);
            mkdirat(&tmpfs, name, Bits::from_raw_mode(0o755)).map_err(made)?;
            let source = hierarchy
                .mount
                .join(self.path.to_string().trim_start_matches('/'));
            let mount = Mount::clone_tree(CWD, &source, Recursive::No).map_err(at)?;
            mount
                .set_attr(attr, bits(0), None, Recursive::No)
                .map_err(at)?;
            mount.attach(&tmpfs, name).map_err(at)?;
            for controller in hierarchy.controllers.iter().map(|c| c.name(Version::V1)) {
                if controller != name {
                    // `cpu` for the hierarchy `cpu,cpuacct`.
                    symlinkat(name, &tmpfs, controller).map_err(made)?;
                }
            }
        }
        tmpfs
            .set_attr(attr, bits(0), None, Recursive::No)
            .map_err(at)
    }
}
