//! The crate's error.

/// What failed, and what a command line should exit with because of it.
#[derive(Debug, thiserror::Error)]
#[error("{op}")]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    op: &'static str,
    exit_code: i32,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What was being done.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        self.op
    }

    /// 125, 126 or 127, as container command lines use them.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        self.exit_code
    }

    /// The reason with all its causes, in one line.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Says what was being done when something failed.
pub(crate) trait During<T> {
    /// The error of this crate, raised while `op` was being done.
    fn during(self, op: &'static str) -> Result<T>;
}

impl<T, E: Into<Cause>> During<T> for std::result::Result<T, E> {
    fn during(self, op: &'static str) -> Result<T> {
        self.map_err(|error| {
            let Cause { exit_code, source } = error.into();
            Error {
                op,
                exit_code,
                source,
            }
        })
    }
}

/// An error of another crate.
pub(crate) struct Cause {
    exit_code: i32,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The engine's own failure.
const OURS: i32 = 125;

impl From<runtime::Error> for Cause {
    fn from(error: runtime::Error) -> Self {
        Self {
            exit_code: error.exit_code(),
            source: Box::new(error),
        }
    }
}

macro_rules! ours {
    ($($error:ty),*) => {$(
        impl From<$error> for Cause {
            fn from(error: $error) -> Self {
                Self { exit_code: OURS, source: Box::new(error) }
            }
        }
    )*};
}

ours!(
    kernel::Error,
    protocol::Error,
    rustix::io::Errno,
    std::io::Error
);
