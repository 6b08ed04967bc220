//! The crate's error.

/// What kind of text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A digest or an id made of one.
    Digest,
    /// An image reference.
    Reference,
    /// A platform.
    Platform,
    /// A name or id of a container or volume.
    Name,
    /// A manifest, an index or an image configuration.
    Document,
}

/// A text that is not what it should be. The message names the text and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    /// What kind of text was refused.
    pub kind: Kind,
    message: String,
}

/// The result of parsing.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// `text` cut to a length that fits a message; it may be megabytes from a stranger.
pub(crate) fn shown(text: &str) -> &str {
    const MOST: usize = 300;
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
