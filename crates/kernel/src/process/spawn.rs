//! A program in a new process, with nothing inherited that was not given.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::{ExitStatus, Pid, PidFd};
use crate::error::At;
use crate::raw::spawn::{Plan, Program, Stage};
use crate::{Error, Result, raw};

/// Where a program is.
#[derive(Debug)]
pub enum Executable {
    /// At this path; no search.
    Path(PathBuf),
    /// Behind this descriptor: execveat(2). Not for scripts, whose interpreter could not open it again.
    Fd(OwnedFd),
}

/// A program to be started.
///
/// The new process has the descriptors that are given here and no others; 0, 1 and 2 are `/dev/null` where they are not given. No signal is blocked or
/// ignored in it. It costs the same however large the caller is, and the caller may have many threads.
#[derive(Debug)]
pub struct Spawn {
    /// The program.
    pub exe: Executable,
    /// All arguments, the program's own name first.
    pub args: Vec<OsString>,
    /// The whole environment, `NAME=value` each.
    pub env: Vec<OsString>,
    /// Its directory; the caller's if none is given.
    pub cwd: Option<PathBuf>,
    /// Descriptors and the numbers that they get. They are closed here when the process has started.
    pub fds: Vec<(OwnedFd, i32)>,
    /// Whether it leads a session of its own.
    pub setsid: bool,
    /// Whether it leads a process group of its own, which is put in front at the caller's terminal if that is its standard
    /// input. The caller must have `SIGTTOU` blocked.
    pub foreground: bool,
    /// The signal that it gets when the thread that starts it ends.
    pub death_signal: Option<i32>,
    /// `cgroup.procs` files into which it puts itself before it becomes the program.
    pub cgroup: Vec<File>,
}

/// A process that was started. Dropping it neither kills nor reaps it.
#[derive(Debug)]
pub struct Child {
    /// Its number, its own until it is reaped.
    pub pid: Pid,
    /// Its descriptor.
    pub pidfd: PidFd,
}

impl Child {
    /// Waits for its end, and reaps it.
    ///
    /// # Errors
    /// `ECHILD` if it was reaped elsewhere.
    pub fn wait(&self) -> Result<ExitStatus> {
        self.pidfd.wait()
    }
}

impl Spawn {
    /// `exe` with `args` (its own name first), no environment, and nothing else.
    #[must_use]
    pub fn new(exe: Executable, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            exe,
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: None,
            fds: Vec::new(),
            setsid: false,
            foreground: false,
            death_signal: None,
            cgroup: Vec::new(),
        }
    }

    /// Adds a descriptor.
    #[must_use]
    pub fn fd(mut self, fd: impl Into<OwnedFd>, number: i32) -> Self {
        self.fds.push((fd.into(), number));
        self
    }

    /// Adds `name=value` to the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let mut variable = name.as_ref().to_owned();
        variable.push("=");
        variable.push(value);
        self.env.push(variable);
        self
    }

    /// Starts it; returns once the program runs.
    ///
    /// # Errors
    /// A descriptor number is given twice or is negative, a text holds a zero byte, or a step failed; the exec's own error has the operation
    /// `execute`.
    pub fn start(self) -> Result<Child> {
        let shown = match &self.exe {
            Executable::Path(path) => path.display().to_string(),
            Executable::Fd(_) => self
                .args
                .first()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        };
        let descriptors = Descriptors::arrange(&self)
            .map_err(|error| Error::new("arrange descriptors for", &shown, error))?;
        let args = texts(&self.args).at("execute", &shown)?;
        let env = texts(&self.env).at("execute", &shown)?;
        let text = |text: &OsStr| CString::new(text.as_bytes()).at("execute", &shown);
        let cwd = self
            .cwd
            .as_ref()
            .map(|cwd| text(cwd.as_os_str()))
            .transpose()?;
        let path = match &self.exe {
            Executable::Path(path) => Some(text(path.as_os_str())?),
            Executable::Fd(_) => None,
        };
        let program = match (&path, &descriptors.program) {
            (Some(path), _) => Program::Path(path),
            (None, Some(fd)) => Program::Fd(fd.as_raw_fd()),
            (None, None) => return Err(Error::new("execute", shown, Errno::BADF)),
        };
        let cgroups: Vec<RawFd> = self.cgroup.iter().map(AsRawFd::as_raw_fd).collect();
        let plan = Plan {
            cgroups: &cgroups,
            session: self.setsid,
            group: self.foreground,
            death_signal: self.death_signal.unwrap_or(0),
            directory: cwd.as_deref(),
            moves: &descriptors.moves,
            program,
            args: &args,
            env: &env,
        };
        let (pid, pidfd) = raw::spawn::spawn(&plan).map_err(|(stage, error)| {
            let cwd = self.cwd.as_ref().map(|cwd| cwd.display().to_string());
            match stage {
                Stage::Clone => Error::new("start process for", shown, error),
                Stage::Cgroup => Error::new("enter cgroup for", shown, error),
                Stage::Session => Error::new("enter session for", shown, error),
                Stage::Directory => {
                    Error::new("change directory to", cwd.unwrap_or_default(), error)
                }
                Stage::Descriptors => Error::new("arrange descriptors for", shown, error),
                Stage::Exec => Error::new("execute", shown, error),
            }
        })?;
        let pid =
            Pid::from_raw(pid).ok_or_else(|| Error::new("start process", pid, Errno::SRCH))?;
        Ok(Child {
            pid,
            pidfd: PidFd::from_fd(pidfd),
        })
    }
}

fn texts(texts: &[OsString]) -> Result<Vec<CString>, std::ffi::NulError> {
    texts
        .iter()
        .map(|text| CString::new(text.as_bytes()))
        .collect()
}

/// The given descriptors once more, all above the highest number wanted: so no `dup2` overwrites what another still needs, whatever the numbers are.
struct Descriptors {
    moves: Vec<(RawFd, RawFd)>,
    program: Option<OwnedFd>,
    #[expect(dead_code, reason = "keeps the sources of `moves` open")]
    sources: Vec<OwnedFd>,
}

impl Descriptors {
    fn arrange(spawn: &Spawn) -> std::io::Result<Self> {
        let mut numbers: Vec<RawFd> = spawn.fds.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        let twice = numbers.windows(2).any(|pair| pair[0] == pair[1]);
        if twice || numbers.first().is_some_and(|first| *first < 0) {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let above = numbers.last().copied().unwrap_or(0).max(2) + 1;
        let mut sources = Vec::new();
        let mut moves = Vec::new();
        let mut place = |fd: OwnedFd, number| {
            moves.push((fd.as_raw_fd(), number));
            sources.push(fd);
        };
        for (fd, number) in &spawn.fds {
            place(fcntl_dupfd_cloexec(fd, above)?, *number);
        }
        for number in 0..3 {
            if numbers.binary_search(&number).is_err() {
                let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
                let null = openat(CWD, c"/dev/null", flags, Mode::empty())?;
                place(fcntl_dupfd_cloexec(null.as_fd(), above)?, number);
            }
        }
        let program = match &spawn.exe {
            Executable::Path(_) => None,
            Executable::Fd(fd) => Some(fcntl_dupfd_cloexec(fd, above)?),
        };
        Ok(Self {
            moves,
            program,
            sources,
        })
    }
}
