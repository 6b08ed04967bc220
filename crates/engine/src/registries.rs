//! What registries say when something fails, in Docker's words.

use ::registry::Kind as Why;

use crate::error::{Error, Kind};

impl From<::registry::Error> for Error {
    fn from(error: ::registry::Error) -> Self {
        let kind = match error.kind {
            Why::NotFound => Kind::NotFound,
            Why::TooMany => Kind::Unavailable,
            _ => Kind::Internal,
        };
        let mut own = Self::new(kind, error.chain());
        own.hint.clone_from(&error.hint);
        own
    }
}

/// Why an image can't be had. Registries don't tell those without rights what there is, so both look the same.
pub(crate) fn no_image(error: ::registry::Error, name: &str, reference: &str) -> Error {
    let chain = error.chain();
    let unknown = chain.contains("name unknown");
    match error.kind {
        Why::NotFound if !unknown => Error::not_found(format!(
            "manifest for {reference} not found: manifest unknown: manifest unknown"
        )),
        Why::NotFound | Why::Unauthorized | Why::Denied => Error::not_found(format!(
            "pull access denied for {name}, repository does not exist or may require 'docker login': {chain}"
        )),
        _ => error.into(),
    }
}
