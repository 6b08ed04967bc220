//! The programs that were run in the container besides its first.

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;

use kernel::process::PidFd;
use protocol::message::ExecStatus;
use protocol::{ExecId, ExecInfo, Process, Refusal};

use crate::client::Number;

/// How many execs may be waiting for their start or running at once.
pub(crate) const MOST: usize = 512;
/// How many that have ended are remembered for whoever asks.
pub(crate) const REMEMBERED: usize = 64;

/// One exec.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) id: ExecId,
    pub(crate) life: Life,
}

/// Where an exec is in its life.
#[derive(Debug)]
pub(crate) enum Life {
    /// To be started.
    Created(Box<Process>),
    /// Its process runs.
    Running(Running),
    /// Its process ended.
    Ended(i32),
}

/// A running exec.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) pidfd: PidFd,
    /// The terminal's master, for changes of its size.
    pub(crate) console: Option<OwnedFd>,
    /// Whoever started it; `None` when that client is gone. Then the terminal's output is read here and thrown away, so that the
    /// program isn't held up.
    pub(crate) client: Option<Number>,
    pub(crate) process: Box<Process>,
}

/// What came of a start.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: i32,
    pub(crate) pidfd: PidFd,
    pub(crate) console: Option<OwnedFd>,
    pub(crate) client: Number,
}

/// A refusal with its message.
pub(crate) type Refused = (Refusal, String);

impl Exec {
    /// What is known about it.
    pub(crate) fn info(&self) -> ExecInfo {
        let (status, process) = match &self.life {
            Life::Created(process) => (ExecStatus::Created, Some(process)),
            Life::Running(running) => {
                let status = ExecStatus::Running { pid: running.pid };
                (status, Some(&running.process))
            }
            Life::Ended(code) => (ExecStatus::Exited { code: *code }, None),
        };
        ExecInfo {
            id: self.id.clone(),
            status,
            process: process.map(|p| Process::clone(p)),
        }
    }
}

/// All execs of the container, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Execs(Vec<Exec>);

impl Execs {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Exec> {
        self.0.iter()
    }

    /// Those that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = (&ExecId, &Running)> {
        self.0.iter().filter_map(|exec| match &exec.life {
            Life::Running(running) => Some((&exec.id, running)),
            Life::Created(_) | Life::Ended(_) => None,
        })
    }

    /// Keeps an exec to be started.
    pub(crate) fn create(&mut self, id: ExecId, process: Process) -> Result<(), Refused> {
        if process.args.is_empty() {
            return Err((Refusal::Invalid, "no exec command specified".to_owned()));
        }
        if self.0.iter().any(|exec| exec.id == id) {
            return Err((Refusal::Conflict, format!("exec {id} exists already")));
        }
        let living = |exec: &&Exec| !matches!(exec.life, Life::Ended(_));
        if self.0.iter().filter(living).count() >= MOST {
            let text = format!("there are {MOST} execs in this container already");
            return Err((Refusal::Busy, text));
        }
        let life = Life::Created(Box::new(process));
        self.0.push(Exec { id, life });
        Ok(())
    }

    /// The exec `id`.
    pub(crate) fn get(&self, id: &ExecId) -> Result<&Exec, Refused> {
        self.0
            .iter()
            .find(|exec| exec.id == *id)
            .ok_or_else(|| absent(id))
    }

    fn get_mut(&mut self, id: &ExecId) -> Option<&mut Exec> {
        self.0.iter_mut().find(|exec| exec.id == *id)
    }

    /// The running exec `id`.
    pub(crate) fn get_running(&self, id: &ExecId) -> Result<&Running, Refused> {
        match &self.get(id)?.life {
            Life::Running(running) => Ok(running),
            Life::Created(_) | Life::Ended(_) => {
                Err((Refusal::Conflict, format!("exec {id} is not running")))
            }
        }
    }

    /// What the exec `id` is to run.
    pub(crate) fn get_created(&self, id: &ExecId) -> Result<&Process, Refused> {
        match &self.get(id)?.life {
            Life::Created(process) => Ok(process),
            Life::Running(_) => Err((Refusal::Conflict, format!("exec {id} is already running"))),
            Life::Ended(_) => Err((Refusal::Conflict, format!("exec {id} has already run"))),
        }
    }

    /// The exec `id` runs now.
    pub(crate) fn started(&mut self, id: &ExecId, started: Started) {
        let Some(exec) = self.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut exec.life, Life::Ended(0));
        exec.life = match before {
            Life::Created(process) => Life::Running(Running {
                pid: started.pid,
                pidfd: started.pidfd,
                console: started.console,
                client: Some(started.client),
                process,
            }),
            Life::Running(_) | Life::Ended(_) => before,
        };
    }

    /// The exec `id` ended. Gives whoever waits for that.
    pub(crate) fn ended(&mut self, id: &ExecId, code: i32) -> Option<Number> {
        let exec = self.get_mut(id)?;
        let client = match std::mem::replace(&mut exec.life, Life::Ended(code)) {
            Life::Running(running) => running.client,
            Life::Created(_) | Life::Ended(_) => None,
        };
        let ended = |exec: &Exec| matches!(exec.life, Life::Ended(_));
        if self.0.iter().filter(|exec| ended(exec)).count() > REMEMBERED
            && let Some(oldest) = self.0.iter().position(ended)
        {
            self.0.remove(oldest);
        }
        client
    }

    /// The client that started the exec `id` is gone.
    pub(crate) fn forsaken(&mut self, id: &ExecId) {
        if let Some(Exec {
            life: Life::Running(running),
            ..
        }) = self.get_mut(id)
        {
            running.client = None;
        }
    }

    /// Gives up the terminal of the exec `id`: nothing comes from it any more.
    pub(crate) fn close_console(&mut self, id: &ExecId) {
        if let Some(Exec {
            life: Life::Running(running),
            ..
        }) = self.get_mut(id)
        {
            running.console = None;
        }
    }
}

fn absent(id: &ExecId) -> Refused {
    (Refusal::NotFound, format!("No such exec instance: {id}"))
}
