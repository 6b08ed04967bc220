//! What an archive of images has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use spec::image::{Descriptor, Document, ImageConfig, Index, MAX_DOCUMENT, Manifest, media};
use spec::{BlobDigest, Digest, ImageId, LayerId, Reference};
use state::{ImageRow, LayerRow, LockKind};
use store::Store;

use super::{Part, Plan, SaveRequest, other_platform};
use crate::error::{Error, Result};
use crate::image::load::{NAME, ORIGINAL, REF_NAME};
use crate::image::{garbage, lookup};
use crate::open::Inner;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// An image, and the names that it is to have.
struct Chosen {
    row: ImageRow,
    references: BTreeSet<String>,
}

/// Finds the images and all their parts. Nothing of them can go away as long as the plan lives.
pub(in crate::image) fn plan(inner: &Inner, request: &SaveRequest) -> Result<Plan> {
    let content = inner
        .locks
        .lock_shared(LockKind::Content, garbage::ALL, PATIENCE)?;
    let store = inner.store()?;
    let mut archive = Archive::default();
    let images = choose(inner, request)?;
    for chosen in images.values() {
        archive.add(inner, store, chosen)?;
    }
    Ok(Plan {
        images: images.into_keys().collect(),
        files: archive.finish()?,
        _content: content,
    })
}

/// The images that are asked for, each once, in the order of their ids.
fn choose(inner: &Inner, request: &SaveRequest) -> Result<BTreeMap<ImageId, Chosen>> {
    if request.names.is_empty() {
        return Err(Error::invalid("no image is named: nothing to save"));
    }
    let mut chosen: BTreeMap<ImageId, Chosen> = BTreeMap::new();
    for name in &request.names {
        let mut found = all_tags(inner, name)?;
        if found.is_empty() {
            let one = lookup::find(inner, name)?;
            found.push((one.row, one.reference));
        }
        for (row, reference) in found {
            if let Some(platform) = &request.platform {
                let config = ImageConfig::parse(row.config.as_bytes())?;
                if platform.runs(&config.platform()) != Some(0) {
                    return Err(other_platform(name, platform));
                }
            }
            let entry = chosen.entry(row.id).or_insert(Chosen {
                row,
                references: BTreeSet::new(),
            });
            entry.references.extend(reference);
        }
    }
    Ok(chosen)
}

/// All images that have a name with whatever tag, if it was given without one.
fn all_tags(inner: &Inner, name: &str) -> Result<Vec<(ImageRow, Option<String>)>> {
    let Ok(repository) = Reference::parse_name(name) else {
        return Ok(Vec::new());
    };
    if repository.tag().is_some() || repository.digest().is_some() {
        return Ok(Vec::new());
    }
    let prefix = format!("{}:", repository.name());
    Ok(inner.db.read(|tx| {
        let mut found = Vec::new();
        for tag in tx.tags()? {
            if tag.reference.starts_with(&prefix)
                && let Some(row) = tx.image(&tag.image)?
            {
                found.push((row, Some(tag.reference)));
            }
        }
        Ok(found)
    })?)
}

/// An archive that is being planned.
#[derive(Default)]
struct Archive {
    files: BTreeMap<String, Part>,
    index: Vec<Descriptor>,
    manifests: Vec<Value>,
    repositories: Map<String, Value>,
}

impl Archive {
    fn add(&mut self, inner: &Inner, store: &Store, chosen: &Chosen) -> Result<()> {
        let row = &chosen.row;
        let layers = inner.db.read(|tx| {
            let ids = tx.image_layers(&row.id)?;
            ids.iter()
                .map(|id| Ok(tx.layer(id)?.map(|layer| (*id, layer))))
                .collect::<state::Result<Vec<_>>>()
        })?;
        let layers: Vec<(LayerId, LayerRow)> = layers.into_iter().flatten().collect();
        let config = self.bytes(row.config.clone().into_bytes());
        let own = own_manifest(store, row, &layers)?;
        let original = own.is_some();
        let (bytes, manifest) = match own {
            Some(own) => own,
            None => plain_manifest(row, &layers)?,
        };
        let mut places = Vec::new();
        for (descriptor, (id, layer)) in manifest.layers.iter().zip(&layers) {
            let part = if descriptor.digest == *layer.diff_id.digest()
                && !store.has_blob(&BlobDigest::new(descriptor.digest))?
            {
                Part::Tar(*id, layer.tar_size)
            } else {
                Part::Blob(BlobDigest::new(descriptor.digest), descriptor.size)
            };
            places.push(self.put(&descriptor.digest, part));
        }
        let size = bytes.len() as u64;
        let digest = Digest::of(&bytes);
        self.put(&digest, Part::Bytes(bytes));
        let media_type = manifest.media_type.as_deref();
        let mut descriptor =
            Descriptor::new(media_type.unwrap_or(media::OCI_MANIFEST), digest, size);
        let image = ImageConfig::parse(row.config.as_bytes())?;
        descriptor.platform = Some(image.platform());
        self.name(chosen, descriptor, original, &places);
        self.manifests.push(json!({
            "Config": config,
            "RepoTags": familiar(&chosen.references),
            "Layers": places,
        }));
        Ok(())
    }

    /// Lets the names lead to a manifest, and in the oldest way to the topmost layer.
    fn name(&mut self, chosen: &Chosen, descriptor: Descriptor, original: bool, places: &[String]) {
        let mut annotations = BTreeMap::new();
        if original {
            annotations.insert(ORIGINAL.to_owned(), "true".to_owned());
        }
        for reference in chosen
            .references
            .iter()
            .filter_map(|r| r.parse::<Reference>().ok())
        {
            let tag = reference.tag().unwrap_or_default().to_owned();
            let mut annotations = annotations.clone();
            annotations.insert(NAME.to_owned(), reference.to_string());
            annotations.insert(REF_NAME.to_owned(), tag.clone());
            self.index.push(Descriptor {
                annotations: Some(annotations),
                ..descriptor.clone()
            });
            if let Some(top) = places.last().and_then(|place| place.rsplit('/').next()) {
                let tags = self
                    .repositories
                    .entry(reference.familiar_name())
                    .or_insert_with(|| json!({}));
                tags[tag] = json!(top);
            }
        }
        if chosen.references.is_empty() {
            self.index.push(Descriptor {
                annotations: Some(annotations).filter(|a| !a.is_empty()),
                ..descriptor
            });
        }
    }

    fn bytes(&mut self, bytes: Vec<u8>) -> String {
        let digest = Digest::of(&bytes);
        self.put(&digest, Part::Bytes(bytes))
    }

    fn put(&mut self, digest: &Digest, part: Part) -> String {
        let place = format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
        self.files.entry(place.clone()).or_insert(part);
        place
    }

    fn finish(mut self) -> Result<Vec<(String, Part)>> {
        let index = Index {
            schema_version: 2,
            media_type: Some(media::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests: self.index,
            subject: None,
            annotations: None,
        };
        let mut document = |name: &str, bytes: Vec<u8>| {
            self.files.insert(name.to_owned(), Part::Bytes(bytes));
        };
        document("index.json", encode(&index)?);
        document("manifest.json", encode(&self.manifests)?);
        document("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        if !self.repositories.is_empty() {
            document("repositories", encode(&self.repositories)?);
        }
        Ok(self.files.into_iter().collect())
    }
}

fn encode(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal("encode JSON", e))
}

fn familiar(references: &BTreeSet<String>) -> Option<Vec<String>> {
    let names = references
        .iter()
        .filter_map(|r| r.parse::<Reference>().ok())
        .map(|r| r.familiar());
    Some(names.collect()).filter(|names: &Vec<String>| !names.is_empty())
}

/// The manifest that the image came with, if everything is there that it names.
fn own_manifest(
    store: &Store,
    row: &ImageRow,
    layers: &[(LayerId, LayerRow)],
) -> Result<Option<(Vec<u8>, Manifest)>> {
    let Some(digest) = &row.manifest else {
        return Ok(None);
    };
    if !store.has_blob(digest)? {
        return Ok(None);
    }
    let bytes = store.read_blob_limited(digest, MAX_DOCUMENT)?;
    let Document::Manifest(manifest) = Document::parse(&bytes, None)? else {
        return Ok(None);
    };
    if manifest.config.digest != *row.id.digest() || manifest.layers.len() != layers.len() {
        return Ok(None);
    }
    for (descriptor, (_, layer)) in manifest.layers.iter().zip(layers) {
        if descriptor.digest != *layer.diff_id.digest()
            && !store.has_blob(&BlobDigest::new(descriptor.digest))?
        {
            return Ok(None);
        }
    }
    Ok(Some((bytes, manifest)))
}

/// A manifest of plain tars.
fn plain_manifest(row: &ImageRow, layers: &[(LayerId, LayerRow)]) -> Result<(Vec<u8>, Manifest)> {
    let config = Descriptor::new(media::OCI_CONFIG, *row.id.digest(), row.config.len() as u64);
    let layers = layers.iter().map(|(_, layer)| {
        Descriptor::new(media::OCI_LAYER, *layer.diff_id.digest(), layer.tar_size)
    });
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config,
        layers: layers.collect(),
        subject: None,
        annotations: None,
    };
    Ok((encode(&manifest)?, manifest))
}
