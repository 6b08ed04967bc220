//! What a caller says, and what it gets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::Pid;
use kernel::cgroup::{Cgroup, Layout};
use kernel::namespace::Kind;
use kernel::process::PidFd;
use spec::runtime::{
    MemoryPolicy, NamespaceKind, Personality, Process, Spec, State, Status, VERSION,
};

use crate::channel::{Channel, News, Word};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::filter::Confinement;
pub use crate::mount::Root;
use crate::systemd::Scope;

/// A container to be made.
#[derive(Debug)]
pub struct Config<'a> {
    /// All about it. Its `root.path` isn't looked at.
    pub spec: &'a Spec,
    /// Its filter of system calls, if it has been compiled: the specification's isn't looked at.
    pub confinement: Option<&'a Confinement>,
    /// Its root.
    pub root: Root<'a>,
    /// How cgroups are mounted on this host.
    pub layout: &'a Layout,
    /// Its cgroup, below each hierarchy: `/tare/<id>`.
    pub cgroup: &'a str,
    /// Its standard input and output.
    pub stdio: Stdio,
    /// What its first process waits for.
    pub gate: Gate,
    /// Whether it outlives its maker.
    pub bond: Bond,
    /// Whether it gets a session keyring of its own.
    pub keyring: Keyring,
    /// How many descriptors from 3 on it inherits besides.
    pub preserve_fds: u32,
    /// How its root becomes its root.
    pub entry: Entry,
    /// The unit of systemd that its cgroup is; without one the cgroup is made here.
    pub scope: Option<&'a Scope>,
    /// What hooks and listeners are told.
    pub about: About<'a>,
}

/// How a container's root takes the place of the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// pivot_root(2), which leaves nothing of the host's behind.
    Pivot,
    /// chroot(2), for a host that runs from an initramfs, where pivot_root(2) is impossible. Weaker: for who can break out of chroot.
    Chroot,
}

/// A container as others know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// Its id.
    pub id: &'a str,
    /// The directory with its configuration.
    pub bundle: &'a str,
}

impl About<'_> {
    /// What hooks are told.
    pub(crate) fn state(self, spec: &Spec, status: Status, pid: i32) -> State {
        State {
            oci_version: VERSION.to_owned(),
            id: self.id.to_owned(),
            status,
            pid,
            bundle: self.bundle.to_owned(),
            annotations: spec.annotations.clone(),
        }
    }
}

/// Standard input, output and error of a program.
#[derive(Debug)]
pub enum Stdio {
    /// These.
    Pipes {
        /// Where it reads.
        input: OwnedFd,
        /// Where it writes.
        output: OwnedFd,
        /// Where it complains.
        error: OwnedFd,
    },
    /// Those of the caller.
    Inherited,
    /// A terminal of the container's own, of this size; the caller gets its master.
    Terminal {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
}

/// What a new container's first process waits for before it becomes its program.
#[derive(Debug)]
pub enum Gate {
    /// [`Created::start`].
    Held,
    /// A client of this listening stream socket ([`crate::release`]), so that the caller may end before.
    Socket(OwnedFd),
}

/// Whether a process outlives the one that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// It is killed when the caller's thread ends.
    Caller,
    /// It lives on.
    None,
}

/// The session keyring of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// A new one; the caller's can't be seen.
    Own,
    /// The caller's.
    Caller,
}

/// A container that waits for its start. Dropping it leaves the container alone, but one with [`Gate::Held`] ends.
#[derive(Debug)]
pub struct Created {
    /// Its first process.
    pub pid: Pid,
    /// The same, without doubt. The caller is its parent and must reap it.
    pub pidfd: PidFd,
    /// When it began, in clock ticks after the boot.
    pub start_time: u64,
    /// The master of its terminal.
    pub console: Option<OwnedFd>,
    /// Its cgroup.
    pub cgroup: Cgroup,
    pub(crate) channel: Option<Channel>,
}

impl Created {
    /// Lets the container's program begin, and returns when it runs.
    ///
    /// # Errors
    /// The program can't be executed; then the first process has ended and was reaped, and its cgroup remains.
    pub fn start(&mut self) -> Result<()> {
        let Some(channel) = self.channel.take() else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "start container",
                "that its maker doesn't start",
            ));
        };
        channel.say(Word::Start)?;
        match channel.receive_news()? {
            News::Failed(error) => {
                self.pidfd.wait()?;
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

/// A container that runs, as exec needs it.
#[derive(Debug)]
pub struct Running<'a> {
    /// Its first process.
    pub pidfd: BorrowedFd<'a>,
    /// What it has of its own.
    pub namespaces: Namespaces,
    /// Its filter of system calls.
    pub confinement: Option<&'a Confinement>,
    /// Its cgroup.
    pub cgroup: &'a Cgroup,
    /// Its execution domain.
    pub personality: Option<&'a Personality>,
    /// Where its memory comes from.
    pub memory_policy: Option<&'a MemoryPolicy>,
    /// What a listener for its system calls is told; needed only if its filter has one.
    pub state: Option<&'a State>,
}

/// The namespaces of a container that an exec enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces {
    /// Joining one's own user namespace is an error, so it matters whether the container has another.
    user: bool,
    /// Kernels before 5.6 have none.
    time: bool,
}

impl Namespaces {
    /// Those of a container made from `spec`.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        Self {
            user: spec.namespace(NamespaceKind::User).is_some(),
            time: spec.namespace(NamespaceKind::Time).is_some(),
        }
    }

    pub(crate) fn has_user(self) -> bool {
        self.user
    }

    pub(crate) fn kinds(self) -> Vec<Kind> {
        let mut kinds = vec![
            Kind::Mount,
            Kind::Net,
            Kind::Pid,
            Kind::Ipc,
            Kind::Uts,
            Kind::Cgroup,
        ];
        kinds.extend(self.user.then_some(Kind::User));
        kinds.extend(self.time.then_some(Kind::Time));
        kinds
    }
}

/// A program to be run in a container.
#[derive(Debug)]
pub struct ExecConfig<'a> {
    /// All about it: ids, capabilities, limits. The container's filter of system calls is applied too.
    pub process: &'a Process,
    /// Its standard input and output.
    pub stdio: Stdio,
    /// Whether it outlives its maker.
    pub bond: Bond,
    /// How many descriptors from 3 on it inherits besides.
    pub preserve_fds: u32,
}

/// A program that runs in a container.
#[derive(Debug)]
pub struct Executed {
    /// Its process.
    pub pid: Pid,
    /// The same, without doubt. The caller is its parent and must reap it.
    pub pidfd: PidFd,
    /// The master of its terminal.
    pub console: Option<OwnedFd>,
}

impl Stdio {
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Pipes {
                input,
                output,
                error,
            } => vec![input.as_fd(), output.as_fd(), error.as_fd()],
            Self::Inherited | Self::Terminal { .. } => Vec::new(),
        }
    }
}
