//! What a monitor can be asked, and what it answers.

use serde::{Deserialize, Serialize};

use crate::log::Position;
use crate::state::State;
use crate::{ExecId, ExitRecord, Nanos, Restart};

/// What a monitor can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What is true now → [`Reply::State`].
    State,
    /// Sends a signal to the container's first process or to an exec's → [`Reply::Done`].
    Signal {
        /// The signal's number.
        signal: i32,
        /// The exec, if it is one's.
        #[serde(default)]
        exec: Option<ExecId>,
    },
    /// Changes a terminal's size → [`Reply::Done`].
    Resize {
        /// Height in characters.
        rows: u16,
        /// Width in characters.
        cols: u16,
        /// The exec, if it is one's.
        #[serde(default)]
        exec: Option<ExecId>,
    },
    /// Follows the output → [`Reply::Attached`], then log records as in the file until the container's end. From then on
    /// the client may send only [`Request::CloseStdin`]; when it closes the connection it is detached.
    Attach {
        /// Where to begin.
        from: From,
        /// Whether standard input is wanted too.
        stdin: bool,
    },
    /// On an attached connection: this client will write no more. If standard input is to be closed with the first client
    /// that held it, it is closed now. Half-closing the connection says the same. There is no reply.
    CloseStdin,
    /// Waits for the container's end → [`Reply::Exited`], when it ends.
    Wait {
        /// Whether the requester promises to remove the container afterwards.
        remove: bool,
    },
    /// Keeps an exec to be started → [`Reply::ExecCreated`].
    ExecCreate {
        /// The exec's id, made by the requester.
        id: ExecId,
        /// What to run.
        process: Process,
    },
    /// Starts it → [`Reply::ExecStarted`], then [`Reply::ExecExited`] on the same connection. Without a terminal the
    /// request carries three descriptors: its standard input, output and error. With one, the reply carries the
    /// terminal's master.
    ExecStart {
        /// The exec.
        id: ExecId,
        /// The terminal's height, 0 if it isn't known.
        rows: u16,
        /// The terminal's width, 0 if it isn't known.
        cols: u16,
    },
    /// Sends a signal that is to end the container's program: one that is paused goes on for it, and it is not started again
    /// after that end → [`Reply::Done`].
    End {
        /// The signal's number.
        signal: i32,
    },
    /// Stops all processes → [`Reply::Done`] when they are.
    Pause,
    /// Lets them go on → [`Reply::Done`].
    Resume,
    /// The container has another name from now on → [`Reply::Done`].
    Rename {
        /// The name.
        name: String,
    },
    /// Changes its limits → [`Reply::Done`]; what `limits` does not speak of stays.
    Update {
        /// All limits that it has from now on, but for those of devices.
        limits: Box<spec::runtime::Resources>,
        /// When it is started again from now on.
        #[serde(default)]
        restart: Restart,
    },
    /// What is known about one exec → [`Reply::Exec`].
    ExecInspect {
        /// The exec.
        id: ExecId,
    },
}

/// Where an attached client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// With what comes next.
    Now,
    /// With the oldest record there is.
    Start,
    /// With the record at this position; if that is past the log's end, with what comes next.
    Position(Position),
}

/// What an exec runs. It has the container's capabilities, filters and limits, unless it is privileged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The whole environment, as `NAME=value`; empty: the container's.
    #[serde(default)]
    pub env: Vec<String>,
    /// The working directory; `None`: the container's.
    #[serde(default)]
    pub cwd: Option<String>,
    /// The user (`name|uid[:group|gid]`), resolved in the container's root; `None`: the container's.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether it has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// Whether its standard input is wanted; kept for whoever inspects.
    #[serde(default)]
    pub open_stdin: bool,
    /// Whether it has all capabilities and no filter.
    #[serde(default)]
    pub privileged: bool,
    /// The keys that detach; kept for whoever inspects.
    #[serde(default)]
    pub detach_keys: Option<String>,
}

/// Where an exec is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecStatus {
    /// Not started.
    Created,
    /// Its process runs.
    Running {
        /// The process id, as the monitor sees it.
        pid: i32,
    },
    /// Its process ended, or could not be started.
    Exited {
        /// The exit code, 128 + n for a signal.
        code: i32,
    },
}

/// What is known about an exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecInfo {
    /// Its id.
    pub id: ExecId,
    /// Where it is in its life.
    pub status: ExecStatus,
    /// What it runs; not in [`Reply::State`], where only ids and states are listed, and not of one that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// What a monitor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It was done.
    Done,
    /// What is true now.
    State {
        /// What the state file says.
        state: State,
        /// The execs that are remembered, oldest first.
        execs: Vec<ExecInfo>,
        /// How many clients are attached.
        attached: u32,
        /// The end of the log.
        log_end: Position,
    },
    /// Attached: log records follow. Carries, if standard input was asked for and is open, one descriptor to write it to:
    /// the pipe's write end or the terminal's master. The master is non-blocking and must stay so, and is not to be read.
    Attached {
        /// Where the records begin.
        position: Position,
    },
    /// The container has ended.
    Exited(ExitRecord),
    /// The exec is kept.
    ExecCreated,
    /// The exec's program was executed. A terminal's master that comes with it is non-blocking and must stay so: the
    /// monitor has the same.
    ExecStarted {
        /// The process id, as the monitor sees it.
        pid: i32,
        /// When it was started.
        started_at: Nanos,
    },
    /// The exec's process ended.
    ExecExited {
        /// The exit code, 128 + n for a signal.
        code: i32,
    },
    /// What is known about one exec.
    Exec(ExecInfo),
    /// It was not done.
    Refused {
        /// The kind of refusal.
        kind: Refusal,
        /// One line with the reason.
        message: String,
    },
}

/// Why a monitor did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such exec.
    NotFound,
    /// It isn't possible in the present state: the exec was started already, there is no terminal, the container ended.
    Conflict,
    /// There are too many execs or connections.
    Busy,
    /// The request makes no sense.
    Invalid,
    /// The exec's program isn't there: exit code 127.
    NoProgram,
    /// The exec's program can't be executed: exit code 126.
    NotExecutable,
    /// A system call failed.
    System,
}

impl Refusal {
    /// The exit code of an exec that was refused so.
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::NoProgram => 127,
            Self::NotFound
            | Self::Conflict
            | Self::Busy
            | Self::Invalid
            | Self::NotExecutable
            | Self::System => 126,
        }
    }
}
