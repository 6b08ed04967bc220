//! Finding an image by what a user calls it.

use spec::{ImageId, Reference};
use state::{ImageRow, Tx};

use crate::error::{Error, Result};
use crate::open::Inner;

/// An image that was found, and by what.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) row: ImageRow,
    /// The reference that led to it, normalised; none if it was found by its id.
    pub(crate) reference: Option<String>,
}

/// The image with this id, this reference, or the only one whose id begins so; in this order.
pub(crate) fn find(inner: &Inner, name: &str) -> Result<Found> {
    match inner.db.read(|tx| search(tx, name))? {
        Search::One(found) => Ok(*found),
        Search::None => Err(missing(name)),
        Search::Many => Err(Error::invalid(format!(
            "ambiguous image id prefix: {name}: several images have it"
        ))),
    }
}

enum Search {
    One(Box<Found>),
    None,
    Many,
}

fn search(tx: &Tx<'_>, name: &str) -> state::Result<Search> {
    let by_id = |row| {
        Search::One(Box::new(Found {
            row,
            reference: None,
        }))
    };
    let hex = name.strip_prefix("sha256:");
    if let Ok(id) = format!("sha256:{}", hex.unwrap_or(name)).parse::<ImageId>() {
        return Ok(tx.image(&id)?.map_or(Search::None, by_id));
    }
    if hex.is_none()
        && let Ok(reference) = Reference::parse(name)
        && let Some(found) = by_reference(tx, &reference)?
    {
        return Ok(Search::One(Box::new(found)));
    }
    let prefix = hex.unwrap_or(name);
    let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(digits) {
        return Ok(Search::None);
    }
    let mut rows = tx.images_by_prefix(prefix)?;
    Ok(match rows.len() {
        0 => Search::None,
        1 => rows.pop().map_or(Search::None, by_id),
        _ => Search::Many,
    })
}

fn by_reference(tx: &Tx<'_>, reference: &Reference) -> state::Result<Option<Found>> {
    // Where there is a tag too, the digest decides.
    let text = match reference.digest() {
        Some(digest) => reference.with_digest(*digest).to_string(),
        None => reference.to_string(),
    };
    if let Some(row) = tx.image_of_tag(&text)? {
        return Ok(Some(Found {
            row,
            reference: Some(text),
        }));
    }
    // With a digest: an image of this repository that came with that manifest, or that has this id.
    let Some(digest) = reference.digest() else {
        return Ok(None);
    };
    let repository = format!("{}:", reference.name());
    for tag in tx
        .tags()?
        .into_iter()
        .filter(|t| t.reference.starts_with(&repository))
    {
        if let Some(row) = tx.image(&tag.image)? {
            let manifest = row.manifest.as_ref().map(|m| m.digest());
            if manifest == Some(digest) || row.id.digest() == digest {
                return Ok(Some(Found {
                    row,
                    reference: None,
                }));
            }
        }
    }
    Ok(None)
}

/// A name as it is kept; none if it is no reference.
pub(crate) fn normal(name: &str) -> Option<String> {
    Some(Reference::parse(name).ok()?.to_string())
}

pub(crate) fn missing(name: &str) -> Error {
    // What looks like an id is shown as it is, a reference with its tag.
    let id = name.len() == 64 || name.starts_with("sha256:");
    let shown = match Reference::parse(name) {
        Ok(reference) if !id => reference.familiar(),
        _ => name.to_owned(),
    };
    Error::not_found(format!("No such image: {shown}"))
}
