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
    let all = inner.db.read(|tx| tx.tags_of(&found.row.id))?;
    let tags = beside_digests(&all, found.reference.as_deref());
    let user = user(inner, &found.row)?;
    let short = &found.row.id.hex()[..12];
    match &found.reference {
        // One of several names.
        Some(reference) if tags.len() > 1 => {
            let gone = with_its_digests(&all, reference);
            inner.db.write_with(Durability::Full, |tx| {
                gone.iter()
                    .try_for_each(|name| tx.remove_tag(name).map(drop))
            })?;
            return Ok(gone.iter().map(|name| untagged(name)).collect());
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
    delete(inner, &found.row, &all)
}

/// The repository of a reference, and whether it is a digest's.
fn repository(reference: &str) -> (String, bool) {
    match reference.parse::<Reference>() {
        Ok(parsed) => (parsed.name(), parsed.digest().is_some()),
        Err(_) => (reference.to_owned(), false),
    }
}

/// The names that keep an image: its tags, and digests of repositories in which it has no tag. `wanted` counts in any case.
fn beside_digests(all: &[String], wanted: Option<&str>) -> Vec<String> {
    let tagged: Vec<String> = all
        .iter()
        .map(|name| repository(name))
        .filter(|(_, digest)| !digest)
        .map(|(name, _)| name)
        .collect();
    let keeps = |name: &&String| {
        let (repository, digest) = repository(name);
        wanted == Some(name.as_str()) || !digest || !tagged.contains(&repository)
    };
    all.iter().filter(keeps).cloned().collect()
}

/// A reference, and, if it is the last tag in its repository, the digests that the repository has for the image.
fn with_its_digests(all: &[String], reference: &str) -> Vec<String> {
    let (name, digest) = repository(reference);
    let same = |other: &&String| repository(other) == (name.clone(), false);
    let mut gone = vec![reference.to_owned()];
    if !digest && all.iter().filter(same).count() == 1 {
        let digests = all
            .iter()
            .filter(|other| repository(other) == (name.clone(), true));
        gone.extend(digests.cloned());
    }
    gone
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

pub(super) fn delete(inner: &Inner, image: &ImageRow, tags: &[String]) -> Result<Vec<Removed>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_go_with_the_last_tag_of_their_repository() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let names = [
            "docker.io/library/a:1".to_owned(),
            "docker.io/library/a:2".to_owned(),
            format!("docker.io/library/a@{digest}"),
            format!("docker.io/library/b@{digest}"),
        ];
        let keeping = beside_digests(&names, None);
        assert_eq!(keeping, [&names[0], &names[1], &names[3]].map(Clone::clone));
        assert_eq!(with_its_digests(&names, &names[0]), names[..1]);
        assert_eq!(
            with_its_digests(&names[1..], &names[1]),
            [names[1].clone(), names[2].clone()]
        );
        assert_eq!(with_its_digests(&names, &names[3]), names[3..]);
    }
}
