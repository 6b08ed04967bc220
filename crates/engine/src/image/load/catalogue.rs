//! Which images an archive has: by docker's `manifest.json`, else by OCI's `index.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use spec::image::{Descriptor, Document, ImageConfig, Index, Manifest, media};
use spec::{Digest, Platform, Reference};

use super::Contents;
use crate::error::{Error, Result};

/// Indexes in indexes, at most.
const DEPTH: usize = 4;
/// The whole name of an image, in an index.
pub(in crate::image) const NAME: &str = "io.containerd.image.name";
/// Its tag.
pub(in crate::image) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Says that the image came with this manifest: it was not made for the archive.
pub(in crate::image) const ORIGINAL: &str = "io.tare.manifest.original";

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
    /// The images for a platform; without one whatever docker's own archives have, and this machine's of an OCI layout.
    pub(super) fn of(contents: &Contents<'_>, platform: Option<&Platform>) -> Result<Self> {
        let host = Platform::host();
        let mut catalogue = if contents.document("manifest.json").is_ok() {
            Self::docker(contents)?
        } else if contents.document("index.json").is_ok() {
            Self::oci(contents, platform.unwrap_or(&host))?
        } else {
            return Err(Error::invalid(
                "invalid archive: it has neither manifest.json nor index.json",
            )
            .hint("is it a root file system? then import it"));
        };
        if let Some(platform) = platform {
            let mut kept = Vec::new();
            for image in catalogue.images {
                let config = ImageConfig::parse(contents.document(&image.config)?)
                    .map_err(|e| Error::invalid(e.to_string()))?;
                if platform.runs(&config.platform()).is_some() {
                    kept.push(image);
                }
            }
            catalogue.images = kept;
        }
        if catalogue.images.is_empty() {
            return Err(Error::invalid(format!(
                "invalid archive: it has no image for {}",
                platform.unwrap_or(&host)
            )));
        }
        Ok(catalogue)
    }

    fn docker(contents: &Contents<'_>) -> Result<Self> {
        let entries: Vec<DockerEntry> = serde_json::from_slice(contents.document("manifest.json")?)
            .map_err(|e| Error::invalid("invalid manifest.json").because(e))?;
        let mut own = own_manifests(contents);
        let mut images = Vec::new();
        for entry in entries {
            let tags = entry.repo_tags.unwrap_or_default();
            let own = own.remove(&entry.config);
            let (manifest, layers) =
                own.map_or((None, None), |own| (own.manifest, Some(own.layers)));
            images.push(Wanted {
                config: entry.config,
                layers: layers.or(entry.layers).unwrap_or_default(),
                manifest,
                references: tags.iter().map(|t| reference(t)).collect::<Result<_>>()?,
            });
        }
        Ok(Self { images })
    }

    fn oci(contents: &Contents<'_>, platform: &Platform) -> Result<Self> {
        let bytes = contents.document("index.json")?;
        let index: Index = serde_json::from_slice(bytes)
            .map_err(|e| Error::invalid("invalid index.json").because(e))?;
        let mut catalogue = Self::default();
        let mut seen = BTreeSet::new();
        for descriptor in &index.manifests {
            let Some(mut wanted) = resolve(contents, descriptor, platform, 0)? else {
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

/// The manifests that images came with, by the place of their configuration: an archive may be docker's and an OCI layout at the same time. What is
/// wrong with the layout is no matter, because docker's part says all that is needed.
fn own_manifests(contents: &Contents<'_>) -> BTreeMap<String, Wanted> {
    let mut found = BTreeMap::new();
    let index = contents.document("index.json").ok();
    let index = index.and_then(|bytes| serde_json::from_slice::<Index>(bytes).ok());
    let mut left: Vec<(Descriptor, usize)> = index
        .map(|index| index.manifests)
        .unwrap_or_default()
        .into_iter()
        .map(|descriptor| (descriptor, 0))
        .collect();
    while let Some((descriptor, depth)) = left.pop() {
        let place = path(&descriptor.digest);
        let Ok(bytes) = contents.document(&place) else {
            continue;
        };
        if verify(bytes, &descriptor.digest).is_err() {
            continue;
        }
        match Document::parse(bytes, Some(&descriptor.media_type)) {
            Ok(Document::Manifest(manifest)) if is_own(&descriptor, &manifest) => {
                if let Ok(Some(wanted)) = of_manifest(contents, manifest, place) {
                    found.insert(wanted.config.clone(), wanted);
                }
            }
            Ok(Document::Index(index)) if depth < DEPTH => {
                left.extend(
                    index
                        .manifests
                        .into_iter()
                        .map(|inside| (inside, depth + 1)),
                );
            }
            _ => {}
        }
    }
    found
}

/// Docker makes a manifest of plain tars for an image that came without one.
fn is_own(descriptor: &Descriptor, manifest: &Manifest) -> bool {
    let annotations = descriptor.annotations.as_ref();
    annotations.is_some_and(|a| a.contains_key(ORIGINAL))
        || manifest.layers.iter().any(|layer| {
            !matches!(
                layer.media_type.as_str(),
                media::OCI_LAYER | media::DOCKER_LAYER
            )
        })
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

/// The image that a descriptor leads to, for a platform; none if it leads to none.
fn resolve(
    contents: &Contents<'_>,
    descriptor: &Descriptor,
    host: &Platform,
    depth: usize,
) -> Result<Option<Wanted>> {
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
                    && let Some(wanted) = resolve(contents, inside, host, depth + 1)?
                {
                    best = Some((rank, wanted));
                }
            }
            Ok(best.map(|(_, wanted)| wanted))
        }
    }
}

fn of_manifest(
    contents: &Contents<'_>,
    manifest: Manifest,
    place: String,
) -> Result<Option<Wanted>> {
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
