//! How the container is, and what changes that: pausing, other limits, another name, a signal that is to end it.

use failpoint::failpoint;
use kernel::cgroup::Layout;
use protocol::{Phase, Refusal, Reply, Restart};
use spec::runtime::Resources;

use crate::error::{During, Result};
use crate::execs::Refused;
use crate::serve::Monitor;

impl Monitor {
    /// Says in the run directory that the container is in `phase` now.
    pub(crate) fn enter(&mut self, phase: Phase) -> Result<()> {
        self.state.condition.phase = phase;
        match &self.claim {
            Some(claim) => claim.say(&self.state.condition),
            None => Ok(()),
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.condition.phase == Phase::Paused
    }

    /// Refuses what can't be done while nothing in the container moves.
    pub(crate) fn must_move(&self) -> Result<(), Refused> {
        if self.is_paused() {
            return Err((Refusal::Conflict, "the container is paused".to_owned()));
        }
        Ok(())
    }

    /// Stops all processes.
    pub(crate) fn pause(&mut self) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        if self.is_paused() {
            let text = "the container is already paused".to_owned();
            return Err((Refusal::Conflict, text));
        }
        self.container.freeze().map_err(failed)?;
        failpoint!("monitor.pause.frozen");
        if let Err(error) = self.enter(Phase::Paused) {
            // What nobody can see must not be.
            self.state.condition.phase = Phase::Running;
            self.container.thaw().map_err(failed)?;
            return Err(failed(error));
        }
        Ok(Some(Reply::Done))
    }

    /// Lets all processes go on.
    pub(crate) fn resume(&mut self) -> Result<Option<Reply>, Refused> {
        self.must_run()?;
        if !self.is_paused() {
            return Err((Refusal::Conflict, "the container is not paused".to_owned()));
        }
        self.thaw().map_err(failed)?;
        Ok(Some(Reply::Done))
    }

    fn thaw(&mut self) -> Result<()> {
        self.container.thaw()?;
        failpoint!("monitor.pause.thawed");
        self.enter(Phase::Running)
    }

    /// Sends a signal that is to end the program: a paused one could not even die of it.
    pub(crate) fn end(&mut self, signal: i32) -> Result<Option<Reply>, Refused> {
        if self.want_end() {
            return Ok(Some(Reply::Done));
        }
        let done = self.signal(signal, None)?;
        if self.is_paused() {
            self.thaw().map_err(failed)?;
        }
        Ok(done)
    }

    /// Changes limits while the program runs.
    pub(crate) fn update(
        &mut self,
        limits: Box<Resources>,
        restart: Restart,
    ) -> Result<Option<Reply>, Refused> {
        if self.ended.is_some() {
            return self.must_run().map(|()| None);
        }
        let layout = Layout::probe().during("find cgroups").map_err(failed)?;
        // Between two runs there is no group: the next gets them.
        let updated = self.container.update(&layout, &limits);
        updated.map_err(failed)?;
        self.limits = Some(limits);
        self.restarts.policy = restart;
        if !self.is_between() {
            self.keep_root();
        }
        Ok(Some(Reply::Done))
    }
}

fn failed(error: crate::Error) -> Refused {
    let text = format!("{}: {}", error.op(), error.reason());
    (Refusal::System, text)
}
