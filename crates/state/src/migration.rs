//! Migrations: each is a file in `schema/`, applied once and in order. What was released never changes.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::db::open_error;
use crate::error::{Error, Kind, Result};

/// All migrations; the database's `user_version` says how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../schema/0001.sql"),
    include_str!("../schema/0002.sql"),
    include_str!("../schema/0003.sql"),
    include_str!("../schema/0004.sql"),
    include_str!("../schema/0005.sql"),
    include_str!("../schema/0006.sql"),
    include_str!("../schema/0007.sql"),
];

/// Brings the database up to date.
pub(crate) fn apply(connection: &mut Connection, path: &Path) -> Result<()> {
    if version(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    // Turning on the write-ahead log does not wait for others, so those who migrate wait for each other before it.
    let lock = path.with_extension("db-migrate");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(|e| Error::io("create", lock.display(), e))?;
    file.lock()
        .map_err(|e| Error::io("lock", lock.display(), e))?;
    let done = migrate(connection, path);
    drop(std::fs::remove_file(&lock));
    done
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let from = version(connection, path)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(|e| open_error(path, e))?;
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| open_error(path, e))?;
    // Again, now that nobody else can write: the lock file of another that just finished may be gone.
    let from = from.max(version(&tx, path)?);
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        tx.execute_batch(migration)
            .map_err(|e| Error::new(Kind::Unreadable, "migrate to version", number + 1, e))?;
    }
    let all = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    tx.pragma_update(None, "user_version", all)?;
    tx.commit()?;
    Ok(())
}

fn version(connection: &Connection, path: &Path) -> Result<usize> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|e| open_error(path, e))?;
    let known = usize::try_from(version).ok();
    match known.filter(|version| *version <= MIGRATIONS.len()) {
        Some(version) => Ok(version),
        None => Err(Error::new(
            Kind::Unreadable,
            "open",
            path.display(),
            format!(
                "it has version {version}, this program knows versions up to {}",
                MIGRATIONS.len()
            ),
        )),
    }
}
