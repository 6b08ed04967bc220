//! Manifests and indexes: which of them some bytes are, beyond doubt (CVE-2021-41190).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Annotations, Descriptor, MAX_DOCUMENT, MAX_LAYERS, MAX_MANIFESTS, media};
use crate::error::{Error, Kind, Result, shown};

/// An image of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The kind of artifact, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, bottom first.
    pub layers: Vec<Descriptor>,
    /// What it says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What others say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// Images of several platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The kind of artifact, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests, and indexes in it.
    pub manifests: Vec<Descriptor>,
    /// What it says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What others say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// What a reference in a registry leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Document {
    /// An image of one platform.
    Manifest(Manifest),
    /// Images of several platforms.
    Index(Index),
}

/// The fields that tell what a document is, whatever they hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(borrow, default)]
    config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    layers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    manifests: Option<&'a RawValue>,
    #[serde(borrow, default)]
    fs_layers: Option<&'a RawValue>,
}

impl Document {
    /// Reads a manifest or an index. `declared` is the media type that the sender or the descriptor gave, if any: it, the
    /// document's own and the document's shape must agree.
    ///
    /// # Errors
    /// The bytes are neither, are both, or are beyond the limits.
    pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Self> {
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(bad(format!(
                "manifest of {} bytes is over the limit of {MAX_DOCUMENT}",
                bytes.len()
            )));
        }
        let shape: Shape<'_> =
            serde_json::from_slice(bytes).map_err(|e| bad(format!("invalid manifest: {e}")))?;
        if shape.fs_layers.is_some() || shape.schema_version == Some(1) {
            return Err(bad(
                "manifest schema version 1 is not supported: push the image again with a current tool",
            ));
        }
        if shape.schema_version != Some(2) {
            return Err(bad("invalid manifest: schemaVersion is not 2"));
        }
        let is_manifest = shape.config.is_some() || shape.layers.is_some();
        let types = [declared, shape.media_type.as_deref()];
        for media_type in types.into_iter().flatten() {
            let fits = if is_manifest {
                media::is_manifest(media_type)
            } else {
                media::is_index(media_type)
            };
            if !fits {
                return Err(bad(format!(
                    "manifest's media type {:?} does not fit its content",
                    shown(media_type)
                )));
            }
        }
        if let [Some(outer), Some(inner)] = types
            && outer != inner
        {
            let (outer, inner) = (shown(outer), shown(inner));
            return Err(bad(format!(
                "manifest was announced as {outer:?} but says that it is {inner:?}"
            )));
        }
        match (is_manifest, shape.manifests.is_some()) {
            (true, true) => Err(bad("invalid manifest: it has both layers and manifests")),
            (true, false) => Manifest::parse(bytes).map(Self::Manifest),
            (false, true) => Index::parse(bytes).map(Self::Index),
            (false, false) => Err(bad("invalid manifest: it has neither layers nor manifests")),
        }
    }
}

impl Manifest {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|e| bad(format!("invalid manifest: {e}")))?;
        if manifest.layers.len() > MAX_LAYERS {
            return Err(bad(format!(
                "manifest has {} layers, over the limit of {MAX_LAYERS}",
                manifest.layers.len()
            )));
        }
        manifest
            .layers
            .iter()
            .chain([&manifest.config])
            .try_for_each(Descriptor::check)?;
        Ok(manifest)
    }
}

impl Index {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let index: Self =
            serde_json::from_slice(bytes).map_err(|e| bad(format!("invalid index: {e}")))?;
        if index.manifests.len() > MAX_MANIFESTS {
            return Err(bad(format!(
                "index has {} manifests, over the limit of {MAX_MANIFESTS}",
                index.manifests.len()
            )));
        }
        index.manifests.iter().try_for_each(Descriptor::check)?;
        Ok(index)
    }
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::new(Kind::Document, message)
}
