//! The database file and its transactions.

#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{Error, Kind, Result};
use crate::migration;

/// How long one transaction waits for those of other processes.
const BUSY: Duration = Duration::from_secs(15);

/// Pages in the write-ahead log with which it is long: the first process to open the database reads all of it, 3 µs a page.
const LONG: i64 = 100;

/// Pages with which a commit itself moves them into the database, which costs two fsyncs, because nobody called
/// [`Db::tidy`].
const TOO_LONG: i32 = 1000;

/// Statements kept compiled.
const STATEMENTS: usize = 64;

/// What a power cut may take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The last transactions, but never half of one: for the life of containers.
    Normal,
    /// Nothing once the call has returned: for images and volumes.
    Full,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}

/// The database. Clones share one connection, which serves one transaction at a time.
#[derive(Debug, Clone)]
pub struct Db {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    durability: Durability,
}

/// A transaction. The rows' modules add to it what can be read and written.
#[derive(Debug)]
pub struct Tx<'a> {
    pub(crate) inner: Transaction<'a>,
}

impl Db {
    /// Opens the database at `path`, making its directory (0700), itself (0600) and its tables as needed.
    ///
    /// # Errors
    /// The file can't be made or opened, is damaged, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let create = |e| Error::io("create", path.display(), e);
        if let Some(parent) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(create)?;
        }
        // SQLite gives the log and its index the permissions of the database.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(create)?;
        let mut connection = connect(path).map_err(|e| open_error(path, e))?;
        migration::apply(&mut connection, path)?;
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                open: Mutex::new(Open {
                    connection,
                    durability: Durability::Normal,
                }),
            }),
        })
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Reads in one consistent state.
    ///
    /// # Errors
    /// `f`'s, or the database can't be read.
    pub fn read<T>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let mut open = self.lock();
        let inner = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)?;
        let tx = Tx { inner };
        let value = f(&tx)?;
        tx.inner.finish()?;
        Ok(value)
    }

    /// Writes for the life of containers: [`Durability::Normal`].
    ///
    /// # Errors
    /// `f`'s, in which case nothing was written, or the database can't be written.
    pub fn write<T>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.write_with(Durability::Normal, f)
    }

    /// Writes in one transaction, which begins immediately: no other writer comes between what `f` reads and writes.
    ///
    /// # Errors
    /// `f`'s, in which case nothing was written, or the database can't be written.
    pub fn write_with<T>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut open = self.lock();
        if open.durability != durability {
            open.connection.execute_batch(durability.pragma())?;
            open.durability = durability;
        }
        let inner = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tx = Tx { inner };
        let value = f(&tx)?;
        tx.inner.commit()?;
        Ok(value)
    }

    /// Moves a long write-ahead log into the database. It costs two fsyncs, so call it where something else is waited for.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn tidy(&self) -> Result<()> {
        let open = self.lock();
        if log_pages(&open.connection)? > LONG {
            // Passive: what others still read stays for the next time.
            open.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// What SQLite itself finds wrong with the file. Sound is empty.
    ///
    /// # Errors
    /// The database can't be read at all.
    pub fn check(&self) -> Result<Vec<String>> {
        let open = self.lock();
        let mut findings = Vec::new();
        let mut statement = open.connection.prepare("PRAGMA integrity_check")?;
        for line in statement.query_map([], |row| row.get::<_, String>(0))? {
            let line = line?;
            if line != "ok" {
                findings.push(line);
            }
        }
        let mut statement = open.connection.prepare("PRAGMA foreign_key_check")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?))
        })?;
        for row in rows {
            let (table, parent) = row?;
            findings.push(format!(
                "a row of {table} refers to a missing row of {parent}"
            ));
        }
        Ok(findings)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A panic while the lock was held has rolled its transaction back.
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_pages(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // No mutex in SQLite: ours guards the connection. NOFOLLOW: nobody else may choose the file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The log outlives the last connection: moving it into the database costs two fsyncs, at every end of a command.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A database that a stranger could write must not run code of its choice.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.pragma_update(None, "wal_autocheckpoint", TOO_LONG)?;
    connection.execute_batch(Durability::Normal.pragma())?;
    Ok(connection)
}

pub(crate) fn open_error(path: &Path, error: rusqlite::Error) -> Error {
    let kind = match Error::from_code(&error) {
        Kind::Other => Kind::Unreadable,
        kind => kind,
    };
    Error::new(kind, "open", path.display(), error)
}
