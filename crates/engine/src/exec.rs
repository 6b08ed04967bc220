//! Programs run in a running container.

pub(crate) mod output;
pub(crate) mod table;

use std::os::fd::{AsFd, OwnedFd};

use failpoint::failpoint;
use protocol::message::ExecStatus;
use protocol::{ExecId, Phase, Process, Reply, Request};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use state::ContainerRow;
use tokio::sync::watch;

use crate::bundle;
use crate::container::stored::Stored;
use crate::container::{Config, StdinWriter, lookup, merge, pause};
use crate::error::{Error, Kind, Result};
use crate::event::Happened;
use crate::link::{self, Link};
use crate::log::{Records, Source};
use crate::network::{attach, links};
use crate::open::{Engine, Inner, lock};
use crate::stdin::Pipe;
use crate::truth::{self, Now};
use output::ExecOutput;
use table::Known;

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
        let container = container.to_owned();
        self.engine
            .step(move |engine| create(&engine.0, &container, config))
            .await
    }

    /// Starts it; with streams unless it is left alone.
    ///
    /// # Errors
    /// No such exec, it ran already, or the program can't be executed.
    pub async fn start(&self, id: &str, request: ExecStart) -> Result<Option<Io>> {
        let id = parse(id)?;
        self.engine
            .step(move |engine| start(engine, &id, &request))
            .await
    }

    /// What is known of it.
    ///
    /// # Errors
    /// No such exec.
    pub async fn inspect(&self, id: &str) -> Result<ExecInspect> {
        let id = parse(id)?;
        self.engine
            .step(move |engine| inspect(&engine.0, &id))
            .await
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// No such exec, or it has no terminal.
    pub async fn resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let id = parse(id)?;
        self.engine
            .step(move |engine| {
                let inner = &*engine.0;
                let row = container_of(inner, &id)?;
                let request = Request::Resize {
                    rows,
                    cols: columns,
                    exec: Some(id.clone()),
                };
                match link::ask(inner, &row.id, &request)? {
                    Some(_) => Ok(()),
                    None => Err(missing(&id)),
                }
            })
            .await
    }
}

fn parse(text: &str) -> Result<ExecId> {
    text.parse()
        .map_err(|_| Error::not_found(format!("No such exec instance: {text}")))
}

fn missing(id: &ExecId) -> Error {
    Error::not_found(format!("No such exec instance: {id}"))
}

/// The container that an exec belongs to: its id begins with half of it.
fn container_of(inner: &Inner, id: &ExecId) -> Result<ContainerRow> {
    let mut rows = inner
        .db
        .read(|tx| tx.containers_by_prefix(id.container_prefix()))?;
    rows.pop().ok_or_else(|| missing(id))
}

fn not_running(row: &ContainerRow) -> Error {
    Error::conflict(format!("container {} is not running", row.id))
}

fn create(inner: &Inner, container: &str, config: ExecConfig) -> Result<String> {
    let row = lookup::find(inner, container)?;
    if config.cmd.is_empty() || config.cmd[0].is_empty() {
        return Err(Error::invalid("No exec command specified"));
    }
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    match truth::look(inner, &row)? {
        Now::Running(alive) if alive.condition.phase == Phase::Paused => {
            return Err(Error::conflict(format!(
                "container {} is paused, unpause the container before exec",
                row.id
            )));
        }
        Now::Running(alive) if matches!(alive.condition.phase, Phase::Restarting(_)) => {
            return Err(pause::restarting(&row));
        }
        now if now.is_alive() => {}
        _ => return Err(pause::not_running(inner, &row)),
    }
    let stored = Stored::parse(&row.id, &row.config)?;
    let id = ExecId::new(&row.id, kernel::random::bytes()?);
    let request = Request::ExecCreate {
        id: id.clone(),
        process: process(inner, &row, &stored, &config)?,
    };
    if link::ask(inner, &row.id, &request)?.is_none() {
        return Err(not_running(&row));
    }
    let action = format!("exec_create: {}", config.cmd.join(" "));
    inner.record(Happened::to_container(&row, action).with("execID", &id));
    failpoint!("exec.created");
    lock(&inner.execs).insert(
        id.clone(),
        Known {
            config,
            container: row.id,
            exit_code: None,
            started: false,
        },
    );
    Ok(id.to_string())
}

fn process(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    config: &ExecConfig,
) -> Result<Process> {
    let text = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
    let links = links::alive(inner, row)?;
    let stored = &links::with_environment(row, stored, &links);
    let lent = attach::lender(inner, stored)?
        .map(|lender| Stored::parse(&lender.id, &lender.config).map(|s| s.hostname(&lender.id)))
        .transpose()?;
    let input = bundle::Input {
        id: &row.id,
        stored,
        directory: &inner.container_dir(&row.id),
        hostname: lent.as_deref(),
        volumes: &inner.volumes_dir(),
        facts: inner.facts()?,
        devices: &[],
        block_io: &spec::runtime::BlockIo::default(),
        init: &inner.config.binaries.monitor,
    };
    // The container's environment, with a terminal's type by the exec's own terminal.
    let own = Config {
        tty: config.tty,
        ..stored.config.clone()
    };
    let mut env = merge::environment(&own, &bundle::hostname(&input));
    env = merge::merge_env(&env, &config.env);
    env.retain(|variable| variable.contains('='));
    Ok(Process {
        args: config.cmd.clone(),
        env,
        cwd: text(&config.working_dir),
        user: text(&config.user),
        tty: config.tty,
        open_stdin: config.attach_stdin,
        privileged: config.privileged,
        detach_keys: text(&config.detach_keys),
    })
}

/// The pipes of an exec without a terminal: what goes to the program, and our ends.
struct Pipes {
    theirs: [OwnedFd; 3],
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Pipes {
    fn new(stdin: bool) -> rustix::io::Result<Self> {
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let (stdout, their_stdout) = pipe()?;
        let (stderr, their_stderr) = pipe()?;
        let (their_stdin, stdin) = if stdin {
            let (theirs, ours) = pipe()?;
            // Each end of a pipe is its own description: the program's stays as it is.
            rustix::io::ioctl_fionbio(&ours, true)?;
            (theirs, Some(ours))
        } else {
            (null()?, None)
        };
        Ok(Self {
            theirs: [their_stdin, their_stdout, their_stderr],
            stdin,
            stdout,
            stderr,
        })
    }
}

fn null() -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        rustix::fs::CWD,
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn start(engine: &Engine, id: &ExecId, request: &ExecStart) -> Result<Option<Io>> {
    let inner = &*engine.0;
    let row = container_of(inner, id)?;
    let known = lock(&inner.execs).get(id).cloned();
    let Some(mut connection) = link::connect(inner, &row.id)? else {
        return Err(not_running(&row));
    };
    let (tty, stdin) = match &known {
        Some(known) => (known.config.tty, known.config.attach_stdin),
        // Made by another process.
        None => asked(inner, &row, id)?,
    };
    let (rows, cols) = request
        .console_size
        .or(known.and_then(|k| k.config.console_size))
        .unwrap_or_default();
    let message = Request::ExecStart {
        id: id.clone(),
        rows,
        cols,
    };
    let system = |e| Error::internal("make pipes for an exec", std::io::Error::from(e));
    let pipes = match (tty, request.detach) {
        (true, _) => None,
        (false, true) => None,
        (false, false) => Some(Pipes::new(stdin).map_err(system)?),
    };
    let nulls = if tty || pipes.is_some() {
        Vec::new()
    } else {
        (0..3)
            .map(|_| null())
            .collect::<Result<Vec<_>, _>>()
            .map_err(system)?
    };
    let fds: Vec<_> = match &pipes {
        Some(pipes) => pipes.theirs.iter().map(AsFd::as_fd).collect(),
        None => nulls.iter().map(AsFd::as_fd).collect(),
    };
    // Executing takes as long as it takes: a program may be on a slow disk.
    connection.set_timeout(None)?;
    let masters = match connection.call(&message, &fds) {
        Ok((_, fds)) => fds,
        Err(e) => {
            return match link::closed::<()>(e) {
                Ok(_) => Err(not_running(&row)),
                Err(error) => {
                    note_refusal(inner, id, &error);
                    Err(error)
                }
            };
        }
    };
    lock(&inner.execs).started(id);
    failpoint!("exec.started");
    let ended = watch_end(engine, id, Link::new(connection)?);
    if request.detach {
        return Ok(None);
    }
    let (output, stdin) = match (pipes, masters.into_iter().next()) {
        (Some(pipes), _) => {
            let stdin = pipes.stdin.map(|fd| Pipe::new(fd, None)).transpose()?;
            (
                ExecOutput::new(pipes.stdout, Some(pipes.stderr), ended)?,
                stdin,
            )
        }
        (None, Some(master)) => {
            let second = master
                .try_clone()
                .map_err(|e| Error::internal("duplicate a descriptor", e))?;
            let output = ExecOutput::new(master, None, ended)?;
            (output, Some(Pipe::new(second, None)?).filter(|_| stdin))
        }
        (None, None) => {
            return Err(Error::new(
                Kind::Internal,
                "the container's monitor gave no terminal",
            ));
        }
    };
    Ok(Some(Io {
        tty,
        output: Records::chunks(Source::Exec(Box::new(output)), true, true),
        stdin: stdin.map(StdinWriter::open),
    }))
}

/// The exit code of what was not executed.
fn note_refusal(inner: &Inner, id: &ExecId, error: &Error) {
    let code = match error.kind {
        Kind::CommandNotFound => 127,
        Kind::CommandNotExecutable => 126,
        _ => return,
    };
    lock(&inner.execs).ended(id, code);
}

/// Whether an exec that another process made has a terminal and standard input.
fn asked(inner: &Inner, row: &ContainerRow, id: &ExecId) -> Result<(bool, bool)> {
    match link::ask(inner, &row.id, &Request::ExecInspect { id: id.clone() })? {
        Some(Reply::Exec(info)) => match info.process {
            Some(process) => Ok((process.tty, process.open_stdin)),
            None => Err(Error::conflict(format!(
                "exec command {id} is already running"
            ))),
        },
        _ => Err(missing(id)),
    }
}

/// Remembers how the exec ends. The task ends with the exec, or with its container.
fn watch_end(engine: &Engine, id: &ExecId, mut link: Link) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let (engine, id) = (engine.clone(), id.clone());
    tokio::spawn(async move {
        let code = match link.receive().await {
            Ok(Some((Reply::ExecExited { code }, _))) => code,
            // It died with its container.
            _ => 137,
        };
        lock(&engine.0.execs).ended(&id, code);
        sender.send_replace(true);
    });
    receiver
}

fn inspect(inner: &Inner, id: &ExecId) -> Result<ExecInspect> {
    let known = lock(&inner.execs).get(id).cloned();
    let row = container_of(inner, id);
    let info = match &row {
        Ok(row) => match link::ask(inner, &row.id, &Request::ExecInspect { id: id.clone() }) {
            Ok(Some(Reply::Exec(info))) => Some(info),
            _ => None,
        },
        Err(_) => None,
    };
    let container = match (&known, row) {
        (Some(known), _) => known.container.to_string(),
        (None, row) => row?.id.to_string(),
    };
    let status = info.as_ref().map(|info| info.status);
    let config = match (&known, info.and_then(|info| info.process)) {
        (Some(known), _) => known.config.clone(),
        (None, Some(process)) => of_monitor(process),
        (None, None) if status.is_none() => return Err(missing(id)),
        (None, None) => ExecConfig::default(),
    };
    let remembered = known.as_ref().and_then(|known| known.exit_code);
    let (running, exit_code, pid) = match (remembered, status) {
        (Some(code), _) | (None, Some(ExecStatus::Exited { code })) => (false, Some(code), 0),
        (None, Some(ExecStatus::Running { pid })) => (true, None, pid.unsigned_abs()),
        (None, Some(ExecStatus::Created)) => (false, None, 0),
        // Its container has ended, and it with it.
        (None, None) => (false, known.filter(|k| k.started).map(|_| 137), 0),
    };
    Ok(ExecInspect {
        id: id.to_string(),
        container,
        config,
        running,
        exit_code: exit_code.map(i64::from),
        pid,
    })
}

fn of_monitor(process: Process) -> ExecConfig {
    ExecConfig {
        cmd: process.args,
        env: process.env,
        user: process.user.unwrap_or_default(),
        working_dir: process.cwd.unwrap_or_default(),
        tty: process.tty,
        attach_stdin: process.open_stdin,
        attach_stdout: true,
        attach_stderr: true,
        privileged: process.privileged,
        detach_keys: process.detach_keys.unwrap_or_default(),
        console_size: None,
    }
}
