//! What went wrong at a door: operation, subject, and the kernel's answer.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// The result of a door.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call that the kernel, or a check made for it, refused.
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
#[derive(Debug, thiserror::Error)]
#[error("{op} {subject}")]
pub struct Error {
    /// What was being done: `open`, `mount`, `write cgroup file`.
    pub op: &'static str,
    /// To what.
    pub subject: String,
    /// The kernel's answer, or the reason why it was not asked.
    #[source]
    pub source: io::Error,
}

impl Error {
    /// An error of `op` on `subject`, caused by `source`.
    pub fn new(op: &'static str, subject: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        Self {
            op,
            subject: subject.to_string(),
            source: source.into(),
        }
    }

    /// An input that is refused without asking the kernel.
    pub(crate) fn invalid(op: &'static str, subject: impl fmt::Display, why: &'static str) -> Self {
        Self::new(
            op,
            subject,
            io::Error::new(io::ErrorKind::InvalidInput, why),
        )
    }

    /// Something that this host does not offer.
    pub(crate) fn unsupported(
        op: &'static str,
        subject: impl fmt::Display,
        why: impl Into<String>,
    ) -> Self {
        Self::new(
            op,
            subject,
            io::Error::new(io::ErrorKind::Unsupported, why.into()),
        )
    }

    /// The number of the kernel's answer; the nearest one where a check of ours refused.
    #[must_use]
    pub fn errno(&self) -> Errno {
        Errno::from_io_error(&self.source).unwrap_or_else(|| match self.source.kind() {
            io::ErrorKind::InvalidInput => Errno::INVAL,
            io::ErrorKind::Unsupported => Errno::OPNOTSUPP,
            io::ErrorKind::NotFound => Errno::NOENT,
            io::ErrorKind::TimedOut => Errno::TIMEDOUT,
            io::ErrorKind::UnexpectedEof => Errno::NODATA,
            _ => Errno::IO,
        })
    }

    /// Whether the subject does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.errno() == Errno::NOENT
    }
}

/// Puts operation and subject to a system call's result.
pub(crate) trait At<T> {
    /// `self`, or an [`Error`] of `op` on `subject`.
    fn at(self, op: &'static str, subject: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, op: &'static str, subject: impl fmt::Display) -> Result<T> {
        self.map_err(|source| Error::new(op, subject, source))
    }
}
