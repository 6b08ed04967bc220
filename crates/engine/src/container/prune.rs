//! Removing the containers that do not run.

use spec::ContainerId;

use super::RemoveRequest;
use super::list::{self, nanos};
use super::remove;
use super::stored::Stored;
use crate::error::{Kind, Result};
use crate::event::{Happened, Subject};
use crate::open::Inner;
use crate::prune::{PruneFilters, Pruned};
use crate::truth;

pub(super) fn prune(inner: &Inner, filters: &PruneFilters) -> Result<Pruned<ContainerId>> {
    let mut pruned = Pruned::default();
    for row in inner.db.read(|tx| tx.containers())? {
        let stored = Stored::parse(&row.id, &row.config)?;
        // Steps of builds are of no image, and go with them.
        if row.name.starts_with("build-") || truth::look(inner, &row)?.is_alive() {
            continue;
        }
        if !filters.admit(nanos(row.created_at), &stored.config.labels) {
            continue;
        }
        let (size, _) = list::sizes(inner, &row.id)?;
        match remove::once(inner, &row, RemoveRequest::default()) {
            Ok(_) => {
                pruned.gone.push(row.id);
                pruned.reclaimed += size.unwrap_or(0);
            }
            // Somebody started it since.
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    let event = Happened::to(Subject::Container, "prune", "");
    inner.record(event.with("reclaimed", pruned.reclaimed));
    Ok(pruned)
}
