//! What takes how much of the disk.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spec::{ImageId, LayerId};

use crate::container::{ListRequest, Summary, list as containers};
use crate::disk;
use crate::error::Result;
use crate::image::{ImageFilters, ImageSummary};
use crate::open::Inner;
use crate::volume::{self, Volume, VolumeFilters};

/// Of what the sizes are wanted: reading them takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageRequest {
    /// Images.
    pub images: bool,
    /// Containers.
    pub containers: bool,
    /// Volumes.
    pub volumes: bool,
    /// What builds keep.
    pub builds: bool,
}

/// An image and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUsage {
    /// The image.
    pub image: ImageSummary,
    /// The bytes of its layers that other images have too.
    pub shared: u64,
}

/// A volume and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUsage {
    /// The volume.
    pub volume: Volume,
    /// Its bytes.
    pub size: u64,
    /// How many containers have it.
    pub users: u64,
}

/// A layer that only builds keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildUsage {
    /// The layer.
    pub layer: LayerId,
    /// Its bytes.
    pub size: u64,
    /// When it was made.
    pub created: Timestamp,
}

/// What takes how much of the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The bytes of all images' layers, each counted once.
    pub layers: u64,
    /// Images.
    pub images: Vec<ImageUsage>,
    /// Containers.
    pub containers: Vec<Summary>,
    /// Volumes.
    pub volumes: Vec<VolumeUsage>,
    /// What builds keep.
    pub builds: Vec<BuildUsage>,
}

pub(crate) fn usage(inner: &Inner, request: UsageRequest) -> Result<Usage> {
    let mut usage = Usage::default();
    if request.images {
        images(inner, &mut usage)?;
    }
    if request.containers {
        let all = ListRequest {
            all: true,
            size: true,
            ..ListRequest::default()
        };
        usage.containers = containers::list(inner, &all)?;
    }
    if request.volumes {
        for volume in volume::list(inner, &VolumeFilters::default())? {
            let users = inner.db.read(|tx| tx.volume_users(&volume.name))?;
            usage.volumes.push(VolumeUsage {
                size: disk::usage(&volume.mountpoint)?,
                users: users.len() as u64,
                volume,
            });
        }
    }
    if request.builds {
        builds(inner, &mut usage)?;
    }
    Ok(usage)
}

fn images(inner: &Inner, usage: &mut Usage) -> Result<()> {
    let summaries = crate::image::list::list(inner, &ImageFilters::default())?;
    let (layers, of) = inner.db.read(|tx| {
        let mut of: BTreeMap<ImageId, BTreeSet<LayerId>> = BTreeMap::new();
        for image in &summaries {
            let layers = tx.image_layers(&image.id)?;
            of.insert(image.id, layers.into_iter().collect());
        }
        Ok((tx.layers()?, of))
    })?;
    let mut users: BTreeMap<LayerId, u64> = BTreeMap::new();
    for layer in of.values().flatten() {
        *users.entry(*layer).or_default() += 1;
    }
    let sizes: BTreeMap<LayerId, u64> = layers.iter().map(|l| (l.id, l.tar_size)).collect();
    let size = |layer: &LayerId| sizes.get(layer).copied().unwrap_or(0);
    usage.layers = users.keys().map(size).sum();
    for image in summaries {
        let own = of.get(&image.id).into_iter().flatten();
        let shared = own
            .filter(|layer| users.get(layer).is_some_and(|count| *count > 1))
            .map(size)
            .sum();
        usage.images.push(ImageUsage { image, shared });
    }
    Ok(())
}

fn builds(inner: &Inner, usage: &mut Usage) -> Result<()> {
    for row in inner.db.read(|tx| tx.cached_layers())? {
        usage.builds.push(BuildUsage {
            layer: row.id,
            size: row.tar_size,
            created: containers::nanos(row.created_at),
        });
    }
    Ok(())
}
