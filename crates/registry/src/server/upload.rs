//! Blobs that come: at once, in chunks, or by a mount from another repository.

mod turn;

use std::io;
use std::ops::Range;
use std::pin::pin;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use http_body_util::{BodyExt as _, BodyStream, Limited};
use hyper::body::Incoming;
use spec::Digest;

use super::access::Caller;
use super::blob::finish;
use super::body::Body;
use super::catalogue::Repository;
use super::name::Name;
use super::range;
use super::refusal::Refusal;
use super::route::Query;
use super::storage::{Pieces, Upload};
use super::{CONTENT_DIGEST, Server};
use crate::error::{Error, Kind};

pub(super) use turn::Turns;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Where an upload goes: a repository, and who pushes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) name: &'a Name,
    pub(super) caller: &'a Caller,
}

impl Place<'_> {
    /// An upload is of use only to whoever began it, in the repository that it was begun in.
    fn owner(&self) -> String {
        format!("{}\n{}", self.name, self.caller.name())
    }
}

impl Server {
    /// `POST`: a mount, a whole blob, or the beginning of an upload.
    pub(super) async fn begin_upload(
        &self,
        place: Place<'_>,
        query: &Query,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Response<Body>, Refusal> {
        if let Some(mount) = query.get("mount")
            && let Some(digest) = self.mount(place, mount, query.get("from")).await?
        {
            return Ok(created(place.name, &digest));
        }
        let digest = query.get("digest").map(parse_digest).transpose()?;
        let id = self.new_upload(place).await?;
        let Some(digest) = digest else {
            return Ok(self.progress(place.name, &id, 0, StatusCode::ACCEPTED));
        };
        let size = match self.take(&id, 0, headers, body).await {
            Ok(size) => size,
            Err(refusal) => {
                // Nobody was told of it.
                self.forget(&id).await;
                return Err(refusal);
            }
        };
        self.complete(place, &id, size, &digest).await
    }

    async fn new_upload(&self, place: Place<'_>) -> Result<String, Refusal> {
        if !self.uploads().enter() {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let why = "too many uploads are under way: finish or cancel some, or try again later";
            return Err(
                Refusal::new(status, "TOOMANYREQUESTS", why).header(header::RETRY_AFTER, "60")
            );
        }
        let id = super::random_id()?;
        let begun = self.storage().uploads.begin(&id, &place.owner()).await;
        if begun.is_err() {
            self.uploads().leave();
        }
        begun?;
        Ok(id)
    }

    /// Makes a blob of another repository one of this, if the caller may read that; none if there is no such blob.
    async fn mount(
        &self,
        place: Place<'_>,
        mount: &str,
        from: Option<&str>,
    ) -> Result<Option<Digest>, Refusal> {
        // A mount that can't be is an upload: what is wrong with its words doesn't matter.
        let Ok(digest) = mount.parse::<Digest>() else {
            return Ok(None);
        };
        let storage = self.storage();
        let _shared = self.content().read().await;
        let there = match from {
            Some(from) => match Name::parse(from) {
                Some(from) if self.may_pull(place.caller, &from) => {
                    let from = Repository::new(&*storage.records, &from);
                    from.blob(&digest).await?.is_some()
                }
                _ => false,
            },
            // From anywhere: only for those who may read everything, who learn nothing by it.
            None => self.access().allows_all(place.caller),
        };
        if !there || !storage.blobs.touch(&digest).await? {
            return Ok(None);
        }
        let into = Repository::new(&*storage.records, place.name);
        into.link_blob(&digest, self.now()).await?;
        Ok(Some(digest))
    }

    /// The upload, if it is this caller's in this repository.
    async fn upload_of(&self, place: Place<'_>, id: &str) -> Result<Upload, Refusal> {
        let upload = self.storage().uploads.look(id).await?;
        upload
            .filter(|upload| upload.owner == place.owner())
            .ok_or_else(Refusal::upload_unknown)
    }

    /// `GET`: how far it is.
    pub(super) async fn look_at_upload(
        &self,
        place: Place<'_>,
        id: &str,
    ) -> Result<Response<Body>, Refusal> {
        let upload = self.upload_of(place, id).await?;
        Ok(self.progress(place.name, id, upload.size, StatusCode::NO_CONTENT))
    }

    /// `DELETE`.
    pub(super) async fn cancel_upload(
        &self,
        place: Place<'_>,
        id: &str,
    ) -> Result<Response<Body>, Refusal> {
        self.upload_of(place, id).await?;
        self.turns().interrupt(id);
        if !self.storage().uploads.cancel(id).await? {
            return Err(Refusal::upload_unknown());
        }
        self.uploads().leave();
        Ok(finish(
            Response::builder().status(StatusCode::NO_CONTENT),
            Body::empty(),
        ))
    }

    /// `PATCH`: a chunk, or a stream.
    pub(super) async fn add_to_upload(
        &self,
        place: Place<'_>,
        id: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Response<Body>, Refusal> {
        let upload = self.upload_of(place, id).await?;
        let size = self.next(place, id, &upload, headers, body).await?;
        Ok(self.progress(place.name, id, size, StatusCode::ACCEPTED))
    }

    /// `PUT`: perhaps a last chunk, and the digest of all.
    pub(super) async fn end_upload(
        &self,
        place: Place<'_>,
        id: &str,
        query: &Query,
        (headers, body): (&HeaderMap, Incoming),
    ) -> Result<Response<Body>, Refusal> {
        let digest = query.get("digest").unwrap_or_default();
        let digest = parse_digest(digest)?;
        let upload = self.upload_of(place, id).await?;
        let size = self.next(place, id, &upload, headers, body).await?;
        self.complete(place, id, size, &digest).await
    }

    /// Takes a chunk that must come next.
    async fn next(
        &self,
        place: Place<'_>,
        id: &str,
        upload: &Upload,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<u64, Refusal> {
        let out_of_order = |size: u64| {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            Refusal::new(
                status,
                "BLOB_UPLOAD_INVALID",
                "the chunk does not come next",
            )
            .header(header::RANGE, &range::received(size))
            .header(header::LOCATION, &location(place.name, id))
            .header(UPLOAD_ID, id)
        };
        if let Some(chunk) = chunk(headers)?
            && chunk.start != upload.size
        {
            return Err(out_of_order(upload.size));
        }
        match self.take(id, upload.size, headers, body).await {
            Err(refusal) if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                let now = self.upload_of(place, id).await?;
                Err(out_of_order(now.size))
            }
            other => other,
        }
    }

    /// Takes the bytes of a request. What came of those that broke off stays.
    async fn take(
        &self,
        id: &str,
        at: u64,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<u64, Refusal> {
        let length = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(range::number);
        let chunk = chunk(headers)?;
        let expected = chunk.map(|chunk| chunk.end - chunk.start);
        if let (Some(expected), Some(length)) = (expected, length)
            && expected != length
        {
            return Err(size_invalid("the range and the length of the chunk differ"));
        }
        let room = self.limits().blob.saturating_sub(at);
        let expected = expected.or(length);
        if expected.is_some_and(|expected| expected > room) {
            return Err(too_large());
        }
        if expected == Some(0) {
            return Ok(at);
        }
        let turn = self.turns().take(id);
        let most = usize::try_from(expected.unwrap_or(room)).unwrap_or(usize::MAX);
        let pieces = self.pieces(Limited::new(body, most), turn);
        match self.storage().uploads.append(id, at, pieces).await {
            Ok(size) if expected.is_some_and(|expected| size - at != expected) => {
                Err(size_invalid("the chunk has another length than it says"))
            }
            Ok(size) => {
                self.metrics().received(size - at);
                Ok(size)
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// The body of a request, which may not be silent for too long.
    fn pieces(&self, body: Limited<Incoming>, turn: turn::Turn) -> Pieces {
        let idle = self.limits().idle;
        let frames = BodyStream::new(body);
        let state = (frames, turn, false);
        Box::pin(futures_util::stream::unfold(
            state,
            move |(mut frames, mut turn, over)| async move {
                if over {
                    return None;
                }
                let next = {
                    let mut taken = pin!(turn.taken());
                    tokio::select! {
                        biased;
                        () = &mut taken => Err(io::Error::other(Interrupted)),
                        next = tokio::time::timeout(idle, frames.next()) => match next {
                            Err(_) => Err(io::ErrorKind::TimedOut.into()),
                            Ok(None) => return None,
                            Ok(Some(frame)) => frame.map_err(io::Error::other),
                        },
                    }
                };
                let over = next.is_err();
                // Trailers say nothing here.
                let piece = next.map(|frame| frame.into_data().unwrap_or_default());
                Some((piece, (frames, turn, over)))
            },
        ))
    }

    /// Makes an upload a blob of the repository.
    async fn complete(
        &self,
        place: Place<'_>,
        id: &str,
        size: u64,
        digest: &Digest,
    ) -> Result<Response<Body>, Refusal> {
        let storage = self.storage();
        let _shared = self.content().read().await;
        match storage.uploads.finish(id, digest).await {
            Ok(_) => self.uploads().leave(),
            Err(error) if error.kind == Kind::Invalid => {
                // It can't become right any more.
                self.forget(id).await;
                let why = "provided digest did not match uploaded content";
                return Err(Refusal::digest_invalid(why).detail(serde_json::json!({
                    "digest": digest.to_string(),
                    "size": size,
                })));
            }
            Err(error) => return Err(refused(error)),
        }
        let repository = Repository::new(&*storage.records, place.name);
        repository.link_blob(digest, self.now()).await?;
        Ok(created(place.name, digest))
    }

    /// Drops an upload. If that fails, it expires.
    async fn forget(&self, id: &str) {
        match self.storage().uploads.cancel(id).await {
            Ok(true) => self.uploads().leave(),
            Ok(false) => {}
            Err(error) => self.complain(&error),
        }
    }

    fn progress(&self, name: &Name, id: &str, size: u64, status: StatusCode) -> Response<Body> {
        let mut response = Response::builder()
            .status(status)
            .header(header::LOCATION, location(name, id))
            .header(header::RANGE, range::received(size))
            .header(UPLOAD_ID, id);
        if status != StatusCode::NO_CONTENT {
            response = response.header(header::CONTENT_LENGTH, 0);
        }
        finish(response, Body::empty())
    }
}

/// Another request for the same upload came.
#[derive(Debug)]
struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another request for the same upload came")
    }
}

impl std::error::Error for Interrupted {}

fn location(name: &Name, id: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

fn created(name: &Name, digest: &Digest) -> Response<Body> {
    let response = Response::builder()
        .status(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{name}/blobs/{digest}"))
        .header(CONTENT_DIGEST, digest.to_string())
        .header(header::CONTENT_LENGTH, 0);
    finish(response, Body::empty())
}

pub(super) fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    text.parse()
        .map_err(|e: spec::Error| Refusal::digest_invalid(e.to_string()))
}

fn chunk(headers: &HeaderMap) -> Result<Option<Range<u64>>, Refusal> {
    let Some(value) = headers.get(header::CONTENT_RANGE) else {
        return Ok(None);
    };
    let chunk = value.to_str().ok().and_then(range::chunk);
    let why = "invalid content range: expected first-last";
    chunk.map(Some).ok_or_else(|| Refusal::upload_invalid(why))
}

fn size_invalid(why: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", why)
}

fn too_large() -> Refusal {
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    Refusal::new(
        status,
        "SIZE_INVALID",
        "the blob is larger than this registry takes",
    )
}

/// Why an upload got no further.
fn refused(error: Error) -> Refusal {
    match error.kind {
        Kind::NotFound => Refusal::upload_unknown(),
        Kind::Conflict => {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            Refusal::new(
                status,
                "BLOB_UPLOAD_INVALID",
                "the chunk does not come next",
            )
        }
        Kind::Unavailable => broken(&error),
        _ => error.into(),
    }
}

/// The client broke off, or was cut off.
fn broken(error: &Error) -> Refusal {
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        if why.is::<http_body_util::LengthLimitError>() {
            return size_invalid("the chunk is longer than it says, or than this registry takes");
        }
        if let Some(io) = why.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::TimedOut
        {
            let status = StatusCode::REQUEST_TIMEOUT;
            return Refusal::new(status, "BLOB_UPLOAD_INVALID", "nothing came for too long");
        }
        cause = match why.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => why.source(),
        };
    }
    Refusal::upload_invalid("the chunk broke off")
}

/// All of a small body.
pub(super) async fn collect(
    body: Incoming,
    most: usize,
    idle: std::time::Duration,
) -> Result<Bytes, Refusal> {
    let whole = tokio::time::timeout(idle, Limited::new(body, most).collect()).await;
    match whole {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "MANIFEST_INVALID",
            format!("the manifest is larger than {most} bytes"),
        )),
        Ok(Err(_)) => Err(Refusal::manifest_invalid("the manifest broke off")),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "MANIFEST_INVALID",
            "the manifest took too long",
        )),
    }
}
