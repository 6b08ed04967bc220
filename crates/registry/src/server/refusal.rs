//! What a client is told when it doesn't get what it asked for (distribution-spec, "Error codes").

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::body::Body;
use crate::error::{Error, Kind};

/// A refusal: a status, a code of the specification's table, and a message.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) detail: serde_json::Value,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What went wrong on this side: for the operator, not for the client.
    pub(crate) cause: Option<Box<Error>>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: serde_json::Value::Null,
            headers: Vec::new(),
            cause: None,
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }

    /// Adds a header; one that is none is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn name_invalid() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "NAME_INVALID",
            "invalid repository name",
        )
    }

    pub(crate) fn name_unknown(name: &str) -> Self {
        let message = "repository name not known to registry";
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).detail(json!({ "name": name }))
    }

    pub(crate) fn digest_invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", why)
    }

    pub(crate) fn blob_unknown(digest: &spec::Digest) -> Self {
        let message = "blob unknown to registry";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message)
            .detail(json!({ "digest": digest.to_string() }))
    }

    pub(crate) fn manifest_unknown(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "manifest unknown",
        )
        .detail(json!({ "reference": what }))
    }

    pub(crate) fn manifest_invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", why)
    }

    pub(crate) fn upload_unknown() -> Self {
        let message = "blob upload unknown to registry";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
    }

    pub(crate) fn upload_invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", why)
    }

    pub(crate) fn denied(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", why)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "UNSUPPORTED",
            "there is no such page",
        )
    }

    pub(crate) fn unsupported(allow: &'static str) -> Self {
        let message = "the operation is unsupported";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
            .header(header::ALLOW, allow)
    }

    /// The answer that says so.
    pub(crate) fn into_response(self) -> Response<Body> {
        let error = json!({ "errors": [{
            "code": self.code,
            "message": self.message,
            "detail": self.detail,
        }] });
        let mut response = Response::new(Body::text(error.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, message) = match error.kind {
            Kind::Unavailable | Kind::Unreachable | Kind::TooMany => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the registry can't do this now",
            ),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the registry failed"),
        };
        Self {
            cause: Some(Box::new(error)),
            ..Self::new(status, "UNKNOWN", message)
        }
    }
}
