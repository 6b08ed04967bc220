//! What a manifest refers to. A registry keeps documents of others, artifacts of any kind among them, so it asks for less than who
//! runs images: it must be clear what a document is (CVE-2021-41190), and what it needs.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use spec::Digest;
use spec::image::{Annotations, Descriptor, media};

/// What the server has to know of a manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Document {
    pub(in crate::server) media_type: String,
    /// What kind of artifact it is.
    pub(in crate::server) artifact_type: Option<String>,
    pub(in crate::server) annotations: Option<Annotations>,
    /// Configuration and layers, but for those that are elsewhere.
    pub(in crate::server) blobs: Vec<Digest>,
    /// The manifests of an index.
    pub(in crate::server) manifests: Vec<Digest>,
    /// What it says something about; need not be there.
    pub(in crate::server) subject: Option<Digest>,
}

/// A reference in a document. Sizes are the pusher's business.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Part>,
    #[serde(default)]
    layers: Option<Vec<Part>>,
    #[serde(default)]
    manifests: Option<Vec<Part>>,
    #[serde(default)]
    fs_layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    subject: Option<Part>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

impl Document {
    /// Reads a document of which the sender says that it has this type, and says what is wrong with it if it is none.
    pub(in crate::server) fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Self, String> {
        let raw: Raw =
            serde_json::from_slice(bytes).map_err(|e| format!("manifest invalid: {e}"))?;
        if raw.schema_version != 2 || raw.fs_layers.is_some() {
            return Err("manifest invalid: only schema version 2 is supported".to_owned());
        }
        let is_image = raw.config.is_some() || raw.layers.is_some();
        if is_image == raw.manifests.is_some() {
            return Err("manifest invalid: it must have either layers or manifests".to_owned());
        }
        let declared = declared.map(essence).filter(|text| !text.is_empty());
        let own = raw.media_type.as_deref().filter(|text| !text.is_empty());
        if let (Some(declared), Some(own)) = (declared, own)
            && declared != own
        {
            return Err("manifest invalid: its media type is not the one that was sent".to_owned());
        }
        let media_type = declared.or(own).unwrap_or(match is_image {
            true => media::OCI_MANIFEST,
            false => media::OCI_INDEX,
        });
        let fits = match is_image {
            true => media::is_manifest(media_type),
            false => media::is_index(media_type),
        };
        if !fits {
            return Err("manifest invalid: its media type does not fit its content".to_owned());
        }
        if is_image && (raw.config.is_none() || raw.layers.is_none()) {
            return Err("manifest invalid: it lacks its configuration or its layers".to_owned());
        }
        // An artifact's kind is that of its configuration if it has none of its own (image-spec, manifest.md).
        let own_type = raw.artifact_type.filter(|text| !text.is_empty());
        let of_config = raw.config.as_ref().map(|config| config.media_type.clone());
        let parts = raw
            .config
            .into_iter()
            .chain(raw.layers.into_iter().flatten());
        let mut blobs: Vec<Digest> = parts
            .filter(|p| !is_elsewhere(p))
            .map(|p| p.digest)
            .collect();
        blobs.sort_unstable();
        blobs.dedup();
        let manifests = raw.manifests.into_iter().flatten().map(|p| p.digest);
        Ok(Self {
            media_type: media_type.to_owned(),
            artifact_type: own_type.or(of_config).filter(|text| !text.is_empty()),
            annotations: raw.annotations,
            blobs,
            manifests: manifests.collect(),
            subject: raw.subject.map(|part| part.digest),
        })
    }

    /// How lists of referrers show it.
    pub(in crate::server) fn descriptor(&self, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            artifact_type: self.artifact_type.clone(),
            annotations: self.annotations.clone(),
            ..Descriptor::new(&self.media_type, digest, size)
        }
    }
}

/// Layers that registries need not have: their makers give them out themselves.
fn is_elsewhere(part: &Part) -> bool {
    part.media_type.contains(".foreign.")
        || part.media_type.contains(".nondistributable.")
        || part.urls.as_ref().is_some_and(|urls| !urls.is_empty())
}

/// A media type without its parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}
