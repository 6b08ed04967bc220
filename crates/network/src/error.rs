//! The crate's error.

use std::fmt;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// What was asked for is malformed or contradicts itself.
    Invalid,
    /// An address, a subnet, a name or a host port is taken; the message names the holder.
    Conflict,
    /// There is no address, no port or no place on the bridge left.
    Full,
    /// It is not there: a network, a link, a parent interface.
    NotFound,
    /// This kernel or this host can't do it: no nf_tables, no macvlan, no right.
    Unsupported,
    /// Anything else.
    Other,
}

/// An operation on networks that failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    /// What the caller can do about it.
    pub kind: Kind,
    /// What failed, naming what the user can act on.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    #[source]
    source: Option<Cause>,
}

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a deeper cause.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Puts into words what the kernel refused.
pub(crate) trait Doing<T> {
    /// `self`, or an error that `what` failed.
    fn doing(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> Doing<T> for kernel::Result<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            use kernel::Errno;
            let kind = match error.errno() {
                Errno::EXIST | Errno::ADDRINUSE | Errno::BUSY => Kind::Conflict,
                Errno::NOENT | Errno::NODEV => Kind::NotFound,
                Errno::XFULL | Errno::NOSPC => Kind::Full,
                Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS | Errno::PROTONOSUPPORT => {
                    Kind::Unsupported
                }
                _ => Kind::Other,
            };
            Error::new(kind, what.to_string()).with_source(error)
        })
    }
}
