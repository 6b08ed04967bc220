//! The crate's error.

use std::io;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A system call failed.
    Io,
    /// The other side closed the connection.
    Closed,
    /// A message or file is larger than its limit.
    TooLarge,
    /// The other side speaks another version.
    Version,
    /// The bytes are not what they should be.
    Malformed,
    /// A living monitor holds the container.
    Busy,
    /// The monitor answered with a refusal.
    Refused(crate::Refusal),
    /// The log's part that a reader wanted was rotated away.
    Rotated,
}

/// What was tried, on what, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("{op} {subject}")]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    op: &'static str,
    subject: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: Kind, op: &'static str, subject: impl Into<String>) -> Self {
        Self {
            kind,
            op,
            subject: subject.into(),
            source: None,
        }
    }

    pub(crate) fn io(op: &'static str, subject: &str, source: impl Into<io::Error>) -> Self {
        Self {
            source: Some(Box::new(source.into())),
            ..Self::new(Kind::Io, op, subject)
        }
    }

    pub(crate) fn malformed(op: &'static str, subject: &str, source: serde_json::Error) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..Self::new(Kind::Malformed, op, subject)
        }
    }

    /// The system's error, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        let source = self.source.as_deref()?;
        source.downcast_ref::<io::Error>().map(io::Error::kind)
    }

    /// Whether the system said that there is no such file, or that nobody listens there: no monitor.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(
            self.io_kind(),
            Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
        )
    }
}

impl From<kernel::Error> for Error {
    fn from(error: kernel::Error) -> Self {
        Self {
            kind: Kind::Io,
            op: error.op,
            subject: error.subject,
            source: Some(Box::new(error.source)),
        }
    }
}
