//! The crate's error.

use std::io;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A row with this key is there already.
    Exists,
    /// A row that is referred to is not there, or one that is still referred to was to go.
    Referenced,
    /// Others held the database or a lock for too long.
    Busy,
    /// There is no space left.
    Full,
    /// The database is damaged, or was written by a newer version.
    Unreadable,
    /// Anything else.
    Other,
}

/// An operation on the database or on a lock that failed.
#[derive(Debug, thiserror::Error)]
#[error("{op} {subject}")]
#[expect(
    clippy::error_impl_error,
    reason = "each crate has one error, named by the crate"
)]
pub struct Error {
    /// What the caller can do about it.
    pub kind: Kind,
    op: &'static str,
    subject: String,
    #[source]
    source: Option<Cause>,
}

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the caller's own inside a transaction, which it aborts.
    pub fn new(
        kind: Kind,
        op: &'static str,
        subject: impl std::fmt::Display,
        source: impl Into<Cause>,
    ) -> Self {
        Self {
            kind,
            op,
            subject: subject.to_string(),
            source: Some(source.into()),
        }
    }

    pub(crate) fn io(op: &'static str, subject: impl std::fmt::Display, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            _ => Kind::Other,
        };
        Self::new(kind, op, subject, error)
    }

    pub(crate) fn bare(kind: Kind, op: &'static str, subject: impl std::fmt::Display) -> Self {
        Self {
            kind,
            op,
            subject: subject.to_string(),
            source: None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(kind_of(&error), "use", "database", error)
    }
}

impl Error {
    /// Why it failed, for an error that takes this one's place.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync + 'static>> {
        self.source
    }

    pub(crate) fn from_code(error: &rusqlite::Error) -> Kind {
        kind_of(error)
    }
}

fn kind_of(error: &rusqlite::Error) -> Kind {
    use rusqlite::ErrorCode;
    use rusqlite::ffi::{
        SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE,
    };
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return Kind::Other;
    };
    match (failure.code, failure.extended_code) {
        (_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => Kind::Exists,
        (_, SQLITE_CONSTRAINT_FOREIGNKEY) => Kind::Referenced,
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Kind::Busy,
        (ErrorCode::DiskFull, _) => Kind::Full,
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Kind::Unreadable,
        _ => Kind::Other,
    }
}

/// A text in the database that should be a digest or an id and is none.
pub(crate) fn parse<T: std::str::FromStr>(column: usize, text: &str) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
    })
}

/// A size as SQLite keeps it. Larger than 8 EiB is no size.
pub(crate) fn to_integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A size as it was kept.
pub(crate) fn from_integer(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
