//! Programs run in a running container.

use crate::container::StdinWriter;
use crate::error::{Error, Kind, Result};
use crate::log::Records;
use crate::open::Engine;

/// A program to run in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecConfig {
    /// The program and its arguments.
    pub cmd: Vec<String>,
    /// More environment, after the container's: `NAME=value`.
    pub env: Vec<String>,
    /// `user[:group]`; empty for the container's.
    pub user: String,
    /// The directory that it starts in; empty for the container's.
    pub working_dir: String,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Whether the caller writes its standard input.
    pub attach_stdin: bool,
    /// Whether the caller reads its standard output.
    pub attach_stdout: bool,
    /// Whether the caller reads its standard error.
    pub attach_stderr: bool,
    /// Whether it gets all capabilities.
    pub privileged: bool,
    /// The keys that detach, as the user wrote them; empty for the default.
    pub detach_keys: String,
    /// Rows and columns of its terminal.
    pub console_size: Option<(u16, u16)>,
}

/// How to start it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecStart {
    /// Whether the caller leaves it alone.
    pub detach: bool,
    /// Whether it gets a terminal; must be what it was created with.
    pub tty: bool,
    /// Rows and columns of its terminal.
    pub console_size: Option<(u16, u16)>,
}

/// An attached program's streams.
#[derive(Debug)]
pub struct Io {
    /// Whether it has a terminal: its bytes go out as they are, not in frames.
    pub tty: bool,
    /// What it writes. It ends when the program has ended.
    pub output: Records,
    /// Its standard input, if the caller writes it.
    pub stdin: Option<StdinWriter>,
}

/// What is known of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecInspect {
    /// Its id.
    pub id: String,
    /// Its container.
    pub container: String,
    /// What was asked for.
    pub config: ExecConfig,
    /// Whether it runs now.
    pub running: bool,
    /// Its exit code, once it ended.
    pub exit_code: Option<i64>,
    /// Its pid on the host; 0 before it runs.
    pub pid: u32,
}

/// What can be done with programs run in containers.
#[derive(Debug, Clone)]
pub struct Execs {
    engine: Engine,
}

impl Execs {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Prepares a program in a running container; gives its id.
    ///
    /// # Errors
    /// No such container, it does not run, or no program is named.
    pub async fn create(&self, container: &str, config: ExecConfig) -> Result<String> {
        let _ = (&self.engine, container, config);
        Err(Error::new(Kind::Unavailable, "exec"))
    }

    /// Starts it; with streams unless it is left alone.
    ///
    /// # Errors
    /// No such exec, it ran already, or the program can't be executed.
    pub async fn start(&self, id: &str, request: ExecStart) -> Result<Option<Io>> {
        let _ = (id, request);
        Err(Error::new(Kind::Unavailable, "exec"))
    }

    /// What is known of it.
    ///
    /// # Errors
    /// No such exec.
    pub async fn inspect(&self, id: &str) -> Result<ExecInspect> {
        let _ = id;
        Err(Error::new(Kind::Unavailable, "exec"))
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// No such exec, or it has no terminal.
    pub async fn resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let _ = (id, rows, columns);
        Err(Error::new(Kind::Unavailable, "exec"))
    }
}
