//! After the machine's start, or the daemon's: containers that are always to run are started.

use protocol::ExitRecord;
use state::ContainerRow;

use super::config::RestartPolicy;
use super::stored::Stored;
use super::{Containers, start};
use crate::error::{Error, Kind, Result};
use crate::open::{Engine, Inner};
use crate::truth::{self, Now};

impl Containers {
    /// Starts what is always to run and does not: what was started before, and has not been stopped by somebody if it is to
    /// stay so then. Gives what could not be started.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn revive(&self) -> Result<Vec<(String, Error)>> {
        let waiting = self.engine.step(|engine| waiting(&engine.0)).await?;
        let mut failed = Vec::new();
        for row in waiting {
            let name = row.name.clone();
            let start = move |engine: &Engine| start::start(engine, &row.id.to_string());
            match self.engine.step(start).await {
                Ok(()) => {}
                // Another was faster, or has removed it.
                Err(e) if matches!(e.kind, Kind::NotModified | Kind::NotFound) => {}
                Err(error) => failed.push((name, error)),
            }
        }
        Ok(failed)
    }
}

/// What is to be started, oldest first.
fn waiting(inner: &Inner) -> Result<Vec<ContainerRow>> {
    let mut found = Vec::new();
    for row in inner.db.read(|tx| tx.containers())?.into_iter().rev() {
        // Most have no policy: their configuration need not be understood for that.
        if !row.config.contains("restart_policy") {
            continue;
        }
        let stored = Stored::parse(&row.id, &row.config)?;
        if let Now::Stopped(Some(last)) = truth::look(inner, &row)?
            && is_to_run(&stored.host.restart_policy, &last)
        {
            found.push(row);
        }
    }
    Ok(found)
}

/// Whether a container that ended so is to run all the same.
fn is_to_run(policy: &RestartPolicy, last: &ExitRecord) -> bool {
    match policy.name.as_str() {
        "always" => true,
        "unless-stopped" => !last.stopped,
        _ => false,
    }
}
