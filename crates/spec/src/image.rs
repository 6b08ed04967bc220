//! Images as registries and archives carry them: descriptors, manifests, indexes, configurations; OCI's and Docker's.

mod config;
mod document;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

pub use config::{Config, Empty, Healthcheck, History, ImageConfig, RootFs};
pub use document::{Document, Index, Manifest};

/// The largest manifest, index or configuration that is read (distribution-spec: registries must take 4 MiB).
pub const MAX_DOCUMENT: u64 = 4 << 20;
/// The most layers of an image: overlayfs takes 500, Docker 127 and its base.
pub const MAX_LAYERS: usize = 128;
/// The most manifests of an index.
pub const MAX_MANIFESTS: usize = 4096;
/// How deep an index may be nested in indexes.
pub const MAX_INDEX_DEPTH: usize = 4;

/// Media types by name.
pub mod media {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An OCI layer: a plain tar.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// An OCI layer: a tar in gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// An OCI layer: a tar in zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// OCI's empty blob `{}`, for what must have a descriptor.
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// A Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A Docker layer: a plain tar.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// A Docker layer: a tar in gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// A Docker layer: a tar in zstd.
    pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
    /// A Docker layer that is not to be pushed.
    pub const DOCKER_FOREIGN_GZIP: &str =
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

    /// Whether it is that of an image manifest.
    #[must_use]
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// Whether it is that of an index or manifest list.
    #[must_use]
    pub fn is_index(media_type: &str) -> bool {
        matches!(media_type, OCI_INDEX | DOCKER_LIST)
    }

    /// Whether it is that of a layer that can be unpacked. The compression is never taken from it: the bytes tell.
    #[must_use]
    pub fn is_layer(media_type: &str) -> bool {
        matches!(
            media_type,
            OCI_LAYER
                | OCI_LAYER_GZIP
                | OCI_LAYER_ZSTD
                | DOCKER_LAYER
                | DOCKER_LAYER_GZIP
                | DOCKER_LAYER_ZSTD
                | DOCKER_FOREIGN_GZIP
        ) || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
    }
}

/// Text by text, in order, so that the same document always has the same bytes.
pub type Annotations = BTreeMap<String, String>;

/// Names a blob, with its size and meaning (OCI image-spec, descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    #[serde(default)]
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// Where else it may be; never followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// What others say about it; data only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// What machine it is for: in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The blob itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The kind of artifact that a manifest describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor with nothing optional.
    #[must_use]
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let media_type = media_type.to_owned();
        Self {
            media_type,
            digest,
            size,
            urls: None,
            annotations: None,
            platform: None,
            data: None,
            artifact_type: None,
        }
    }

    /// A descriptor must say what it describes, and no blob is empty.
    pub(crate) fn check(&self) -> crate::Result<()> {
        let Self {
            digest,
            media_type,
            size,
            ..
        } = self;
        let token = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.len() <= 127
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        if !media_type
            .split_once('/')
            .is_some_and(|(a, b)| token(a) && token(b))
        {
            return Err(document::bad(format!(
                "invalid manifest: descriptor of {digest} has no valid media type"
            )));
        }
        // Larger numbers are negative to the other tools.
        if *size == 0 || i64::try_from(*size).is_err() {
            return Err(document::bad(format!(
                "invalid manifest: descriptor of {digest} has the size {size}"
            )));
        }
        Ok(())
    }
}
