//! Starting the program again: when, how often, and how that goes.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use failpoint::failpoint;
use protocol::condition::Run;
use protocol::{ExitRecord, Launch, Phase, Restart};

use spec::runtime::{BlockIo, Resources};

use crate::error::{During, Result};
use crate::launch;
use crate::preparation::Preparation;
use crate::record::{Lasting, Place};
use crate::serve::Monitor;

/// The first pause before a start, as Docker has it; each is twice the one before.
const FIRST: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);
/// Who ran so long is not taken for one that fails at once: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(10);

/// When the program is started again.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    pub(crate) policy: Restart,
    /// How often it was.
    pub(crate) count: u32,
    /// Whether somebody has asked for the end.
    pub(crate) wanted: Wanted,
    pause: Option<Duration>,
    /// When it is to be started.
    pub(crate) due: Option<Instant>,
}

/// What the user wants of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// That it runs.
    #[default]
    Life,
    /// That it ends.
    End,
}

impl Restarts {
    pub(crate) fn new(policy: Restart) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// How long to wait before the next start after this end; none if there is to be no other.
    fn after(&mut self, code: i32, lived: Duration) -> Option<Duration> {
        let again = match self.policy {
            _ if self.wanted == Wanted::End => false,
            Restart::No => false,
            Restart::Always => true,
            Restart::OnFailure { most } => code != 0 && (most == 0 || self.count < most),
        };
        if !again {
            return None;
        }
        let pause = match self.pause {
            Some(pause) if lived < STEADY => (pause * 2).min(LONGEST),
            _ => FIRST,
        };
        self.pause = Some(pause);
        Some(pause)
    }
}

/// What a container was made with, but for what was changed.
fn changed(before: Resources, limits: &Resources) -> Resources {
    let weight = limits.block_io.as_ref().and_then(|io| io.weight);
    let block_io = match (before.block_io, weight) {
        (Some(io), Some(_)) => Some(BlockIo { weight, ..io }),
        (None, Some(_)) => limits.block_io.clone(),
        (io, None) => io,
    };
    Resources {
        memory: limits.memory.clone(),
        cpu: limits.cpu.clone(),
        pids: limits.pids.clone(),
        block_io,
        ..before
    }
}

impl Monitor {
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.state.condition.phase, Phase::Restarting(_))
    }

    /// Whether the program is to be started again after this end; if so, all is done for that.
    pub(crate) fn goes_on(&mut self, record: &ExitRecord) -> bool {
        let lived = record.finished_at.saturating_sub(record.started_at);
        let lived = Duration::from_nanos(lived);
        let Some(pause) = self.restarts.after(record.code, lived) else {
            return false;
        };
        if let Some(place) = self.place.take() {
            // Whoever comes after a monitor that was killed takes it for the last word.
            drop(place.fill(&self.container_dir, record, Lasting::No));
        }
        failpoint!("monitor.restart.recorded");
        self.chronicle.record_end(record);
        self.stdin = None;
        if self.enter(Phase::Restarting(record.clone())).is_err() {
            // Nobody could see that it waits.
            return false;
        }
        self.tell_waiting(record);
        self.restarts.due = Some(Instant::now() + pause);
        true
    }

    /// Starts the program if that is due.
    pub(crate) fn start_if_due(&mut self) {
        let due = self.restarts.due.take_if(|at| *at <= Instant::now());
        if due.is_none() {
            return;
        }
        let Phase::Restarting(last) = self.state.condition.phase.clone() else {
            return;
        };
        if let Err(error) = self.start_again() {
            let text = format!("{}: {}", error.op(), error.reason());
            self.conclude(ExitRecord {
                error: text,
                ..last
            });
        }
    }

    fn start_again(&mut self) -> Result<()> {
        let root = self.container.take_root()?;
        let document = self.container.document.try_clone().during("read launch")?;
        let mut launch = Launch::read(&document).during("read launch")?;
        if let Some(limits) = &self.limits {
            let linux = launch.spec.linux.get_or_insert_default();
            let before = linux.resources.take().unwrap_or_default();
            linux.resources = Some(changed(before, limits));
        }
        // It may have been changed since.
        launch.restart = self.restarts.policy;
        let mut preparation = Preparation::default();
        let given = (document, root);
        let run = launch::run(&mut launch, given, &mut preparation, &self.container_dir)?;
        failpoint!("monitor.restart.started");
        self.container = run.container;
        self.sources = run.sources;
        self.stdin = run.stdin;
        self.terminal_end = run.terminal_end;
        self.place = Some(run.place);
        self.restarts.count += 1;
        self.state.started_at = run.started_at;
        let condition = &mut self.state.condition;
        condition.restarts = self.restarts.count;
        condition.run = Some(Run {
            pid: self.container.pid,
            start_time: self.container.start_time,
            started_at: run.started_at,
        });
        self.chronicle.record("start", &[]);
        if let Err(error) = self.enter(Phase::Running) {
            self.abandon_run();
            return Err(error);
        }
        self.begin_health();
        kernel::memory::release();
        Ok(())
    }

    /// Keeps the root for another run, if there may be one.
    pub(crate) fn keep_root(&mut self) {
        if self.restarts.policy != Restart::No {
            self.container.keep_root();
        }
    }

    /// Ends a run that nobody can be told of.
    fn abandon_run(&mut self) {
        drop(self.container.pidfd.signal(kernel::signal::SIGKILL));
        drop(self.container.pidfd.wait());
        drop(self.container.kill_rest());
        drop(self.container.clear());
        self.sources.clear();
        self.place = None;
        Place::forget(&self.container_dir);
    }

    /// The user wants it to end: it is not started again. Whether it was between two runs, and has ended with that.
    pub(crate) fn want_end(&mut self) -> bool {
        self.restarts.wanted = Wanted::End;
        let Phase::Restarting(last) = self.state.condition.phase.clone() else {
            return false;
        };
        self.restarts.due = None;
        self.conclude(ExitRecord {
            stopped: true,
            ..last
        });
        true
    }
}
