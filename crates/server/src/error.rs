//! What a client is told when a request fails: the one table from the engine's kinds to HTTP, in Docker's words.

use axum::response::{IntoResponse, Response};
use engine::Kind;
use http::StatusCode;

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// What a handler gives.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            hint: None,
        }
    }

    /// The request is wrong.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// It asks for something that is not built.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    pub(crate) fn page_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "page not found")
    }
}

impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        let status = match error.kind {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            // Docker counts a program that can't be executed among wrong parameters.
            Kind::InvalidParameter | Kind::CommandNotFound | Kind::CommandNotExecutable => {
                StatusCode::BAD_REQUEST
            }
            Kind::NotModified => StatusCode::NOT_MODIFIED,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut message = error.chain();
        add_docker_words(error.kind, &mut message);
        Self {
            status,
            message,
            hint: error.hint,
        }
    }
}

/// Docker's CLI finds its exit codes 127 and 126 by looking for one of these texts in the message.
fn add_docker_words(kind: Kind, message: &mut String) {
    let words: &[&str] = match kind {
        Kind::CommandNotFound => &["executable file not found", "no such file or directory"],
        Kind::CommandNotExecutable => &["permission denied", "is a directory"],
        _ => return,
    };
    if !words.iter().any(|word| message.contains(word)) {
        message.push_str(": ");
        message.push_str(words[0]);
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return self.status.into_response();
        }
        let body = api::ErrorResponse {
            message: self.message,
            hint: self.hint.unwrap_or_default(),
        };
        (self.status, axum::Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests;
