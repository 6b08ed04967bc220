//! Which images an archive has: by docker's `manifest.json`, else by OCI's `index.json`.

use std::collections::BTreeSet;

use serde::Deserialize;
use spec::image::{Descriptor, Document, Index, Manifest};
use spec::{Digest, Platform, Reference};

use super::Contents;
use crate::error::{Error, Result};

/// Indexes in indexes, at most.
const DEPTH: usize = 4;
const NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The images of an archive.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) images: Vec<Wanted>,
}

/// An image, by the names that its parts have in the archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) config: String,
    pub(super) layers: Vec<String>,
    pub(super) manifest: Option<String>,
    pub(super) references: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl Catalogue {
    pub(super) fn of(contents: &Contents) -> Result<Self> {
        let catalogue = if contents.document("manifest.json").is_ok() {
            Self::docker(contents)?
        } else if contents.document("index.json").is_ok() {
            Self::oci(contents)?
        } else {
            return Err(Error::invalid(
                "invalid archive: it has neither manifest.json nor index.json",
            )
            .hint("is it a root file system? then import it"));
        };
        if catalogue.images.is_empty() {
            return Err(Error::invalid(format!(
                "invalid archive: it has no image for {}",
                Platform::host()
            )));
        }
        Ok(catalogue)
    }

    fn docker(contents: &Contents) -> Result<Self> {
        let entries: Vec<DockerEntry> = serde_json::from_slice(contents.document("manifest.json")?)
            .map_err(|e| Error::invalid("invalid manifest.json").because(e))?;
        let mut images = Vec::new();
        for entry in entries {
            let tags = entry.repo_tags.unwrap_or_default();
            images.push(Wanted {
                config: entry.config,
                layers: entry.layers.unwrap_or_default(),
                manifest: None,
                references: tags.iter().map(|t| reference(t)).collect::<Result<_>>()?,
            });
        }
        Ok(Self { images })
    }

    fn oci(contents: &Contents) -> Result<Self> {
        let bytes = contents.document("index.json")?;
        let index: Index = serde_json::from_slice(bytes)
            .map_err(|e| Error::invalid("invalid index.json").because(e))?;
        let mut catalogue = Self::default();
        let mut seen = BTreeSet::new();
        for descriptor in &index.manifests {
            let Some(mut wanted) = resolve(contents, descriptor, 0)? else {
                continue;
            };
            wanted.references = named(descriptor)?;
            // The same image under several names comes several times.
            let place = wanted.manifest.clone().unwrap_or_default();
            if seen.insert(place) {
                catalogue.images.push(wanted);
            } else if let Some(first) = catalogue
                .images
                .iter_mut()
                .find(|i| i.manifest == wanted.manifest)
            {
                first.references.append(&mut wanted.references);
            }
        }
        Ok(catalogue)
    }
}

fn reference(text: &str) -> Result<Reference> {
    Reference::parse(text).map_err(|e| Error::invalid(format!("invalid tag {text:?}: {e}")))
}

/// The names of an image in an index. One that is a tag alone says of which image it is nothing.
fn named(descriptor: &Descriptor) -> Result<Vec<Reference>> {
    let annotation = |name: &str| descriptor.annotations.as_ref().and_then(|a| a.get(name));
    match (annotation(NAME), annotation(REF_NAME)) {
        (Some(name), _) => Ok(vec![reference(name)?]),
        (None, Some(name)) if name.contains([':', '/']) => Ok(vec![reference(name)?]),
        _ => Ok(Vec::new()),
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// The image that a descriptor leads to, on this machine; none if it leads to none.
fn resolve(contents: &Contents, descriptor: &Descriptor, depth: usize) -> Result<Option<Wanted>> {
    let host = Platform::host();
    if let Some(platform) = &descriptor.platform
        && host.runs(platform).is_none()
    {
        return Ok(None);
    }
    let place = path(&descriptor.digest);
    let bytes = match contents.document(&place) {
        Ok(bytes) => bytes,
        // Of another platform, left out by whoever made the archive.
        Err(_) if depth > 0 => return Ok(None),
        Err(e) => return Err(e),
    };
    verify(bytes, &descriptor.digest)?;
    match Document::parse(bytes, Some(&descriptor.media_type))? {
        Document::Manifest(manifest) => of_manifest(contents, manifest, place),
        Document::Index(_) if depth == DEPTH => Err(Error::invalid(
            "invalid archive: its indexes are nested too deeply",
        )),
        Document::Index(index) => {
            let mut best: Option<(u32, Wanted)> = None;
            for inside in &index.manifests {
                let rank = match &inside.platform {
                    Some(platform) => host.runs(platform),
                    None => Some(u32::MAX),
                };
                if let Some(rank) = rank
                    && best.as_ref().is_none_or(|(other, _)| rank < *other)
                    && let Some(wanted) = resolve(contents, inside, depth + 1)?
                {
                    best = Some((rank, wanted));
                }
            }
            Ok(best.map(|(_, wanted)| wanted))
        }
    }
}

fn of_manifest(contents: &Contents, manifest: Manifest, place: String) -> Result<Option<Wanted>> {
    // Attestations and other artifacts have the form of an image.
    let image = manifest.artifact_type.is_none()
        && manifest
            .layers
            .iter()
            .all(|l| spec::image::media::is_layer(&l.media_type));
    if !image {
        return Ok(None);
    }
    let config = path(&manifest.config.digest);
    verify(contents.document(&config)?, &manifest.config.digest)?;
    Ok(Some(Wanted {
        config,
        layers: manifest.layers.iter().map(|l| path(&l.digest)).collect(),
        manifest: Some(place),
        references: Vec::new(),
    }))
}

fn verify(bytes: &[u8], digest: &Digest) -> Result<()> {
    let mut hasher = digest.hasher();
    hasher.update(bytes);
    if hasher.finish() == *digest {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid archive: the content of {} does not have this digest",
        path(digest)
    )))
}
