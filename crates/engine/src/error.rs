//! The crate's error: what the caller can do about it, in words that Docker's users know.

use std::error::Error as StdError;
use std::fmt;

/// What the caller can do about an error; a door maps it to its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The object named does not exist.
    NotFound,
    /// The object is in a state in which this can't be done, or the name is taken.
    Conflict,
    /// This may not be done: to something that is always there, that others have, or that can't be written.
    Forbidden,
    /// The request itself is wrong.
    InvalidParameter,
    /// There is nothing to do: the container has been started or stopped already.
    NotModified,
    /// Something that this needs is not there now; later it may be.
    Unavailable,
    /// It is asked for something that this engine does not do (yet).
    Unsupported,
    /// The container's program does not exist: exit code 127.
    CommandNotFound,
    /// The container's program can't be executed: exit code 126.
    CommandNotExecutable,
    /// The engine or the machine failed.
    Internal,
}

type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// An operation that failed. `Display` says what; the chain of sources says why.
#[derive(Debug)]
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
    source: Option<Cause>,
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParameter, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    pub(crate) fn internal(message: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::new(Kind::Internal, message).because(source)
    }

    pub(crate) fn because(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says what it was about, before what went wrong.
    pub(crate) fn context(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Because of the causes of an error whose message was taken.
    pub(crate) fn because_of(self, error: &dyn StdError) -> Self {
        self.because(Links::of(error))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message and those of its sources, joined by colons: one line for a person. What was just said is not said again.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next = StdError::source(self);
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

impl From<state::Error> for Error {
    fn from(error: state::Error) -> Self {
        let kind = match error.kind {
            state::Kind::Busy => Kind::Unavailable,
            _ => Kind::Internal,
        };
        let hint = match error.kind {
            state::Kind::Full => Some("free some space on the disk and try again"),
            state::Kind::Busy => Some("another command works on it: try again"),
            _ => None,
        };
        let mut own = Self::new(kind, error.to_string());
        own.hint = hint.map(str::to_owned);
        match error.into_source() {
            Some(source) => own.because(source),
            None => own,
        }
    }
}

impl From<kernel::Error> for Error {
    fn from(error: kernel::Error) -> Self {
        let source = std::io::Error::from(error.errno());
        Self::internal(error.to_string(), source)
    }
}

impl From<spec::Error> for Error {
    fn from(error: spec::Error) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<protocol::Error> for Error {
    fn from(error: protocol::Error) -> Self {
        Self::internal("ask the container's monitor", error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let kind = match error.kind {
            store::Kind::Invalid | store::Kind::Limit => Kind::InvalidParameter,
            store::Kind::NotFound => Kind::NotFound,
            store::Kind::Busy => Kind::Conflict,
            store::Kind::ReadOnly => Kind::Forbidden,
            _ => Kind::Internal,
        };
        let full = error.kind == store::Kind::NoSpace;
        let own = Self::new(kind, error.to_string()).because(Links::of(&error));
        if full {
            own.hint("free some space on the disk and try again")
        } else {
            own
        }
    }
}

/// The causes of an error whose message was taken, one after the other.
#[derive(Debug)]
struct Links {
    message: String,
    next: Option<Box<Links>>,
}

impl Links {
    fn of(error: &dyn StdError) -> Self {
        let mut messages = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            messages.push(cause.to_string());
            next = cause.source();
        }
        let last = messages.pop().unwrap_or_default();
        let mut links = Self {
            message: last,
            next: None,
        };
        for message in messages.into_iter().rev() {
            links = Self {
                message,
                next: Some(Box::new(links)),
            };
        }
        links
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Links {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}
