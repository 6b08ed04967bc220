//! Lists and details of images.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use spec::image::ImageConfig;
use spec::{ImageId, Reference};
use state::ImageRow;

use super::lookup;
use super::{HistoryEntry, ImageFilters, ImageInspect, ImageSummary};
use crate::container::list::{labelled, nanos};
use crate::error::Result;
use crate::open::Inner;

pub(crate) fn list(inner: &Inner, filters: &ImageFilters) -> Result<Vec<ImageSummary>> {
    let (rows, tags, counts) = inner
        .db
        .read(|tx| Ok((tx.images()?, tx.tags()?, tx.count_by_image()?)))?;
    let counts: BTreeMap<ImageId, u64> = counts.into_iter().collect();
    let mut names: BTreeMap<ImageId, Vec<String>> = BTreeMap::new();
    for tag in tags {
        names.entry(tag.image).or_default().push(tag.reference);
    }
    let time = |name: &Option<String>| -> Result<Option<i64>> {
        let row = name.as_ref().map(|n| lookup::find(inner, n)).transpose()?;
        Ok(row.map(|found| made(&found.row)))
    };
    let (before, since) = (time(&filters.before)?, time(&filters.since)?);
    let mut summaries = Vec::new();
    for row in rows {
        let made = made(&row);
        if before.is_some_and(|b| made >= b) || since.is_some_and(|s| made <= s) {
            continue;
        }
        let references = names.remove(&row.id).unwrap_or_default();
        let config = ImageConfig::parse(row.config.as_bytes())?;
        let count = counts.get(&row.id).copied().unwrap_or_default();
        let summary = summary(row, &references, config, count);
        if admits(filters, &summary) {
            summaries.push((made, summary));
        }
    }
    summaries.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    Ok(summaries.into_iter().map(|(_, s)| s).collect())
}

fn made(row: &ImageRow) -> i64 {
    row.created_at.unwrap_or(0)
}

fn summary(
    row: ImageRow,
    references: &[String],
    config: ImageConfig,
    containers: u64,
) -> ImageSummary {
    let names = Names::new(references, &row);
    ImageSummary {
        id: row.id,
        tags: names.tags,
        digests: names.digests,
        created: row.created_at.map(nanos),
        size: row.size,
        labels: config.config.labels,
        containers,
    }
}

/// An image's names as people write them.
struct Names {
    tags: Vec<String>,
    digests: Vec<String>,
}

impl Names {
    fn new(references: &[String], row: &ImageRow) -> Self {
        let parsed = references.iter().filter_map(|r| r.parse().ok());
        let (digests, tags): (Vec<Reference>, Vec<Reference>) =
            parsed.partition(|reference: &Reference| reference.digest().is_some());
        let mut digests: Vec<String> = digests.iter().map(Reference::familiar).collect();
        // What was loaded has a manifest and was in no repository: it counts as all of its tags'.
        if digests.is_empty()
            && let Some(manifest) = &row.manifest
        {
            let names = tags.iter().map(Reference::familiar_name);
            digests = names.map(|name| format!("{name}@{manifest}")).collect();
            digests.sort();
            digests.dedup();
        }
        Self {
            tags: tags.iter().map(Reference::familiar).collect(),
            digests,
        }
    }
}

fn admits(filters: &ImageFilters, summary: &ImageSummary) -> bool {
    let named = |pattern: &String| summary.tags.iter().any(|tag| matches(pattern, tag));
    (filters.reference.is_empty() || filters.reference.iter().any(named))
        && filters.label.iter().all(|t| labelled(&summary.labels, t))
        && filters
            .dangling
            .is_none_or(|d| d == summary.tags.is_empty())
}

/// Whether a pattern of `busybox`, `busybox:1.*`, `*/app` means a reference.
fn matches(pattern: &str, tag: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(name, _)| name);
    let normal = lookup::normal(pattern);
    glob(pattern, tag)
        || glob(pattern, repository)
        || (normal.is_some() && normal == lookup::normal(tag))
}

/// `*` is any text without a slash, `?` any character but it.
fn glob(pattern: &str, text: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = chars.as_str();
            let mut tail = text;
            loop {
                if glob(rest, tail) {
                    return true;
                }
                let mut chars = tail.chars();
                match chars.next() {
                    None | Some('/') => return false,
                    Some(_) => tail = chars.as_str(),
                }
            }
        }
        Some(wanted) => {
            let mut text = text.chars();
            let fits = |c: char| c == wanted || (wanted == '?' && c != '/');
            text.next().is_some_and(fits) && glob(chars.as_str(), text.as_str())
        }
    }
}

pub(super) fn inspect(inner: &Inner, name: &str) -> Result<ImageInspect> {
    let found = lookup::find(inner, name)?;
    let references = inner.db.read(|tx| tx.tags_of(&found.row.id))?;
    let names = Names::new(&references, &found.row);
    let config = ImageConfig::parse(found.row.config.as_bytes())?;
    Ok(ImageInspect {
        id: found.row.id,
        tags: names.tags,
        digests: names.digests,
        size: found.row.size,
        layers: config.rootfs.diff_ids.clone(),
        last_tagged: found.row.tagged_at.map(nanos),
        config,
    })
}

pub(super) fn history(inner: &Inner, name: &str) -> Result<Vec<HistoryEntry>> {
    let found = lookup::find(inner, name)?;
    let config = ImageConfig::parse(found.row.config.as_bytes())?;
    let (references, sizes) = inner.db.read(|tx| {
        let mut sizes = Vec::new();
        for layer in tx.image_layers(&found.row.id)? {
            sizes.push(tx.layer(&layer)?.map_or(0, |row| row.tar_size));
        }
        Ok((tx.tags_of(&found.row.id)?, sizes))
    })?;
    let mut sizes = sizes.into_iter();
    let mut entries: Vec<HistoryEntry> = config
        .history
        .iter()
        .map(|step| HistoryEntry {
            id: None,
            created: step
                .created
                .as_deref()
                .and_then(|t| t.parse::<Timestamp>().ok()),
            created_by: step.created_by.clone().unwrap_or_default(),
            tags: Vec::new(),
            size: if step.empty_layer {
                0
            } else {
                sizes.next().unwrap_or_default()
            },
            comment: step.comment.clone().unwrap_or_default(),
        })
        .collect();
    entries.reverse();
    if let Some(newest) = entries.first_mut() {
        newest.id = Some(found.row.id);
        newest.tags = Names::new(&references, &found.row).tags;
    }
    Ok(entries)
}
