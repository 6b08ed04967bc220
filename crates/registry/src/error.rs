//! The crate's error.

use std::fmt;
use std::time::Duration;

/// What kind of failure it is, for callers that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// There is no such manifest, blob, repository or upload.
    NotFound,
    /// Credentials are missing or wrong.
    Unauthorized,
    /// These credentials may not do it.
    Denied,
    /// The registry asks for patience (429).
    TooMany,
    /// The registry can't be reached at all.
    Unreachable,
    /// The registry broke off, or failed by itself (5xx): trying again may help.
    Unavailable,
    /// What came is malformed, or has another digest or size than was promised.
    Invalid,
    /// What came is larger than a limit.
    Limit,
    /// A rule of this side forbids it: plain http, a foreign realm, a redirect to where nothing may lead.
    Forbidden,
    /// Somebody else was faster, or changed what was looked at.
    Conflict,
    /// The other side does not do this.
    Unsupported,
    /// A part that was kept is of no use: begin again.
    Restart,
    /// This machine failed: disk, files, settings.
    System,
}

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failure: what was done, to what, and why it failed.
#[derive(Debug)]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    op: &'static str,
    subject: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// How long the other side asks to wait.
    pub retry_after: Option<Duration>,
    source: Option<Cause>,
}

/// The result of the crate's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused.
#[derive(Debug)]
struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Reason {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op)?;
        if !self.subject.is_empty() {
            write!(f, " {}", self.subject)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| &**cause as _)
    }
}

impl Error {
    /// A failure with its reason in words.
    pub fn new(
        kind: Kind,
        op: &'static str,
        subject: impl fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        Self::caused(kind, op, subject, Reason(reason.into()))
    }

    /// A failure with what caused it.
    pub fn caused(
        kind: Kind,
        op: &'static str,
        subject: impl fmt::Display,
        source: impl Into<Cause>,
    ) -> Self {
        Self {
            kind,
            op,
            subject: subject.to_string(),
            hint: None,
            retry_after: None,
            source: Some(source.into()),
        }
    }

    /// Something failed on this machine.
    pub fn system(op: &'static str, subject: impl fmt::Display, source: impl Into<Cause>) -> Self {
        Self::caused(Kind::System, op, subject, source)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::TooMany)
    }

    /// The message and those of its sources, joined by colons.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let why = cause.to_string();
            if !text.ends_with(&why) {
                text.push_str(": ");
                text.push_str(&why);
            }
            next = cause.source();
        }
        text
    }
}

/// Text of the other side for a message: control characters escaped, not too long (it may try to drive a terminal).
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 400;
    let mut out = String::new();
    for c in text.chars().take(MOST) {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
