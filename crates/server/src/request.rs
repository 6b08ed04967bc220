//! What handlers take from a request.

use api::{ApiVersion, Query};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::body;
use crate::error::Refusal;

/// The query.
#[derive(Debug)]
pub(crate) struct Params(pub(crate) Query);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        Ok(Self(Query::parse(parts.uri.query().unwrap_or_default())))
    }
}

impl Params {
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.0.number(name).map_err(Refusal::bad)
    }

    pub(crate) fn filters(&self) -> Result<api::Filters, Refusal> {
        api::Filters::parse(self.0.get("filters").unwrap_or_default()).map_err(Refusal::bad)
    }
}

/// The version that the client speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speaks(pub(crate) ApiVersion);

impl Speaks {
    /// Whether it is older than 1.`minor`.
    pub(crate) fn before(self, minor: u16) -> bool {
        self.0 < ApiVersion::new(1, minor)
    }
}

impl<S: Sync> FromRequestParts<S> for Speaks {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        Ok(parts
            .extensions
            .get()
            .copied()
            .unwrap_or(Self(ApiVersion::MAX)))
    }
}

/// A body in JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        json(&parts.headers, &body::collect(body).await?).map(Self)
    }
}

/// Decodes a body in JSON.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    // A web page can make a browser post text, forms and files to another origin unasked, but not this type.
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or("", |kind| kind.to_str().unwrap_or("?"));
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let nothing = kind.is_empty() && body.is_empty();
    if !essence.eq_ignore_ascii_case("application/json") && !nothing {
        let text = format!("unsupported Content-Type header ({kind}): must be 'application/json'");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    api::decode(body).map_err(|error| Refusal::bad(error.to_string()))
}

/// Makes a change of several steps, to its end even if the client goes away in the middle: its steps are no request's.
pub(crate) async fn finish<T: Send + 'static>(
    change: impl Future<Output = engine::Result<T>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(change).await {
        Ok(done) => done.map_err(Refusal::from),
        // Only when the server ends. Whoever opens the store next undoes or completes what was begun.
        Err(error) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error.to_string(),
        )),
    }
}
