//! Another name.

use failpoint::failpoint;
use protocol::Request;
use spec::{ContainerId, Name};

use super::{create, lookup};
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::link;
use crate::network::names;
use crate::open::Engine;

pub(super) fn rename(engine: &Engine, old: &str, new: &str) -> Result<()> {
    let inner = &*engine.0;
    let bare = new.strip_prefix('/').unwrap_or(new);
    if old.is_empty() || bare.is_empty() {
        return Err(Error::invalid("Neither old nor new names may be empty"));
    }
    let found = lookup::find(inner, old)?;
    let name = Name::of_container(bare)?;
    // A start that is under way has told its monitor the name.
    let lock = inner.lock_container(&found.id)?;
    let mut row = lookup::again(inner, &found)?;
    if row.name == name.as_str() {
        return Err(Error::invalid(
            "Renaming a container with the same name as its current name",
        ));
    }
    let taken: Option<ContainerId> = inner.db.write(|tx| {
        if let Some(other) = tx.container_by_name(name.as_str())? {
            return Ok(Some(other.id));
        }
        tx.rename_container(&row.id, name.as_str())?;
        Ok(None)
    })?;
    if let Some(other) = taken {
        return Err(create::taken(name.as_str(), &other));
    }
    failpoint!("container.rename.after_row");
    let old = row.clone();
    let before = std::mem::replace(&mut row.name, name.as_str().to_owned());
    names::renamed(inner, &old, &row)?;
    // One that does not run needs not be told, and one that is ending won't say much more.
    let request = Request::Rename {
        name: row.name.clone(),
    };
    drop(link::ask(inner, &row.id, &request));
    drop(lock);
    let renamed = Happened::to_container(&row, "rename");
    inner.record(renamed.with("oldName", format!("/{before}")));
    Ok(())
}
