//! Manifests and indexes: kept as they come, byte for byte.

mod document;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;
use spec::image::MAX_DOCUMENT;
use spec::{Algorithm, Digest};

use super::blob::{accepted, finish};
use super::body::Body;
use super::catalogue::{Kept, Repository};
use super::name::{Name, Target, is_tag};
use super::refusal::Refusal;
use super::route::Query;
use super::upload::collect;
use super::{CONTENT_DIGEST, Server, condition};
use crate::error::Result;

pub(super) use document::Document;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");
/// Tags in one request.
const TAGS: usize = 100;

impl Server {
    pub(super) async fn get_manifest(
        &self,
        method: &Method,
        headers: &HeaderMap,
        name: &Name,
        target: &Target,
    ) -> Result<Response<Body>, Refusal> {
        let repository = Repository::new(&*self.storage().records, name);
        let (digest, shown) = match target {
            Target::Digest(digest) => (Some(*digest), digest.to_string()),
            Target::Tag(tag) => (repository.tag(tag).await?, tag.clone()),
        };
        let kept = match &digest {
            Some(digest) => repository.manifest(digest).await?,
            None => None,
        };
        let (Some(digest), Some(kept)) = (digest, kept) else {
            return Err(Refusal::manifest_unknown(&shown));
        };
        if matches!(target, Target::Tag(_)) && !accepts(headers, &kept.media_type) {
            let refusal = Refusal::manifest_unknown(&shown);
            let media_type = &kept.media_type;
            return Err(Refusal {
                message: format!(
                    "what was found is {media_type}, which the client does not accept"
                ),
                ..refusal
            });
        }
        let tag = condition::tag(&digest);
        let response = Response::builder()
            .header(header::ETAG, &tag)
            .header(CONTENT_DIGEST, digest.to_string())
            .header(header::VARY, "Accept")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if let Some(status) = condition::unmet(headers, &tag) {
            return Ok(condition::answer(response, status));
        }
        let response = response
            .header(header::CONTENT_TYPE, &kept.media_type)
            .header(header::CONTENT_LENGTH, kept.bytes.len());
        let body = match *method {
            Method::HEAD => Body::empty(),
            _ => Body::bytes(kept.bytes),
        };
        Ok(finish(response, body))
    }

    pub(super) async fn put_manifest(
        &self,
        name: &Name,
        target: &Target,
        query: &Query,
        (headers, body): (&HeaderMap, Incoming),
    ) -> Result<Response<Body>, Refusal> {
        let most = usize::try_from(MAX_DOCUMENT).unwrap_or(usize::MAX);
        let bytes = collect(body, most, self.limits().idle).await?;
        let declared = headers.get(header::CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok());
        let document = Document::parse(&bytes, declared).map_err(Refusal::manifest_invalid)?;
        let mut tags: Vec<&str> = query.all("tag").collect();
        let digest = match target {
            Target::Digest(digest) => verified(&bytes, digest)?,
            Target::Tag(tag) => {
                tags.insert(0, tag);
                match query.get("digest") {
                    Some(text) => verified(&bytes, &super::upload::parse_digest(text)?)?,
                    None => Digest::of(&bytes),
                }
            }
        };
        if tags.len() > TAGS || !tags.iter().all(|tag| is_tag(tag)) {
            let why = "a tag is invalid, or there are too many";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "TAG_INVALID", why));
        }
        self.keep_manifest(name, &digest, &document, bytes).await?;
        let repository = Repository::new(&*self.storage().records, name);
        for tag in &tags {
            repository.set_tag(tag, &digest).await?;
        }
        let mut response = Response::builder()
            .status(StatusCode::CREATED)
            .header(header::LOCATION, format!("/v2/{name}/manifests/{digest}"))
            .header(CONTENT_DIGEST, digest.to_string())
            .header(header::CONTENT_LENGTH, 0);
        if let Some(subject) = &document.subject {
            response = response.header(SUBJECT, subject.to_string());
        }
        for tag in query.all("tag") {
            response = response.header(TAG, tag);
        }
        Ok(finish(response, Body::empty()))
    }

    /// Keeps a manifest of which everything is there. The order matters to whoever is killed in it: what is referred to comes first.
    pub(super) async fn keep_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        document: &Document,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        self.require(name, document).await?;
        let _shared = self.content().read().await;
        let repository = Repository::new(&*self.storage().records, name);
        let descriptor = document.descriptor(*digest, bytes.len() as u64);
        let kept = Kept {
            media_type: document.media_type.clone(),
            at: self.now(),
            bytes,
        };
        repository.put_manifest(digest, &kept).await?;
        if let Some(subject) = &document.subject {
            repository.add_referrer(subject, &descriptor).await?;
        }
        Ok(repository.enter().await?)
    }

    /// Everything that a manifest is made of must be in its repository, and is kept from now on.
    async fn require(&self, name: &Name, document: &Document) -> Result<(), Refusal> {
        let repository = Repository::new(&*self.storage().records, name);
        let missing = |digest: &Digest| {
            let status = StatusCode::NOT_FOUND;
            let why = "a blob or manifest that it names is unknown to the repository";
            Refusal::new(status, "MANIFEST_BLOB_UNKNOWN", why)
                .detail(json!({ "digest": digest.to_string() }))
        };
        for digest in &document.blobs {
            let unknown = |refusal: Refusal| match refusal.code {
                "BLOB_UNKNOWN" => missing(digest),
                _ => refusal,
            };
            let blob = self.blob_in(name, digest).await.map_err(unknown)?;
            let renewed = self.renew(name, digest, blob.since).await;
            renewed.map_err(unknown)?;
        }
        for digest in &document.manifests {
            let _shared = self.content().read().await;
            match repository.manifest(digest).await? {
                Some(kept) if self.now() - kept.at >= self.lease() / 2 => {
                    let at = self.now();
                    repository
                        .put_manifest(digest, &Kept { at, ..kept })
                        .await?;
                }
                None if !self.limits().sparse => return Err(missing(digest)),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn delete_manifest(
        &self,
        name: &Name,
        target: &Target,
    ) -> Result<Response<Body>, Refusal> {
        let repository = Repository::new(&*self.storage().records, name);
        match target {
            Target::Tag(tag) => {
                if !repository.remove_tag(tag).await? {
                    return Err(Refusal::manifest_unknown(tag));
                }
            }
            Target::Digest(digest) => {
                let kept = repository.manifest(digest).await?;
                let kept = kept.ok_or_else(|| Refusal::manifest_unknown(&digest.to_string()))?;
                self.untag(&repository, digest).await?;
                self.drop_manifest(&repository, digest, &kept).await?;
            }
        }
        Ok(accepted())
    }

    /// Takes a manifest away, and what it says about another.
    pub(super) async fn drop_manifest(
        &self,
        repository: &Repository<'_>,
        digest: &Digest,
        kept: &Kept,
    ) -> Result<()> {
        let document = Document::parse(&kept.bytes, Some(&kept.media_type));
        if let Ok(Document {
            subject: Some(subject),
            ..
        }) = document
        {
            repository.remove_referrer(&subject, digest).await?;
        }
        repository.remove_manifest(digest).await.map(drop)
    }

    /// Takes away the tags that lead to a manifest.
    async fn untag(&self, repository: &Repository<'_>, digest: &Digest) -> Result<(), Refusal> {
        const PAGE: usize = 1000;
        let mut after = String::new();
        loop {
            let tags = repository.tags(&after, PAGE).await?;
            for tag in &tags {
                if repository.tag(tag).await? == Some(*digest) {
                    repository.remove_tag(tag).await?;
                }
            }
            match tags.last() {
                Some(last) if tags.len() == PAGE => after.clone_from(last),
                _ => return Ok(()),
            }
        }
    }
}

fn verified(bytes: &[u8], digest: &Digest) -> Result<Digest, Refusal> {
    let found = match digest.algorithm() {
        Algorithm::Sha256 => Digest::of(bytes),
        _ => {
            let mut hasher = digest.hasher();
            hasher.update(bytes);
            hasher.finish()
        }
    };
    if found == *digest {
        return Ok(found);
    }
    Err(Refusal::digest_invalid(
        "provided digest did not match uploaded content",
    ))
}

/// Whether the client takes what a tag leads to. One that says nothing takes anything.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let mut said = false;
    for one in values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
    {
        let one = one.split(';').next().unwrap_or_default().trim();
        if one.is_empty() {
            continue;
        }
        said = true;
        if matches!(one, "*/*" | "application/*") || one.eq_ignore_ascii_case(media_type) {
            return true;
        }
    }
    !said
}
