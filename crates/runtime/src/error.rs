//! The crate's error. It crosses from the container's first process to its parent, so it is also a message.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};

/// What a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Kind {
    /// The program, or the directory it should run in, isn't there: exit code 127.
    NotFound,
    /// The program can't be executed: exit code 126.
    NotExecutable,
    /// The configuration asks for what can't be, or must not be.
    Invalid,
    /// This kernel, or this build, can't do what is asked.
    Unsupported,
    /// The user or group isn't in the container's files.
    UnknownUser,
    /// The container's first process has ended.
    NotRunning,
    /// A hook failed.
    Hook,
    /// The kernel refused.
    Kernel,
}

/// What went wrong, with what.
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
#[derive(Debug, thiserror::Error)]
#[error("{op}{}{subject}", if subject.is_empty() || op.is_empty() { "" } else { " " })]
pub struct Error {
    /// What a caller may want to tell apart.
    pub kind: Kind,
    op: Cow<'static, str>,
    subject: String,
    #[source]
    source: Option<io::Error>,
}

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: Kind, op: &'static str, subject: impl Into<String>) -> Self {
        Self {
            kind,
            op: Cow::Borrowed(op),
            subject: subject.into(),
            source: None,
        }
    }

    /// An error whose whole text is `message`.
    pub(crate) fn message(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, "", message)
    }

    pub(crate) fn invalid(op: &'static str, subject: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, op, subject)
    }

    pub(crate) fn unsupported(op: &'static str, subject: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, op, subject)
    }

    /// An error of the kernel; `of` makes the mapping function.
    pub(crate) fn io(
        op: &'static str,
        subject: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Kind::Kernel, op, subject)
        }
    }

    /// Maps an error of the kernel: `.map_err(Error::at("mount", &destination))`.
    pub(crate) fn at<E: Into<io::Error>>(
        op: &'static str,
        subject: &str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::io(op, subject, source)
    }

    /// The exit code that a caller of Docker's kind expects for this error.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.kind {
            Kind::NotFound => 127,
            Kind::NotExecutable => 126,
            _ => 125,
        }
    }

    /// The error number, if the kernel gave one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.source.as_ref()?.raw_os_error()
    }
}

impl From<kernel::Error> for Error {
    fn from(error: kernel::Error) -> Self {
        let kernel::Error {
            op,
            subject,
            source,
            ..
        } = error;
        Self::io(op, subject, source)
    }
}

/// An error on its way between processes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    kind: Kind,
    op: String,
    subject: String,
    errno: Option<i32>,
    source: Option<String>,
}

impl Report {
    /// Cuts each text to `most` bytes: a stranger may have chosen them.
    pub(crate) fn limit(&mut self, most: usize) {
        for text in [&mut self.op, &mut self.subject]
            .into_iter()
            .chain(&mut self.source)
        {
            let end = (0..=most.min(text.len()))
                .rev()
                .find(|&i| text.is_char_boundary(i));
            text.truncate(end.unwrap_or(0));
        }
    }
}

impl From<&Error> for Report {
    fn from(error: &Error) -> Self {
        let errno = error.errno();
        let text = error.source.as_ref().filter(|_| errno.is_none());
        Self {
            kind: error.kind,
            op: error.op.clone().into_owned(),
            subject: error.subject.clone(),
            errno,
            source: text.map(ToString::to_string),
        }
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        let source = match (report.errno, report.source) {
            (Some(errno), _) => Some(io::Error::from_raw_os_error(errno)),
            (None, Some(text)) => Some(io::Error::other(text)),
            (None, None) => None,
        };
        Self {
            kind: report.kind,
            op: Cow::Owned(report.op),
            subject: report.subject,
            source,
        }
    }
}

#[cfg(test)]
mod tests;
