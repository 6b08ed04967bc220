//! From a name in a registry to the manifest of one image.

use ::registry::client::{Fetched, Repository};
use spec::Platform;
use spec::image::{
    Descriptor, Document, ImageConfig, MAX_DOCUMENT, MAX_INDEX_DEPTH, Manifest, media,
};

use crate::error::{Error, Result};

/// An image in a registry.
pub(super) struct Resolved {
    /// What the name leads to.
    pub(super) top: Fetched,
    /// The indexes on the way and the manifest, in this order.
    pub(super) documents: Vec<Fetched>,
    pub(super) manifest: Manifest,
    /// The configuration, as it came and as it reads.
    pub(super) text: String,
    pub(super) config: ImageConfig,
}

/// Follows indexes to the image for a platform.
pub(super) async fn resolve(
    repository: &Repository,
    top: Fetched,
    wanted: Option<&Platform>,
    reference: &str,
) -> Result<Resolved> {
    let mut documents = vec![top.clone()];
    let mut current = top.clone();
    let manifest = loop {
        match parse(&current)? {
            Document::Manifest(manifest) => break manifest,
            Document::Index(index) => {
                if documents.len() > MAX_INDEX_DEPTH {
                    return Err(Error::invalid(format!(
                        "{reference} is an index in an index, more than {MAX_INDEX_DEPTH} deep"
                    )));
                }
                let host = Platform::host();
                let platform = wanted.unwrap_or(&host);
                let chosen = choose(&index.manifests, platform).ok_or_else(|| {
                    Error::not_found(format!(
                        "no matching manifest for {platform} in the manifest list entries: no match for platform in manifest: not found"
                    ))
                })?;
                current = repository.manifest(&chosen.digest.to_string()).await?;
                if current.bytes.len() as u64 != chosen.size {
                    return Err(Error::invalid(format!(
                        "manifest {} has {} bytes, not {} as its index says",
                        chosen.digest,
                        current.bytes.len(),
                        chosen.size
                    )));
                }
                documents.push(current.clone());
            }
        }
    };
    check(&manifest, reference)?;
    let bytes = repository
        .small_blob(&manifest.config, MAX_DOCUMENT)
        .await?;
    let config = ImageConfig::parse(&bytes)?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::invalid(format!("the configuration of {reference} is not text")))?;
    let (layers, diffs) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diffs {
        return Err(Error::invalid(format!(
            "invalid image: its manifest has {layers} layers, its configuration {diffs}"
        )));
    }
    if let Some(wanted) = wanted
        && wanted.runs(&config.platform()).is_none()
    {
        return Err(Error::not_found(format!(
            "image with reference {reference} was found but its platform ({}) does not match the specified platform ({wanted})",
            config.platform()
        )));
    }
    Ok(Resolved {
        top,
        documents,
        manifest,
        text,
        config,
    })
}

pub(super) fn parse(fetched: &Fetched) -> Result<Document> {
    let declared = Some(fetched.media_type.as_str()).filter(|text| !text.is_empty());
    Ok(Document::parse(&fetched.bytes, declared)?)
}

/// The manifest that a machine of this platform runs best; the first of several that are as good. One that says nothing of its platform
/// is better than none.
fn choose<'a>(manifests: &'a [Descriptor], platform: &Platform) -> Option<&'a Descriptor> {
    let rank = |entry: &Descriptor| match &entry.platform {
        Some(theirs) => platform.runs(theirs),
        None => Some(u32::MAX),
    };
    let known = manifests
        .iter()
        .filter(|m| media::is_manifest(&m.media_type) || media::is_index(&m.media_type));
    known
        .filter_map(|entry| Some((rank(entry)?, entry)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, entry)| entry)
}

/// Refuses what is no image: artifacts have other configurations and layers.
fn check(manifest: &Manifest, reference: &str) -> Result<()> {
    let config = manifest.config.media_type.as_str();
    if !matches!(config, media::OCI_CONFIG | media::DOCKER_CONFIG) {
        return Err(Error::invalid(format!(
            "{reference} is no image but an artifact: unsupported media type {config}"
        )));
    }
    match manifest
        .layers
        .iter()
        .find(|l| !media::is_layer(&l.media_type))
    {
        Some(layer) => Err(Error::invalid(format!(
            "{reference} has a layer of the unsupported media type {}",
            layer.media_type
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::Digest;

    fn entry(name: &str, platform: Option<&str>) -> Descriptor {
        let mut entry = Descriptor::new(media::OCI_MANIFEST, Digest::of(name), 10);
        entry.platform = platform.map(|p| p.parse().unwrap());
        entry
    }

    #[test]
    fn the_best_for_a_machine() {
        let all = [
            entry("old", Some("linux/arm/v6")),
            entry("other", Some("linux/amd64")),
            entry("new", Some("linux/arm/v7")),
            entry("again", Some("linux/arm/v7")),
            entry("blank", None),
        ];
        let best = |platform: &str| {
            let chosen = choose(&all, &platform.parse().unwrap());
            chosen.map(|c| c.digest)
        };
        assert_eq!(best("linux/arm/v7"), Some(Digest::of("new")));
        assert_eq!(best("linux/arm/v6"), Some(Digest::of("old")));
        assert_eq!(best("linux/amd64"), Some(Digest::of("other")));
        assert_eq!(best("linux/s390x"), Some(Digest::of("blank")));
        let other = all[..4].to_vec();
        assert!(choose(&other, &"linux/s390x".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_no_manifest_is_passed_over() {
        let mut strange = entry("strange", Some("linux/amd64"));
        strange.media_type = "application/vnd.in-toto+json".to_owned();
        assert!(choose(&[strange], &"linux/amd64".parse().unwrap()).is_none());
    }
}
