//! Why a command failed, and its exit code.

use std::error::Error;
use std::fmt;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What to exit with.
    pub(crate) code: u8,
    message: String,
    source: Option<Box<dyn Error>>,
    /// Whether the command was called wrongly: then its help is of use.
    pub(crate) usage: bool,
}

/// The result of a command.
pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

/// What runc exits with.
const FAILED: u8 = 1;

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            message: message.into(),
            source: None,
            usage: false,
        }
    }

    /// The command was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            usage: true,
            ..Self::new(message)
        }
    }

    pub(crate) fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(format!("{what} is not supported"))
    }

    /// Maps an error of another crate: `.map_err(Fault::at("read state"))`.
    pub(crate) fn at<E: Error + 'static>(message: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self {
            source: Some(Box::new(source)),
            ..Self::new(message)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut next = self.source.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}
