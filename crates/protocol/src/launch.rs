//! What a monitor is told when it is started, and its one answer.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::error::{Error, Kind, Result};
use crate::exit::read_limited;
use crate::{Nanos, Probe, Restart};

mod channel;

pub use channel::{Channel, Launcher};

/// The descriptor of the sealed memory file with the [`Launch`].
pub const LAUNCH_FD: i32 = 3;
/// The one descriptor that a monitor is started with: its [`Channel`], on which the others come.
pub const CHANNEL_FD: i32 = 4;
/// The container's root: a detached mount.
pub const ROOT_FD: i32 = 5;
/// The container's directory, `/var/lib/tare/containers/<id>`.
pub const CONTAINER_DIR_FD: i32 = 6;
/// The container's run directory, `/run/tare/containers/<id>`.
pub const RUN_DIR_FD: i32 = 7;
/// The container's network namespace, if the launch says so.
pub const NETWORK_FD: i32 = 8;
/// A UDP socket in that namespace, where names are asked for, if the launch says so.
pub const NAMES_UDP_FD: i32 = 9;
/// A listening TCP socket beside it.
pub const NAMES_TCP_FD: i32 = 10;

/// What a monitor is given of its container's network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenNetwork {
    /// Nothing: the specification says it all.
    #[default]
    Nothing,
    /// [`NETWORK_FD`], to which the specification refers: it outlives the container's processes as long as the monitor lives.
    Namespace,
    /// The namespace, and the sockets at which it answers names as the file [`crate::names::FILE`] says.
    Names,
}

/// Whose filter of system calls a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenFilter {
    /// The specification's, if it has one.
    #[default]
    Specified,
    /// [`spec::profile::seccomp`] of the capabilities in its bounding set. The specification has none: what everybody knows is neither
    /// sent nor read, and may be compiled before.
    Usual,
}

/// The directory of the event file; given if [`Launch::events`] is.
pub const EVENTS_FD: i32 = 11;

/// What a monitor is told to run. It is passed by a descriptor, because it holds what must not be in argv or in the
/// environment of a process (values of the container's environment).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Launch {
    /// The format's version.
    pub v: u32,
    /// The container's id.
    pub id: ContainerId,
    /// What runs, as an OCI runtime specification.
    pub spec: spec::runtime::Spec,
    /// Whose filter of system calls it has.
    #[serde(default)]
    pub filter: GivenFilter,
    /// The user as it was asked for (`name|uid[:group|gid]`), resolved by the monitor in the container's root. `None`:
    /// the specification's user.
    #[serde(default)]
    pub user: Option<String>,
    /// More groups of that user, by their names in the container's files.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The container's cgroup, a path below the mount points of the hierarchies.
    pub cgroup: String,
    /// The cgroup that the monitor moves to when the program runs. `None`: it stays where it was started.
    #[serde(default)]
    pub monitor_cgroup: Option<String>,
    /// Whether the program has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// Whether the program's standard input can be written to; else it is `/dev/null`.
    #[serde(default)]
    pub open_stdin: bool,
    /// Whether standard input is closed when the first attached client that held it goes.
    #[serde(default)]
    pub stdin_once: bool,
    /// The terminal's height, 0 if it isn't known.
    #[serde(default)]
    pub rows: u16,
    /// The terminal's width, 0 if it isn't known.
    #[serde(default)]
    pub cols: u16,
    /// When the program is started again after its end.
    #[serde(default)]
    pub restart: Restart,
    /// How it is found out whether the container is well; `None`: nobody looks.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Whether the container is removed when it has ended.
    #[serde(default)]
    pub auto_remove: bool,
    /// The command that removes it: an absolute path and its arguments.
    #[serde(default)]
    pub remove_command: Vec<String>,
    /// The command that gives back what it has on networks when it has ended and stays, if it has names there.
    #[serde(default)]
    pub leave_command: Vec<String>,
    /// The environment of both commands; nothing else is passed.
    #[serde(default)]
    pub remove_env: BTreeMap<String, String>,
    /// The log's limits.
    #[serde(default)]
    pub log: LogLimits,
    /// The signal that asks the program to end, 15 if nothing else was said. The monitor keeps it for whoever asks.
    #[serde(default)]
    pub stop_signal: Option<i32>,
    /// How much the kernel prefers to kill the container's processes, -1000 to 1000, if the specification doesn't say.
    #[serde(default)]
    pub oom_score_adj: Option<i32>,
    /// Which descriptors of the network there are.
    #[serde(default)]
    pub network: GivenNetwork,
    /// What events say of the container; `None`: none are written.
    #[serde(default)]
    pub events: Option<Named>,
}

/// What every event of a container says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name now.
    pub name: String,
    /// Its image and its labels.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// How much log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLimits {
    /// The largest segment, in bytes.
    pub max_size: u64,
    /// How many segments are kept.
    pub max_files: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            max_size: 20 * 1024 * 1024,
            max_files: 5,
        }
    }
}

impl Launch {
    /// The format's version that this code writes.
    pub const VERSION: u32 = 1;
    /// The largest launch document.
    pub const MAX: usize = 4 * 1024 * 1024;

    /// The document as its file holds it.
    ///
    /// # Errors
    /// It is larger than [`Launch::MAX`].
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let bytes =
            serde_json::to_vec(self).map_err(|e| Error::malformed("encode", "launch", e))?;
        if bytes.len() > Self::MAX {
            return Err(Error::new(Kind::TooLarge, "encode", "launch"));
        }
        Ok(bytes)
    }

    /// Reads the document from its file.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is not a launch or has another version.
    pub fn read(file: &OwnedFd) -> Result<Self> {
        let bytes = read_limited(file, "launch", Self::MAX)?;
        let launch: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed("read", "launch", e))?;
        if launch.v != Self::VERSION {
            return Err(Error::new(
                Kind::Version,
                "read",
                format!("launch of version {}", launch.v),
            ));
        }
        Ok(launch)
    }
}

/// The monitor's one answer to its launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// The program was executed.
    Started {
        /// The program's process id, as the monitor sees it.
        pid: i32,
        /// When it was started.
        started_at: Nanos,
    },
    /// Nothing runs, and everything that was made has been undone.
    Failed {
        /// What was being done.
        stage: String,
        /// Why it failed, with its causes.
        message: String,
        /// What a command line should exit with: 125, 126 or 127.
        exit_code: i32,
    },
}
