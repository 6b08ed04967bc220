//! Signals: stop and kill.

use std::time::Duration;

use kernel::signal::{SIGKILL, SIGTERM};
use protocol::{Reply, Request};
use state::ContainerRow;

use super::StopRequest;
use super::lookup;
use super::stored::Stored;
use super::wait;
use crate::error::{Error, Kind, Result};
use crate::event::Happened;
use crate::link;
use crate::open::{Engine, Inner};
use crate::truth::{self, Now};

/// Docker's default; users script against it.
const GRACE: i64 = 10;
/// How long a killed container may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(10);

pub(super) async fn stop(engine: &Engine, name: &str, request: StopRequest) -> Result<()> {
    let name = name.to_owned();
    let (row, signal, grace) = engine
        .step(move |engine| {
            let row = lookup::find(&engine.0, &name)?;
            let stored = Stored::parse(&row.id, &row.config)?;
            let signal = match request.signal.as_deref().filter(|s| !s.is_empty()) {
                Some(signal) => parse(signal)?,
                None => stop_signal(&stored),
            };
            let grace = request
                .timeout
                .or(stored.config.stop_timeout)
                .unwrap_or(GRACE);
            Ok((row, signal, grace))
        })
        .await?;
    // Asked before the signal, so that no end is missed.
    let Some(ending) = wait::ending(engine, &row).await? else {
        return Err(Error::new(
            Kind::NotModified,
            format!("container {} is already stopped", row.name),
        ));
    };
    end_by(engine, &row, signal).await?;
    let patience = u64::try_from(grace).ok().map(Duration::from_secs);
    let mut ending = std::pin::pin!(ending.exit(engine));
    let ended = match patience {
        Some(patience) => tokio::time::timeout(patience, &mut ending).await.ok(),
        None => Some(ending.as_mut().await),
    };
    match ended {
        Some(end) => drop(end?),
        None => {
            kill_hard(engine, &row).await?;
            match tokio::time::timeout(LAST_BREATH, ending).await {
                Ok(end) => drop(end?),
                Err(_) => return Err(immortal(&row)),
            }
        }
    }
    let stopped = move |engine: &Engine| {
        engine.0.record(Happened::to_container(&row, "stop"));
        Ok(())
    };
    engine.step(stopped).await
}

pub(super) async fn kill(engine: &Engine, name: &str, signal: Option<&str>) -> Result<()> {
    let number = match signal.filter(|s| !s.is_empty()) {
        Some(signal) => parse(signal)?,
        None => SIGKILL,
    };
    let (asked, shown) = (name.to_owned(), name.to_owned());
    let row = engine
        .step(move |engine| lookup::find(&engine.0, &asked))
        .await?;
    let Some(ending) = wait::ending(engine, &row).await? else {
        return Err(Error::conflict(format!(
            "cannot kill container: {shown}: container {} is not running",
            row.id
        )));
    };
    if number == SIGKILL {
        return end(engine, &row, ending).await;
    }
    let stored = Stored::parse(&row.id, &row.config)?;
    if number == stop_signal(&stored) {
        return end_by(engine, &row, number).await;
    }
    let request = Request::Signal {
        signal: number,
        exec: None,
    };
    send(engine, &row, number, request).await
}

/// Kills a container and waits until it is gone; one that does not run is no error.
pub(super) async fn kill_if_running(engine: &Engine, row: &ContainerRow) -> Result<()> {
    match wait::ending(engine, row).await? {
        Some(ending) => end(engine, row, ending).await,
        None => Ok(()),
    }
}

async fn end(engine: &Engine, row: &ContainerRow, ending: wait::Ending) -> Result<()> {
    kill_hard(engine, row).await?;
    match tokio::time::timeout(LAST_BREATH, ending.exit(engine)).await {
        Ok(end) => end.map(drop),
        Err(_) => Err(immortal(row)),
    }
}

fn immortal(row: &ContainerRow) -> Error {
    Error::new(
        Kind::Internal,
        format!(
            "container {} was killed and has not ended after {} s",
            row.name,
            LAST_BREATH.as_secs()
        ),
    )
}

fn parse(signal: &str) -> Result<i32> {
    kernel::signal::parse(signal).ok_or_else(|| Error::invalid(format!("invalid signal: {signal}")))
}

/// The signal that asks the program to end.
fn stop_signal(stored: &Stored) -> i32 {
    let named = stored.config.stop_signal.as_deref();
    named.and_then(kernel::signal::parse).unwrap_or(SIGTERM)
}

/// Sends a signal that is to end the program.
async fn end_by(engine: &Engine, row: &ContainerRow, signal: i32) -> Result<()> {
    send(engine, row, signal, Request::End { signal }).await
}

async fn send(engine: &Engine, row: &ContainerRow, signal: i32, request: Request) -> Result<()> {
    let row = row.clone();
    engine
        .step(move |engine| {
            engine.0.record(killed(&row, signal));
            let id = row.id;
            // One that has ended meanwhile needs no signal.
            link::ask(&engine.0, &id, &request).map(|_: Option<Reply>| ())
        })
        .await
}

fn killed(row: &ContainerRow, signal: i32) -> Happened {
    Happened::to_container(row, "kill").with("signal", signal)
}

/// Kills the program through its monitor, or without it if it does not answer.
async fn kill_hard(engine: &Engine, row: &ContainerRow) -> Result<()> {
    let row = row.clone();
    engine
        .step(move |engine| {
            engine.0.record(killed(&row, SIGKILL));
            kill_now(&engine.0, &row)
        })
        .await
}

/// The same at once; of a container that does not run, nothing.
pub(super) fn kill_now(inner: &Inner, row: &ContainerRow) -> Result<()> {
    let request = Request::End { signal: SIGKILL };
    match link::ask(inner, &row.id, &request) {
        Ok(_) => Ok(()),
        Err(_) => kill_around(inner, row),
    }
}

/// Kills the container's first process by its identity, never by its number alone (R13), and a monitor that does not
/// answer.
fn kill_around(inner: &Inner, row: &ContainerRow) -> Result<()> {
    let Now::Running(alive) = truth::look(inner, row)? else {
        return Ok(());
    };
    let pid = kernel::Pid::from_raw(alive.pid)
        .ok_or_else(|| Error::new(Kind::Internal, "the monitor's state names no process"))?;
    let identity = kernel::process::ProcessIdentity {
        pid,
        start_time: alive.start_time,
        boot_id: alive.boot_id,
    };
    if let Some(process) = identity.open()? {
        process.signal(SIGKILL)?;
    }
    Ok(())
}
