//! Blobs that are there: looked at, got whole or in part, taken out of a repository.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use spec::Digest;

use super::body::Body;
use super::catalogue::Repository;
use super::name::Name;
use super::range::{self, Wanted};
use super::refusal::Refusal;
use super::storage::Blob;
use super::{CONTENT_DIGEST, Server, condition};

/// A blob never changes.
const FOREVER: &str = "private, max-age=31536000, immutable";

impl Server {
    /// The blob, if this repository has it: whoever may read another repository learns nothing here (CVE-2026-35172).
    pub(super) async fn blob_in(&self, name: &Name, digest: &Digest) -> Result<Blob, Refusal> {
        let storage = self.storage();
        let unknown = || Refusal::blob_unknown(digest);
        let repository = Repository::new(&*storage.records, name);
        let since = repository.blob(digest).await?.ok_or_else(unknown)?;
        let blob = storage.blobs.look(digest).await?.ok_or_else(unknown)?;
        Ok(Blob {
            since: since.min(blob.since),
            ..blob
        })
    }

    /// Sees to it that what a client relies on from now on is not collected before it has been used.
    pub(super) async fn renew(
        &self,
        name: &Name,
        digest: &Digest,
        since: i64,
    ) -> Result<(), Refusal> {
        if self.now() - since < self.lease() / 2 {
            return Ok(());
        }
        let storage = self.storage();
        let _shared = self.content().read().await;
        if !storage.blobs.touch(digest).await? {
            return Err(Refusal::blob_unknown(digest));
        }
        let repository = Repository::new(&*storage.records, name);
        // It may have been taken out meanwhile: then it is not put back.
        if repository.blob(digest).await?.is_none() {
            return Err(Refusal::blob_unknown(digest));
        }
        Ok(repository.link_blob(digest, self.now()).await?)
    }

    pub(super) async fn get_blob(
        &self,
        method: &Method,
        headers: &HeaderMap,
        name: &Name,
        digest: &Digest,
    ) -> Result<Response<Body>, Refusal> {
        let blob = self.blob_in(name, digest).await?;
        if method == Method::HEAD && self.writable() {
            // A client that finds it here will not send it.
            self.renew(name, digest, blob.since).await?;
        }
        let tag = condition::tag(digest);
        let mut response = Response::builder()
            .header(header::ETAG, &tag)
            .header(CONTENT_DIGEST, digest.to_string())
            .header(header::CACHE_CONTROL, FOREVER)
            .header(header::ACCEPT_RANGES, "bytes");
        if let Some(status) = condition::unmet(headers, &tag) {
            return Ok(condition::answer(response, status));
        }
        let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok());
        let range = range.filter(|_| condition::range_applies(headers, &tag));
        let range = match range::wanted(range, blob.size) {
            Wanted::Whole => 0..blob.size,
            Wanted::Part(range) => {
                let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, blob.size);
                response = response
                    .status(StatusCode::PARTIAL_CONTENT)
                    .header(header::CONTENT_RANGE, shown);
                range
            }
            Wanted::Nothing => {
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                let refusal = Refusal::new(status, "RANGE_INVALID", "invalid content range");
                return Err(
                    refusal.header(header::CONTENT_RANGE, &format!("bytes */{}", blob.size))
                );
            }
        };
        // What somebody pushed is never a page of this host.
        let response = response
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::CONTENT_DISPOSITION, "attachment")
            .header(header::CONTENT_LENGTH, range.end - range.start);
        let body = if method == Method::HEAD || range.is_empty() {
            Body::empty()
        } else {
            let content = self.storage().blobs.read(digest, range.clone()).await?;
            self.metrics().sent(range.end - range.start);
            Body::content(content, range)
        };
        Ok(finish(response, body))
    }

    pub(super) async fn delete_blob(
        &self,
        name: &Name,
        digest: &Digest,
    ) -> Result<Response<Body>, Refusal> {
        let repository = Repository::new(&*self.storage().records, name);
        if !repository.unlink_blob(digest).await? {
            return Err(Refusal::blob_unknown(digest));
        }
        Ok(accepted())
    }
}

/// What was asked for is done, as far as the client can see.
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    let zero = HeaderValue::from_static("0");
    response.headers_mut().insert(header::CONTENT_LENGTH, zero);
    response
}

/// All header values are made of digests, numbers and checked names.
pub(super) fn finish(response: http::response::Builder, body: Body) -> Response<Body> {
    response.body(body).unwrap_or_else(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal::new(status, "UNKNOWN", "a header has no valid value").into_response()
    })
}
