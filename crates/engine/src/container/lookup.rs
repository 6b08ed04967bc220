//! Finding a container by what a user calls it.

use spec::ContainerId;
use state::{ContainerRow, Tx};

use crate::error::{Error, Result};
use crate::open::Inner;

/// The container with this id, this name, or the only one whose id begins so; in this order.
pub(crate) fn find(inner: &Inner, name: &str) -> Result<ContainerRow> {
    match inner.db.read(|tx| search(tx, name))? {
        Found::One(row) => Ok(*row),
        Found::None => Err(missing(name)),
        Found::Many => Err(Error::invalid(format!(
            "multiple IDs found with provided prefix: {name}"
        ))),
    }
}

/// The same container, as it is by now.
pub(crate) fn again(inner: &Inner, row: &ContainerRow) -> Result<ContainerRow> {
    let found = inner.db.read(|tx| tx.container(&row.id))?;
    found.ok_or_else(|| missing(&row.name))
}

/// What a search found.
enum Found {
    One(Box<ContainerRow>),
    None,
    Many,
}

fn search(tx: &Tx<'_>, name: &str) -> Result<Found, state::Error> {
    let one = |row| Found::One(Box::new(row));
    if let Ok(id) = name.parse::<ContainerId>()
        && let Some(row) = tx.container(&id)?
    {
        return Ok(one(row));
    }
    let bare = name.strip_prefix('/').unwrap_or(name);
    if let Some(row) = tx.container_by_name(bare)? {
        return Ok(one(row));
    }
    let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(digits) {
        return Ok(Found::None);
    }
    let mut rows = tx.containers_by_prefix(name)?;
    Ok(match rows.len() {
        0 => Found::None,
        1 => rows.pop().map_or(Found::None, one),
        _ => Found::Many,
    })
}

pub(crate) fn missing(name: &str) -> Error {
    Error::not_found(format!("No such container: {name}"))
}
