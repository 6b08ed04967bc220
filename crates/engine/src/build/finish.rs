//! The image: its configuration, written once all layers are there.

use failpoint::failpoint;
use jiff::Timestamp;
use spec::image::{Config, History, ImageConfig, RootFs};
use spec::{Digest, ImageId};
use state::{Durability, EntryId, ImageRow};

use super::{Build, Root};
use crate::error::{Error, Result};
use crate::image::import::store_small;

/// Writes the image: from here on it is there, whole.
///
/// Without SOURCE_DATE_EPOCH its configuration has no date, so that two builds of the same are the same image; when it was made
/// here is known to the database, and shown.
pub(super) fn image(build: &Build<'_>, root: &Root, entry: EntryId) -> Result<ImageId> {
    let inner = &*build.engine.0;
    let text = document(build, root)?;
    let blob = store_small(inner, text.as_bytes())?;
    failpoint!("build.finish.after_config");
    let id = ImageId::new(Digest::of(&text));
    let nanos = inner.nanos();
    let row = ImageRow {
        id,
        manifest: None,
        config: text,
        size: root.size,
        created_at: Some(
            build
                .epoch
                .map_or(nanos, |epoch| epoch.saturating_mul(1_000_000_000)),
        ),
        added_at: nanos,
        tagged_at: None,
    };
    inner.db.write_with(Durability::Full, |tx| {
        tx.add_image(&row, &root.ids(), &[blob])?;
        for tag in &build.request.tags {
            tx.set_tag(&tag.to_string(), &id, nanos)?;
        }
        tx.finish(entry)
    })?;
    failpoint!("build.finish.after_row");
    Ok(id)
}

/// An image of what a failed step left, without a name and out of the build's own books.
pub(super) fn unnamed(build: &Build<'_>, root: &Root, config: Config) -> Result<ImageId> {
    let inner = &*build.engine.0;
    let platform = &build.graph.target.platform;
    let document = ImageConfig {
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone(),
        config,
        os: platform.os.clone(),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: root.layers.iter().map(|(_, diff)| *diff).collect(),
        },
        author: None,
        created: None,
        history: Vec::new(),
        os_version: None,
        os_features: None,
    };
    let text =
        serde_json::to_string(&document).map_err(|e| Error::internal("write configuration", e))?;
    let blob = store_small(inner, text.as_bytes())?;
    let id = ImageId::new(Digest::of(&text));
    let nanos = inner.nanos();
    let row = ImageRow {
        id,
        manifest: None,
        config: text,
        size: root.size,
        created_at: Some(nanos),
        added_at: nanos,
        tagged_at: None,
    };
    inner
        .db
        .write(|tx| tx.add_image(&row, &root.ids(), &[blob]))?;
    Ok(id)
}

fn document(build: &Build<'_>, root: &Root) -> Result<String> {
    let target = &build.graph.target;
    let created = build
        .epoch
        .and_then(|epoch| Timestamp::from_second(epoch).ok())
        .map(|time| time.to_string());
    let mut history = target.history.clone();
    if let Some(created) = &created {
        for step in &mut history {
            step.created.get_or_insert_with(|| created.clone());
        }
    }
    let document = ImageConfig {
        architecture: target.platform.architecture.clone(),
        variant: target.platform.variant.clone(),
        author: target.author.clone(),
        config: target.config.clone(),
        created,
        history: settle(history, root.layers.len()),
        os: target.platform.os.clone(),
        os_version: None,
        os_features: None,
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: root.layers.iter().map(|(_, diff)| *diff).collect(),
        },
    };
    serde_json::to_string(&document).map_err(|e| Error::internal("write configuration", e))
}

/// A step whose directory was there already made no layer; the history must say as many layers as there are.
fn settle(mut history: Vec<History>, layers: usize) -> Vec<History> {
    let kept = history.iter().filter(|step| !step.empty_layer).count();
    let mut surplus = kept.saturating_sub(layers);
    for step in history.iter_mut().rev() {
        let workdir = step
            .created_by
            .as_deref()
            .is_some_and(|by| by.starts_with("WORKDIR "));
        if surplus > 0 && workdir && !step.empty_layer {
            step.empty_layer = true;
            surplus -= 1;
        }
    }
    history
}
