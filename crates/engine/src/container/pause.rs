//! Pausing: all processes of a container are stopped, and let go on.

use protocol::{Phase, Request};
use state::ContainerRow;

use super::lookup;
use crate::error::{Error, Kind, Result};
use crate::event::Happened;
use crate::link;
use crate::open::{Engine, Inner};
use crate::truth::{self, Now};

pub(super) fn pause(engine: &Engine, name: &str) -> Result<()> {
    let inner = &*engine.0;
    let row = lookup::find(inner, name)?;
    match phase(inner, &row)? {
        Phase::Running => tell(inner, &row, &Request::Pause, "pause"),
        Phase::Paused => Err(Error::conflict(format!(
            "Container {} is already paused",
            row.id
        ))),
        Phase::Restarting(_) => Err(restarting(&row)),
    }
}

pub(super) fn resume(engine: &Engine, name: &str) -> Result<()> {
    let inner = &*engine.0;
    let row = lookup::find(inner, name)?;
    match phase(inner, &row)? {
        Phase::Paused => tell(inner, &row, &Request::Resume, "unpause"),
        Phase::Running | Phase::Restarting(_) => Err(Error::conflict(format!(
            "Container {} is not paused",
            row.id
        ))),
    }
}

/// What a running container does.
pub(super) fn phase(inner: &Inner, row: &ContainerRow) -> Result<Phase> {
    match truth::look(inner, row)? {
        Now::Running(alive) => Ok(alive.condition.phase),
        Now::Starting | Now::Stopped(_) | Now::Gone => Err(not_running(inner, row)),
    }
}

/// Nothing can be done with what is about to run.
pub(crate) fn restarting(row: &ContainerRow) -> Error {
    Error::conflict(format!(
        "Container {} is restarting, wait until the container is running",
        row.id
    ))
}

/// That it does not run, and what became of it: where Docker is silent.
pub(crate) fn not_running(inner: &Inner, row: &ContainerRow) -> Error {
    let error = Error::conflict(format!("container {} is not running", row.id));
    let name = &row.name;
    match truth::look(inner, row) {
        Ok(Now::Stopped(Some(last))) if last.started_at > 0 => error.hint(format!(
            "it ended with exit code {}: 'tare logs {name}' shows what it said",
            last.code
        )),
        Ok(Now::Stopped(Some(_))) => error.hint(format!(
            "it could not be started: 'tare start {name}' says why"
        )),
        Ok(Now::Stopped(None)) => error.hint(format!(
            "it was never started: 'tare start {name}' does that"
        )),
        _ => error,
    }
}

fn tell(inner: &Inner, row: &ContainerRow, request: &Request, action: &str) -> Result<()> {
    match link::ask(inner, &row.id, request) {
        Ok(Some(_)) => {
            inner.record(Happened::to_container(row, action));
            Ok(())
        }
        // It has ended meanwhile.
        Ok(None) => Err(not_running(inner, row)),
        // Another was faster.
        Err(error) if error.kind == Kind::Conflict => Err(Error::conflict(format!(
            "Container {}: {}",
            row.id, error.message
        ))),
        Err(error) => Err(error.context(&format!("Cannot {action} container {}", row.id))),
    }
}
