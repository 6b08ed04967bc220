//! Waiting for containers to end. Nobody holds a lock meanwhile.

use std::time::Duration;

use protocol::{ExitRecord, Reply, Request};
use state::ContainerRow;

use super::lookup;
use super::{Exit, WaitCondition};
use crate::error::{Error, Kind, Result};
use crate::link::{self, Link};
use crate::open::Engine;
use crate::truth::{self, Now};

/// How often is looked for what another process does.
const POLL: Duration = Duration::from_millis(25);

/// A wait that has begun: whatever happens from now on counts.
#[derive(Debug)]
pub struct Waiting {
    engine: Engine,
    row: ContainerRow,
    condition: WaitCondition,
    seen: Seen,
}

/// What was seen when the wait began.
#[derive(Debug)]
enum Seen {
    Alive(Ending),
    /// How it had ended before, if it was ever started.
    Stopped(Option<ExitRecord>),
}

/// The end of a container that runs.
#[derive(Debug)]
pub(crate) struct Ending {
    row: ContainerRow,
    link: Link,
}

pub(super) async fn wait(engine: &Engine, name: &str, condition: WaitCondition) -> Result<Waiting> {
    let name = name.to_owned();
    let row = engine
        .step(move |engine| lookup::find(&engine.0, &name))
        .await?;
    let seen = see(engine, &row).await?;
    Ok(Waiting {
        engine: engine.clone(),
        row,
        condition,
        seen,
    })
}

/// The end of a container that runs; none if it does not.
pub(super) async fn ending(engine: &Engine, row: &ContainerRow) -> Result<Option<Ending>> {
    match see(engine, row).await? {
        Seen::Alive(ending) => Ok(Some(ending)),
        Seen::Stopped(_) => Ok(None),
    }
}

async fn see(engine: &Engine, row: &ContainerRow) -> Result<Seen> {
    loop {
        let asked = row.clone();
        let now = engine
            .step(move |engine| {
                let now = truth::look(&engine.0, &asked)?;
                let link = match now {
                    Now::Running(_) => listen(&engine.0, &asked)?,
                    _ => None,
                };
                Ok((now, link))
            })
            .await?;
        match now {
            (Now::Running(_), Some(link)) => {
                return Ok(Seen::Alive(Ending {
                    row: row.clone(),
                    link,
                }));
            }
            // It is about to begin, or has ended between the two looks.
            (Now::Starting | Now::Running(_), _) => {
                tokio::time::sleep(Duration::from_millis(1)).await
            }
            (Now::Stopped(record), _) => return Ok(Seen::Stopped(record)),
            (Now::Gone, _) => return Ok(Seen::Stopped(engine.0.remembered_end(&row.id))),
        }
    }
}

fn listen(inner: &crate::open::Inner, row: &ContainerRow) -> Result<Option<Link>> {
    let Some(mut connection) = link::connect(inner, &row.id)? else {
        return Ok(None);
    };
    match connection.send(&Request::Wait { remove: false }, &[]) {
        Ok(()) => Ok(Some(Link::new(connection)?)),
        Err(e) => link::closed(e),
    }
}

impl Ending {
    /// How it ended.
    pub(super) async fn exit(mut self, engine: &Engine) -> Result<ExitRecord> {
        if let Ok(Some((Reply::Exited(record), _))) = self.link.receive().await {
            return Ok(record);
        }
        // The monitor died, or hung up on us: what is written counts.
        loop {
            let row = self.row.clone();
            match engine
                .step(move |engine| truth::look(&engine.0, &row))
                .await?
            {
                Now::Stopped(Some(record)) => return Ok(record),
                Now::Starting | Now::Running(_) => tokio::time::sleep(POLL).await,
                Now::Stopped(None) | Now::Gone => {
                    return engine.0.remembered_end(&self.row.id).ok_or_else(unknown);
                }
            }
        }
    }
}

fn unknown() -> Error {
    Error::new(
        Kind::NotFound,
        "the container was removed before its exit code was known",
    )
}

fn exit(record: &ExitRecord) -> Exit {
    Exit {
        code: record.code.into(),
        error: Some(record.error.clone()).filter(|e| !e.is_empty()),
    }
}

impl Waiting {
    /// Waits for it.
    ///
    /// # Errors
    /// The container can't be watched any more.
    pub async fn exit(self) -> Result<Exit> {
        let Self {
            engine,
            row,
            condition,
            seen,
        } = self;
        let record = match (seen, condition) {
            (Seen::Alive(ending), _) => ending.exit(&engine).await,
            (Seen::Stopped(record), WaitCondition::NotRunning) => {
                return Ok(record.map_or(
                    Exit {
                        code: 0,
                        error: None,
                    },
                    |r| exit(&r),
                ));
            }
            (Seen::Stopped(before), WaitCondition::NextExit) => {
                next(&engine, &row, before, Until::Exit).await
            }
            (Seen::Stopped(before), WaitCondition::Removed) => {
                next(&engine, &row, before, Until::ExitOrGone).await
            }
        };
        if condition == WaitCondition::Removed {
            gone(&engine, &row).await?;
        }
        Ok(exit(&record?))
    }
}

/// What ends a wait for a container that does not run yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Exit,
    ExitOrGone,
}

/// The next end of a container that does not run; `before` is its last.
async fn next(
    engine: &Engine,
    row: &ContainerRow,
    before: Option<ExitRecord>,
    until: Until,
) -> Result<ExitRecord> {
    loop {
        // First listen, then look: what happens between the two wakes us.
        let changed = engine.0.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        if let Some(record) = engine.0.remembered_end(&row.id)
            && Some(&record) != before.as_ref()
        {
            return Ok(record);
        }
        match see(engine, row).await? {
            Seen::Alive(ending) => return ending.exit(engine).await,
            Seen::Stopped(Some(record)) if Some(&record) != before.as_ref() => return Ok(record),
            Seen::Stopped(_) => {}
        }
        if !exists(engine, row).await? {
            // It may have ended and been removed since we looked.
            if let Some(record) = engine.0.remembered_end(&row.id) {
                return Ok(record);
            }
            // Removed without another start: how it ended before is how it ended.
            return match (until, before) {
                (Until::ExitOrGone, Some(record)) => Ok(record),
                (Until::ExitOrGone | Until::Exit, _) => Err(unknown()),
            };
        }
        drop(tokio::time::timeout(POLL, changed).await);
    }
}

async fn exists(engine: &Engine, row: &ContainerRow) -> Result<bool> {
    let id = row.id;
    engine
        .step(move |engine| Ok(engine.0.db.read(|tx| tx.container(&id))?.is_some()))
        .await
}

/// Waits until a container is removed.
async fn gone(engine: &Engine, row: &ContainerRow) -> Result<()> {
    loop {
        let changed = engine.0.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        if !exists(engine, row).await? {
            return Ok(());
        }
        drop(tokio::time::timeout(POLL, changed).await);
    }
}
