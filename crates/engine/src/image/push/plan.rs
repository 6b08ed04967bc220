//! What leaves with an image.

use spec::image::{Descriptor, Document, ImageConfig, MAX_DOCUMENT, Manifest, media};
use spec::{BlobDigest, Digest, ImageId, Platform, Reference};
use state::ImageRow;

use super::docker_manifest;
use crate::error::{Error, Result};
use crate::image::import::store_small;
use crate::open::Inner;

/// A manifest, and what belongs to it.
pub(super) struct Leaving {
    pub(super) bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    pub(super) diffs: Vec<Digest>,
    /// The blobs that are not here.
    pub(super) missing: Vec<BlobDigest>,
}

/// The images that a reference means, with their tags: all of a repository's if it has none.
pub(super) fn choose(
    inner: &Inner,
    wanted: &Reference,
    platform: Option<&Platform>,
) -> Result<Vec<(Reference, ImageRow)>> {
    let found = inner.db.read(|tx| {
        let mut found = Vec::new();
        for tag in tx.tags()? {
            let Ok(reference) = tag.reference.parse::<Reference>() else {
                continue;
            };
            let same = reference.name() == wanted.name() && reference.digest().is_none();
            if same
                && (wanted.tag().is_none() || reference.tag() == wanted.tag())
                && let Some(row) = tx.image(&tag.image)?
            {
                found.push((reference, row));
            }
        }
        Ok(found)
    })?;
    if found.is_empty() {
        let name = wanted.familiar_name();
        return Err(Error::not_found(match wanted.tag() {
            Some(tag) => format!("An image does not exist locally with the tag: {name}:{tag}"),
            None => format!("An image does not exist locally with the tag: {name}"),
        }));
    }
    for (reference, row) in &found {
        let own = ImageConfig::parse(row.config.as_bytes())?.platform();
        if let Some(platform) = platform.filter(|p| p.runs(&own).is_none()) {
            return Err(Error::not_found(format!(
                "image with reference {} was found but does not provide the specified platform ({platform})",
                reference.familiar()
            )));
        }
    }
    Ok(found)
}

/// The manifest with which an image came.
pub(super) fn original(inner: &Inner, row: &ImageRow) -> Result<Option<Leaving>> {
    let store = inner.store()?;
    let Some(digest) = row
        .manifest
        .filter(|digest| store.has_blob(digest).unwrap_or(false))
    else {
        return Ok(None);
    };
    let bytes = store.read_blob_limited(&digest, MAX_DOCUMENT)?;
    let Document::Manifest(manifest) = Document::parse(&bytes, None)? else {
        return Ok(None);
    };
    let mut missing = Vec::new();
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        let digest = BlobDigest::new(blob.digest);
        if !store.has_blob(&digest)? {
            missing.push(digest);
        }
    }
    let diffs = diffs(row)?;
    Ok((diffs.len() == manifest.layers.len()).then_some(Leaving {
        bytes,
        manifest,
        diffs,
        missing,
    }))
}

fn diffs(row: &ImageRow) -> Result<Vec<Digest>> {
    let config = ImageConfig::parse(row.config.as_bytes())?;
    let diffs = config.rootfs.diff_ids.iter();
    Ok(diffs.map(|diff| *diff.digest()).collect())
}

/// A manifest of an image's layers in gzip, which are compressed now if they are not.
pub(super) fn packed(inner: &Inner, row: &ImageRow) -> Result<Leaving> {
    let store = inner.store()?;
    let mut layers = Vec::new();
    for id in inner.db.read(|tx| tx.image_layers(&row.id))? {
        let (digest, size) = store.pack_layer(&id)?;
        layers.push(Descriptor::new(
            media::DOCKER_LAYER_GZIP,
            *digest.digest(),
            size,
        ));
    }
    let config = store_small(inner, row.config.as_bytes())?;
    let size = row.config.len() as u64;
    let config = Descriptor::new(media::DOCKER_CONFIG, *config.digest(), size);
    let manifest = docker_manifest(config, layers);
    let bytes = serde_json::to_vec(&manifest).map_err(|e| Error::internal("write manifest", e))?;
    Ok(Leaving {
        bytes,
        manifest,
        diffs: diffs(row)?,
        missing: Vec::new(),
    })
}

/// Repositories of a registry that should have the image's layers: those in which it, or another of its layers, has a digest.
pub(super) fn mounts(
    inner: &Inner,
    image: &ImageId,
    domain: &str,
    own: &str,
) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    inner.db.read(|tx| {
        let layers = tx.image_layers(image)?;
        for tag in tx.tags()? {
            let Ok(reference) = tag.reference.parse::<Reference>() else {
                continue;
            };
            let there = reference.domain() == domain && reference.digest().is_some();
            let new = reference.path() != own && !found.iter().any(|f| f == reference.path());
            if there
                && new
                && tx
                    .image_layers(&tag.image)?
                    .iter()
                    .any(|l| layers.contains(l))
            {
                found.push(reference.path().to_owned());
            }
        }
        Ok(())
    })?;
    Ok(found)
}
