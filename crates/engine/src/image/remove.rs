//! Taking names from images, and images from the store.

use failpoint::failpoint;
use spec::{ContainerId, Reference};
use state::{Durability, ImageRow, NewEntry};

use super::garbage;
use super::lookup;
use super::{ImageRemove, Removed};
use crate::error::{Error, Result};
use crate::open::Inner;
use crate::truth;

/// Who keeps an image from being removed.
#[derive(Debug, Clone, Copy)]
enum User {
    Running(ContainerId),
    Stopped(ContainerId),
}

pub(super) fn remove(inner: &Inner, name: &str, request: ImageRemove) -> Result<Vec<Removed>> {
    let found = lookup::find(inner, name)?;
    let tags = inner.db.read(|tx| tx.tags_of(&found.row.id))?;
    let user = user(inner, &found.row)?;
    let short = &found.row.id.hex()[..12];
    match &found.reference {
        // One of several names.
        Some(reference) if tags.len() > 1 => {
            inner
                .db
                .write_with(Durability::Full, |tx| tx.remove_tag(reference))?;
            return Ok(vec![untagged(reference)]);
        }
        Some(reference) => {
            if let Some(User::Running(id) | User::Stopped(id)) = user {
                if !request.force {
                    return Err(Error::conflict(format!(
                        "conflict: unable to remove repository reference \"{name}\" (must force) - container {} is using its referenced image {short}",
                        id.short()
                    )));
                }
                // The container keeps the image; the name goes.
                if matches!(user, Some(User::Running(_))) {
                    inner
                        .db
                        .write_with(Durability::Full, |tx| tx.remove_tag(reference))?;
                    return Ok(vec![untagged(reference)]);
                }
            }
        }
        None => by_id(short, tags.len(), user, request)?,
    }
    delete(inner, &found.row, &tags)
}

fn by_id(short: &str, tags: usize, user: Option<User>, request: ImageRemove) -> Result<()> {
    if let Some(User::Running(id)) = user {
        return Err(Error::conflict(format!(
            "conflict: unable to delete {short} (cannot be forced) - image is being used by running container {}",
            id.short()
        )));
    }
    if request.force {
        return Ok(());
    }
    if tags > 1 {
        return Err(Error::conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
        )));
    }
    if let Some(User::Stopped(id)) = user {
        return Err(Error::conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container {}",
            id.short()
        )));
    }
    Ok(())
}

fn user(inner: &Inner, image: &ImageRow) -> Result<Option<User>> {
    let mut found = None;
    for row in inner.db.read(|tx| tx.containers_of_image(&image.id))? {
        if truth::look(inner, &row)?.is_alive() {
            return Ok(Some(User::Running(row.id)));
        }
        found = found.or(Some(User::Stopped(row.id)));
    }
    Ok(found)
}

fn untagged(reference: &str) -> Removed {
    let familiar = reference.parse::<Reference>().map(|r| r.familiar());
    Removed::Untagged(familiar.unwrap_or_else(|_| reference.to_owned()))
}

fn delete(inner: &Inner, image: &ImageRow, tags: &[String]) -> Result<Vec<Removed>> {
    let owner = inner.owner()?;
    let subject = image.id.to_string();
    let entry = inner.db.write_with(Durability::Full, |tx| {
        let entry = tx.begin(&NewEntry {
            kind: garbage::KIND,
            subject: &subject,
            owner,
            payload: "{}",
            created_at: inner.nanos(),
        })?;
        tx.remove_image(&image.id)?;
        Ok(entry)
    })?;
    failpoint!("image.remove.after_row");
    let layers = garbage::collect_for(inner, entry)?;
    let mut removed: Vec<Removed> = tags.iter().map(|t| untagged(t)).collect();
    removed.push(Removed::Deleted(subject));
    removed.extend(
        layers
            .into_iter()
            .rev()
            .map(|id| Removed::Deleted(format!("sha256:{id}"))),
    );
    Ok(removed)
}
