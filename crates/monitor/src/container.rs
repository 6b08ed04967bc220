//! The container itself: the one door to `runtime`.

use std::os::fd::{AsFd, OwnedFd};

use kernel::capability::CapSet;
use kernel::cgroup::{Cgroup, Layout};
use kernel::mount::{Mount, Recursive};
use kernel::namespace::{self, Kind};
use kernel::process::PidFd;
use kernel::root::RootDir;
use kernel::signal::SIGKILL;
use protocol::{Launch, Refusal};
use runtime::{
    About, Bond, Config, Confinement, Created, Entry, ExecConfig, Executed, Gate, Keyring,
    Namespaces, Root, Running, Stdio,
};
use spec::runtime::{Capabilities, NamespaceKind, Process, Spec};

use crate::error::{During, Result};
use crate::execs::Refused;

/// A container whose program waits for its start.
#[derive(Debug)]
pub(crate) struct Made {
    created: Created,
    ends: Ends,
    namespaces: Namespaces,
    confinement: Option<Confinement>,
    root: RootDir,
    spare: Option<OwnedFd>,
    document: OwnedFd,
}

/// A container whose program runs, or has run.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) pid: i32,
    pub(crate) pidfd: PidFd,
    pub(crate) start_time: u64,
    /// The master of its terminal, non-blocking.
    pub(crate) console: Option<OwnedFd>,
    cgroup: Option<Cgroup>,
    ends: Ends,
    namespaces: Namespaces,
    /// Its filter of system calls, for execs: compiling it again would be most of what they cost here.
    confinement: Option<Confinement>,
    /// Its root, for users that execs name; given up when the container has ended.
    root: Option<RootDir>,
    /// Its root for the next run, where the one that it has can't serve again.
    spare: Option<OwnedFd>,
    /// The launch document: an exec needs what the specification says, and is too rare to keep that in memory.
    pub(crate) document: OwnedFd,
}

impl Made {
    /// Makes a container of `launch`, whose document is kept for execs.
    pub(crate) fn new(
        launch: &mut Launch,
        document: OwnedFd,
        root: OwnedFd,
        (layout, confinement): (&Layout, Option<Confinement>),
        stdio: Stdio,
    ) -> Result<Self> {
        let root = RootDir::from_fd(root);
        let process = launch.spec.process.get_or_insert_default();
        process.oom_score_adj = process.oom_score_adj.or(launch.oom_score_adj);
        let groups = runtime::resolve_groups(&root, &launch.groups).during("find group")?;
        process.user.additional_gids.extend(groups);
        become_user(process, launch.user.as_deref(), &root)?;
        let id = launch.id.to_string();
        let created = runtime::create(&Config {
            spec: &launch.spec,
            confinement: confinement.as_ref(),
            root: Root::Mount(root.as_fd()),
            layout,
            cgroup: &launch.cgroup,
            stdio,
            gate: Gate::Held,
            bond: Bond::Caller,
            keyring: Keyring::Own,
            preserve_fds: 0,
            entry: Entry::Pivot,
            scope: None,
            about: About {
                id: &id,
                bundle: "",
            },
        });
        Ok(Self {
            created: created.during("create container")?,
            ends: Ends::of(&launch.spec),
            namespaces: Namespaces::of(&launch.spec),
            confinement,
            root,
            spare: None,
            document,
        })
    }

    /// Lets the program begin; returns when it runs. On an error nothing of the container is left.
    pub(crate) fn start(mut self) -> Result<Container> {
        if let Err(error) = self.created.start().during("start container") {
            self.destroy();
            return Err(error);
        }
        let Created {
            pid,
            pidfd,
            start_time,
            console,
            cgroup,
            ..
        } = self.created;
        Ok(Container {
            pid: pid.as_raw_nonzero().get(),
            pidfd,
            start_time,
            console,
            cgroup: Some(cgroup),
            ends: self.ends,
            namespaces: self.namespaces,
            confinement: self.confinement,
            root: Some(self.root),
            spare: self.spare,
            document: self.document,
        })
    }

    /// Makes sure that its root serves once more, while its program waits: one that has ended has no namespace to copy from.
    pub(crate) fn keep_root(&mut self) {
        self.spare = spare(&self.root, &self.created.pidfd);
    }

    /// Undoes the making.
    pub(crate) fn destroy(self) {
        // Each may be done already; what stays is found by the engine's sweep.
        drop(self.created.pidfd.signal(SIGKILL));
        drop(self.created.pidfd.wait());
        drop(self.created.cgroup.kill_all());
        drop(self.created.cgroup.remove());
    }
}

impl Container {
    /// Runs another program in the container.
    pub(crate) fn exec(&self, wanted: &protocol::Process, stdio: Stdio) -> Result<Executed> {
        let mut launch = Launch::read(&self.document).during("read launch")?;
        let base = launch.spec.process.take().unwrap_or_default();
        let mut process = replaced(base, launch.oom_score_adj, wanted);
        if let Some(root) = &self.root {
            let groups = runtime::resolve_groups(root, &launch.groups).during("find group")?;
            process.user.additional_gids.extend(groups);
            let user = wanted.user.as_deref().or(launch.user.as_deref());
            become_user(&mut process, user, root)?;
        }
        if wanted.privileged {
            process.capabilities = Some(all_capabilities());
        }
        let linux = launch.spec.linux.as_ref();
        let Some(cgroup) = &self.cgroup else {
            return Err(kernel::Errno::SRCH).during("exec");
        };
        let running = Running {
            pidfd: self.pidfd.as_fd(),
            namespaces: self.namespaces,
            confinement: self.confinement.as_ref().filter(|_| !wanted.privileged),
            cgroup,
            personality: linux.and_then(|linux| linux.personality.as_ref()),
            memory_policy: linux.and_then(|linux| linux.memory_policy.as_ref()),
            state: None,
        };
        let config = ExecConfig {
            process: &process,
            stdio,
            bond: Bond::Caller,
            preserve_fds: 0,
        };
        let executed = runtime::exec(&running, &config).during("exec")?;
        if let Some(console) = &executed.console {
            // It can't fail: the descriptor is open. A read that would block would stop everything.
            let _ready = rustix::io::ioctl_fionbio(console, true);
        }
        Ok(executed)
    }

    /// Stops all its processes; returns when they are.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.cgroup
            .as_ref()
            .map_or(Ok(()), Cgroup::freeze)
            .during("pause container")
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.cgroup
            .as_ref()
            .map_or(Ok(()), Cgroup::thaw)
            .during("resume container")
    }

    /// Changes its limits.
    pub(crate) fn update(&self, layout: &Layout, limits: &spec::runtime::Resources) -> Result<()> {
        match &self.cgroup {
            Some(cgroup) => runtime::update(cgroup, layout, limits).during("update container"),
            None => Ok(()),
        }
    }

    /// Whether the kernel killed one of its processes for want of memory.
    pub(crate) fn was_short_of_memory(&self) -> bool {
        self.cgroup
            .as_ref()
            .is_some_and(|group| group.oom_kills().is_ok_and(|n| n > 0))
    }

    /// Kills whatever of it still runs, if the end of its first process was not the end of all.
    pub(crate) fn kill_rest(&self) -> Result<()> {
        match (&self.cgroup, self.ends) {
            (Some(cgroup), Ends::First) => cgroup.kill_all().during("kill processes"),
            (None, _) | (_, Ends::All) => Ok(()),
        }
    }

    /// Removes its cgroup.
    pub(crate) fn clear(&mut self) -> Result<()> {
        match self.cgroup.take() {
            Some(cgroup) => cgroup.remove().during("remove cgroup"),
            None => Ok(()),
        }
    }

    /// Makes sure that its root serves once more, for a container that was not meant to be started again before.
    pub(crate) fn keep_root(&mut self) {
        if let (Some(root), None) = (&self.root, &self.spare) {
            self.spare = spare(root, &self.pidfd);
        }
    }

    /// Its root for the next run.
    pub(crate) fn take_root(&mut self) -> Result<OwnedFd> {
        let op = "mount root again";
        match (self.spare.take(), &self.root) {
            (Some(spare), _) => Ok(spare),
            (None, Some(root)) => root.as_fd().try_clone_to_owned().during(op),
            (None, None) => Err(kernel::Errno::STALE).during(op),
        }
    }

    /// Gives up its root: the mount goes with the last descriptor of it.
    pub(crate) fn unmount(&mut self) {
        self.root = None;
        self.spare = None;
    }
}

/// A root for another run, where this one can't serve again. A detached mount can be copied since Linux 6.15; before, it is
/// attached in the container's namespace by now, and is copied from there. Without it, the next start says why it can't be.
fn spare(root: &RootDir, pidfd: &PidFd) -> Option<OwnedFd> {
    match Mount::clone_tree(root, "", Recursive::No) {
        Ok(_) => None,
        Err(_) => copy_from(pidfd).ok(),
    }
}

/// A copy of what is at `/` for the process behind `pidfd`, attached nowhere. This process has one thread: it can go there and back.
fn copy_from(pidfd: &PidFd) -> Result<OwnedFd> {
    let op = "keep root";
    let own = namespace::open_own(Kind::Mount).during(op)?;
    namespace::setns(pidfd, &[Kind::Mount]).during(op)?;
    let copy = Mount::clone_tree(rustix::fs::CWD, "/", Recursive::No);
    // The two can't fail where the first has not: what is joined is this process's own.
    namespace::setns_one(&own, Kind::Mount).during(op)?;
    rustix::process::chdir("/").during(op)?;
    Ok(copy.during(op)?.into_fd())
}

/// What ends with a container's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The whole pid namespace.
    All,
    /// It alone: the pid namespace is another's.
    First,
}

impl Ends {
    fn of(spec: &Spec) -> Self {
        match spec.namespace(NamespaceKind::Pid) {
            Some(own) if own.path.is_empty() => Self::All,
            Some(_) | None => Self::First,
        }
    }
}

/// An exec's process: the container's own, with its limits, filters and profile, but for what was asked.
fn replaced(base: Process, score: Option<i32>, wanted: &protocol::Process) -> Process {
    Process {
        terminal: wanted.tty,
        console_size: None,
        args: wanted.args.clone(),
        env: if wanted.env.is_empty() {
            base.env
        } else {
            wanted.env.clone()
        },
        cwd: wanted.cwd.clone().unwrap_or(base.cwd),
        // The monitor's own is another, and would be inherited.
        oom_score_adj: base.oom_score_adj.or(score).or(Some(0)),
        ..base
    }
}

/// Every capability that there is.
fn all_capabilities() -> Capabilities {
    let all: Vec<String> = CapSet::all().iter().map(|cap| cap.to_string()).collect();
    Capabilities {
        bounding: all.clone(),
        effective: all.clone(),
        permitted: all,
        ..Capabilities::default()
    }
}

/// Resolves `user` in the container's files and makes `process` run as it: ids, groups, home, and, unless it is root, no capability
/// in force but what an executed file gives. Without a user it gets the home of the one it has.
fn become_user(process: &mut Process, user: Option<&str>, root: &RootDir) -> Result<()> {
    let home = match user.filter(|user| !user.is_empty()) {
        Some(asked) => {
            let extra = &process.user.additional_gids;
            let found = runtime::resolve_user(root, asked, extra).during("find user")?;
            process.user.uid = found.uid;
            process.user.gid = found.gid;
            process.user.additional_gids = found.additional_gids;
            if let Some(capabilities) = &mut process.capabilities
                && found.uid != 0
            {
                capabilities.effective.clear();
                capabilities.permitted.clear();
            }
            found.home
        }
        None => {
            let own = runtime::resolve_user(root, &process.user.uid.to_string(), &[]);
            // A broken passwd file is no reason not to run what needs none.
            own.map_or_else(|_| "/".to_owned(), |found| found.home)
        }
    };
    let has_home = process
        .env
        .iter()
        .any(|variable| variable.starts_with("HOME="));
    if !has_home {
        process.env.push(format!("HOME={home}"));
    }
    Ok(())
}

/// Standard input, output and error of an exec, from what its starter sent.
pub(crate) fn stdio_of_exec(
    process: &protocol::Process,
    (rows, columns): (u16, u16),
    fds: Vec<OwnedFd>,
) -> Result<Stdio, Refused> {
    if process.tty {
        return Ok(Stdio::Terminal { rows, columns });
    }
    match <[OwnedFd; 3]>::try_from(fds) {
        Ok([input, output, error]) => Ok(Stdio::Pipes {
            input,
            output,
            error,
        }),
        Err(fds) => {
            let text = format!(
                "an exec without a terminal needs 3 descriptors, not {}",
                fds.len()
            );
            Err((Refusal::Invalid, text))
        }
    }
}
