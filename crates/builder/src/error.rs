//! Why a file that parses can't be built as it was asked for.

use std::fmt;

use dockerfile::{Diagnostic, Source, Span};

/// A mistake with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error(Box<Diagnostic>);

/// The result of planning.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self(Box::new(Diagnostic::error(span, message)))
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self(Box::new(self.0.help(help)))
    }

    /// What is wrong, where, and what to type instead.
    #[must_use]
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.0
    }

    /// The same for people.
    #[must_use]
    pub fn render(&self, source: &Source) -> String {
        self.0.render(source)
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Box::new(diagnostic))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
