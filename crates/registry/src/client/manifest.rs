//! Manifests and indexes.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};
use spec::image::{Descriptor, MAX_DOCUMENT, media};
use spec::{Algorithm, Digest, Hasher};

use super::Repository;
use super::remote::{Ask, Payload, Remote, collect, header_text};
use crate::error::{Error, Kind, Result};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// All that this program understands, best first.
fn accepted() -> String {
    [
        media::OCI_INDEX,
        media::OCI_MANIFEST,
        media::DOCKER_LIST,
        media::DOCKER_MANIFEST,
    ]
    .join(", ")
}

/// A manifest or an index as it came, its digest verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What the registry says that it is; empty if it says nothing.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Fetched {
    /// Its descriptor.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest, self.bytes.len() as u64)
    }
}

impl Repository {
    /// Gets what a tag or a digest leads to.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or what came is not what was asked for.
    pub async fn manifest(&self, name: &str) -> Result<Fetched> {
        let digest: Option<Digest> = name.parse().ok();
        let mut last = None;
        for remote in self.readers(digest.is_none()) {
            match self.manifest_from(remote, name, digest).await {
                Ok(fetched) => return Ok(fetched),
                // Another host may have it.
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| nobody(name)))
    }

    async fn manifest_from(
        &self,
        remote: &Remote,
        name: &str,
        expected: Option<Digest>,
    ) -> Result<Fetched> {
        let path = self.manifest_path(remote, name);
        let accept = accepted();
        let response = remote
            .send(|| Ask::get(path.clone()).header(ACCEPT, &accept))
            .await?;
        let media_type = media_type(response.headers());
        let stated = stated_digest(response.headers());
        let limit = usize::try_from(MAX_DOCUMENT).unwrap_or(usize::MAX);
        let idle = remote.patience().idle;
        let bytes = collect(response.into_body(), limit, idle, &path).await?;
        let wanted = expected.or(stated);
        let mut hasher = wanted.map_or_else(|| Hasher::new(Algorithm::Sha256), |d| d.hasher());
        hasher.update(&bytes);
        let digest = hasher.finish();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != digest) {
            let why = format!("its content has the digest {digest}, not {wanted}");
            return Err(Error::new(Kind::Invalid, "get manifest", name, why));
        }
        Ok(Fetched {
            media_type,
            digest,
            bytes,
        })
    }

    /// Looks where a tag or a digest leads, without getting it; none if it leads nowhere.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub async fn has_manifest(&self, name: &str) -> Result<Option<Descriptor>> {
        let remote = self.main();
        let path = self.manifest_path(remote, name);
        let accept = accepted();
        let ask = || Ask::new(Method::HEAD, path.clone()).header(ACCEPT, &accept);
        let response = match remote.send(ask).await {
            Ok(response) => response,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let headers = response.headers();
        let size = header_text(headers, CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let digest = stated_digest(headers).or_else(|| name.parse().ok());
        let (Some(digest), Some(size)) = (digest, size) else {
            // It says too little: getting it tells.
            return Ok(Some(self.manifest(name).await?.descriptor()));
        };
        Ok(Some(Descriptor::new(&media_type(headers), digest, size)))
    }

    /// Puts a manifest or an index under a tag or its digest. Whether the registry has taken note of its subject, if it has one,
    /// for its referrers.
    ///
    /// # Errors
    /// The registry does not take it.
    pub async fn put_manifest(&self, name: &str, media_type: &str, bytes: Bytes) -> Result<bool> {
        let remote = self.main();
        let path = self.manifest_path(remote, name);
        let length = bytes.len().to_string();
        let ask = || {
            Ask::new(Method::PUT, path.clone())
                .header(CONTENT_TYPE, media_type)
                .header(CONTENT_LENGTH, &length)
                .payload(Payload::Bytes(bytes.clone()))
        };
        let response = remote.send(ask).await?;
        let digest = Digest::of(&bytes);
        match stated_digest(response.headers()) {
            Some(stated) if stated.algorithm() == Algorithm::Sha256 && stated != digest => {
                let why =
                    format!("the registry says that it has the digest {stated}, not {digest}");
                Err(Error::new(Kind::Invalid, "put manifest", name, why))
            }
            _ => Ok(response.headers().contains_key(SUBJECT)),
        }
    }

    /// Takes a manifest (by its digest) or a tag out of the repository.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the registry does not do this.
    pub async fn delete_manifest(&self, name: &str) -> Result<()> {
        let remote = self.main();
        let path = self.manifest_path(remote, name);
        remote
            .send(|| Ask::new(Method::DELETE, path.clone()))
            .await
            .map(drop)
    }

    fn manifest_path(&self, remote: &Remote, name: &str) -> String {
        self.path(remote, &format!("manifests/{name}"))
    }

    /// A path in this repository; those who stand in for others are told for whom.
    pub(super) fn path(&self, remote: &Remote, rest: &str) -> String {
        let path = format!("/{}/{rest}", self.name);
        if remote.is_origin() {
            return path;
        }
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{path}{join}ns={}", self.domain)
    }
}

pub(super) fn nobody(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        "get",
        name,
        "no host of the registry may be asked for it",
    )
}

fn media_type(headers: &HeaderMap) -> String {
    let text = header_text(headers, CONTENT_TYPE).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().to_owned()
}

fn stated_digest(headers: &HeaderMap) -> Option<Digest> {
    header_text(headers, CONTENT_DIGEST)?.parse().ok()
}
