//! The crate's error.

use std::error::Error as StdError;
use std::fmt;

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nobody answers at the other end.
    Connect,
    /// The connection broke, or what came over it is not this API.
    Protocol,
    /// The engine refused, with this HTTP status.
    Status(u16),
    /// What was to be uploaded could not be read.
    Upload,
}

type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// A request that failed. `Display` of a refusal is the engine's own text.
#[expect(
    clippy::error_impl_error,
    reason = "one error a crate, named by its crate: client::Error"
)]
#[derive(Debug)]
pub struct Error {
    /// Who refused.
    pub kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Cause>,
}

/// The result of a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn protocol(op: &str, source: impl Into<Cause>) -> Self {
        Self::new(Kind::Protocol, op).because(source)
    }

    pub(crate) fn because(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint).filter(|hint| !hint.is_empty());
        self
    }

    /// The HTTP status of a refusal.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.kind {
            Kind::Status(status) => Some(status),
            Kind::Connect | Kind::Protocol | Kind::Upload => None,
        }
    }

    /// What to do about it, where the engine knows.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What failed: of a refusal, the engine's own text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|cause| &**cause as _)
    }
}
