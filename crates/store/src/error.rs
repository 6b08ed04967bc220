//! The crate's error.

use std::fmt;
use std::io;

/// What kind of failure it is, for callers that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The system refused something.
    System,
    /// The file system is full.
    NoSpace,
    /// What came from outside is malformed or lies about its size or digest.
    Invalid,
    /// What came from outside is larger than a limit.
    Limit,
    /// There is no such blob, layer or snapshot.
    NotFound,
    /// Somebody else uses it.
    Busy,
    /// What the store holds is not what it was.
    Corrupt,
    /// Nothing may be written there.
    ReadOnly,
}

/// A failure of the store: what was done, to what, and why it failed.
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

/// The result of the store's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why input was refused: the source of [`Kind::Invalid`], [`Kind::Limit`] and [`Kind::Corrupt`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

impl Error {
    pub(crate) fn io(op: &'static str, subject: impl fmt::Display, source: io::Error) -> Self {
        // An error of ours that travelled through a `Read` keeps its kind.
        let kind = match source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Self>())
        {
            Some(ours) => ours.kind,
            None if source.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
                Kind::NoSpace
            }
            None if source.raw_os_error() == Some(rustix::io::Errno::DQUOT.raw_os_error()) => {
                Kind::NoSpace
            }
            None if source.raw_os_error() == Some(rustix::io::Errno::ROFS.raw_os_error()) => {
                Kind::ReadOnly
            }
            None if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            None => Kind::System,
        };
        Self {
            kind,
            op,
            subject: subject.to_string(),
            source: Some(Box::new(source)),
        }
    }

    /// A failure at one of the kernel's doors.
    pub(crate) fn kernel(
        op: &'static str,
        subject: impl fmt::Display,
        source: kernel::Error,
    ) -> Self {
        let kind = match source.errno() {
            kernel::Errno::NOSPC | kernel::Errno::DQUOT => Kind::NoSpace,
            kernel::Errno::NOENT => Kind::NotFound,
            kernel::Errno::ROFS => Kind::ReadOnly,
            _ => Kind::System,
        };
        Self::caused(kind, op, subject, source)
    }

    /// A failure of the database or of a lock.
    pub(crate) fn state(
        op: &'static str,
        subject: impl fmt::Display,
        source: state::Error,
    ) -> Self {
        let kind = match source.kind {
            state::Kind::Busy | state::Kind::Referenced => Kind::Busy,
            state::Kind::Full => Kind::NoSpace,
            _ => Kind::System,
        };
        Self::caused(kind, op, subject, source)
    }

    pub(crate) fn invalid(
        op: &'static str,
        subject: impl fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        Self::because(Kind::Invalid, op, subject, reason)
    }

    pub(crate) fn limit(
        op: &'static str,
        subject: impl fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        Self::because(Kind::Limit, op, subject, reason)
    }

    pub(crate) fn because(
        kind: Kind,
        op: &'static str,
        subject: impl fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            op,
            subject: subject.to_string(),
            source: Some(Box::new(Reason(reason.into()))),
        }
    }

    pub(crate) fn caused(
        kind: Kind,
        op: &'static str,
        subject: impl fmt::Display,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            kind,
            op,
            subject: subject.to_string(),
            source: Some(Box::new(source)),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Bytes of a path for a message: quoted, control characters escaped, not too long.
pub(crate) fn shown(path: &[u8]) -> String {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(&path[..path.len().min(MOST)]);
    let dots = if path.len() > MOST { "…" } else { "" };
    format!("{text:?}{dots}")
}
