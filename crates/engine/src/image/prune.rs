//! Removing the images that no container uses.

use std::collections::{BTreeMap, BTreeSet};

use spec::image::ImageConfig;
use spec::{ImageId, LayerId};

use super::{Removed, remove};
use crate::container::list::nanos;
use crate::error::Result;
use crate::event::{Happened, Subject};
use crate::open::Inner;
use crate::prune::{PruneFilters, Pruned};

/// Which images go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImagePrune {
    /// Also those that have tags.
    pub all: bool,
    /// Only those that match.
    pub filters: PruneFilters,
}

pub(super) fn prune(inner: &Inner, request: &ImagePrune) -> Result<Pruned<Removed>> {
    let (images, counts, layers) = inner
        .db
        .read(|tx| Ok((tx.images()?, tx.count_by_image()?, tx.layers()?)))?;
    let used: BTreeSet<ImageId> = counts.into_iter().map(|(id, _)| id).collect();
    let sizes: BTreeMap<LayerId, u64> = layers.iter().map(|l| (l.id, l.tar_size)).collect();
    let mut pruned = Pruned::default();
    for row in images {
        let tags = inner.db.read(|tx| tx.tags_of(&row.id))?;
        if used.contains(&row.id) || (!request.all && !tags.is_empty()) {
            continue;
        }
        let config = ImageConfig::parse(row.config.as_bytes())?;
        let made = nanos(row.created_at.unwrap_or(row.added_at));
        if !request.filters.admit(made, &config.config.labels) {
            continue;
        }
        // A container may have been made of it since: then it stays.
        if !inner
            .db
            .read(|tx| tx.containers_of_image(&row.id))?
            .is_empty()
        {
            continue;
        }
        for gone in remove::delete(inner, &row, &tags)? {
            super::record_removed(inner, &row.id, &gone);
            if let Removed::Deleted(id) = &gone {
                let layer = id.strip_prefix("sha256:").and_then(|id| id.parse().ok());
                let size = layer.and_then(|id: LayerId| sizes.get(&id));
                pruned.reclaimed += size.copied().unwrap_or(0);
            }
            pruned.gone.push(gone);
        }
    }
    let event = Happened::to(Subject::Image, "prune", "");
    inner.record(event.with("reclaimed", pruned.reclaimed));
    Ok(pruned)
}
