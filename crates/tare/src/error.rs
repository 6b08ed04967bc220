//! What a command may fail with, and what is said about it.

use std::fmt::Display;

/// A result of the CLI.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The exit code of a command that did what it was asked.
pub(crate) type Outcome = Result<u8>;

/// Exit code for a command line that isn't understood, and for `run` when the engine refused.
pub(crate) const REFUSED: u8 = 125;

/// Why a command failed.
#[expect(
    clippy::error_impl_error,
    reason = "one error a crate, named by its module"
)]
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    text: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line can't be understood: a flag, or a value.
    Usage,
    /// There is no such command, or an operand is missing. Docker has another exit code for it.
    Operands,
    /// The engine answered with an error, of this HTTP status.
    Engine(u16),
    /// No engine was reached, or it broke off.
    Unreachable,
    /// This side: files, terminals, templates.
    Local,
    /// This side, in words of its own that take no prefix.
    Bare,
    /// Nobody reads standard output any more.
    Closed,
}

impl Error {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    /// The same, about operands.
    pub(crate) fn missing_operand(self) -> Self {
        Self {
            kind: Kind::Operands,
            ..self
        }
    }

    pub(crate) fn engine(status: u16, message: impl Into<String>) -> Self {
        Self::new(Kind::Engine(status), message)
    }

    pub(crate) fn local(text: impl Into<String>) -> Self {
        Self::new(Kind::Local, text)
    }

    /// In words that take no prefix.
    pub(crate) fn bare(text: impl Into<String>) -> Self {
        Self::new(Kind::Bare, text)
    }

    pub(crate) fn unreachable(
        text: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Kind::Unreachable, text)
        }
    }

    pub(crate) fn because(
        self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// An operation of ours on a file or terminal.
    pub(crate) fn io(op: &str, subject: impl Display, source: std::io::Error) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Kind::Local, format!("{op} {subject}"))
        }
    }

    /// A file that a flag names.
    pub(crate) fn file(path: &str, source: std::io::Error) -> Self {
        Self {
            kind: Kind::Usage,
            ..Self::io("open", path, source)
        }
    }

    /// Writing to standard output.
    pub(crate) fn stdout(source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::BrokenPipe {
            Self::new(Kind::Closed, "standard output is closed")
        } else {
            Self::io("write", "standard output", source)
        }
    }

    pub(crate) fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The whole story on one line: what, and why.
    pub(crate) fn story(&self) -> String {
        let mut story = match self.kind {
            // Docker's words: scripts look for them.
            Kind::Engine(_) => format!("Error response from daemon: {}", self.text),
            _ => self.text.clone(),
        };
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !story.ends_with(&cause_text) {
                story.push_str(": ");
                story.push_str(&cause_text);
            }
            source = cause.source();
        }
        story
    }

    /// Whether going on with the next object makes no sense.
    pub(crate) fn ends_all(&self) -> bool {
        matches!(self.kind, Kind::Closed | Kind::Unreachable)
    }

    /// Whether the engine said that there is no such object.
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::Engine(404)
    }

    /// What the engine said, without any addition.
    pub(crate) fn message(&self) -> &str {
        &self.text
    }

    /// The exit code for a program that could not be started: Docker's CLI tells by the text, and so do its users.
    pub(crate) fn start_code(&self) -> Option<u8> {
        let said = |parts: &[&str]| parts.iter().any(|part| self.text.contains(part));
        match self.kind {
            Kind::Engine(_)
                if said(&["executable file not found", "no such file or directory"]) =>
            {
                Some(127)
            }
            Kind::Engine(_)
                if said(&["permission denied", "is a directory", "exec format error"]) =>
            {
                Some(126)
            }
            _ => None,
        }
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            hint: None,
            source: None,
        }
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        match error.kind {
            client::Kind::Status(status) => {
                let refused = Self::engine(status, error.message());
                match error.advice() {
                    Some(hint) => refused.with_hint(hint),
                    None => refused,
                }
            }
            client::Kind::Connect => Self::unreachable("no engine answers", error)
                .with_hint("start one with 'tare daemon', or use '-H embedded'"),
            _ => {
                let text = error.message().to_owned();
                let source = std::error::Error::source(&error).map(chain);
                Self {
                    source: source.map(Into::into),
                    ..Self::new(Kind::Unreachable, text)
                }
            }
        }
    }
}

/// An error and its causes as one text.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        let text = Self::local(error.chain());
        match error.hint {
            Some(hint) => text.with_hint(hint),
            None => text,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::local(chain(&error))
    }
}
