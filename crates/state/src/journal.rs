//! The journal: operations under way, so that whoever comes after a kill can finish or undo them.

use rusqlite::{Row, params};

use crate::db::Tx;
use crate::error::{Result, from_integer, to_integer};

/// Names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId(i64);

/// The process that carries an operation out. A pid alone is never trusted: it may be another's by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its pid; 0 for nobody, who is dead.
    pub pid: u32,
    /// When it started, in the kernel's ticks since the boot.
    pub start_time: u64,
    /// The boot that this was in.
    pub boot_id: String,
}

/// An operation that begins.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// What is done: `container.remove`.
    pub kind: &'a str,
    /// To what: an id.
    pub subject: &'a str,
    /// By whom.
    pub owner: &'a Owner,
    /// What finishing or undoing it needs, as JSON.
    pub payload: &'a str,
    /// Unix nanoseconds.
    pub created_at: i64,
}

/// An operation under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// What is done: `container.remove`.
    pub kind: String,
    /// To what: an id.
    pub subject: String,
    /// By whom.
    pub owner: Owner,
    /// What finishing or undoing it needs, as JSON.
    pub payload: String,
    /// Unix nanoseconds.
    pub created_at: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        kind: row.get(1)?,
        subject: row.get(2)?,
        owner: Owner {
            pid: row.get(3)?,
            start_time: from_integer(row.get(4)?),
            boot_id: row.get(5)?,
        },
        payload: row.get(6)?,
        created_at: row.get(7)?,
    })
}

pub(crate) const BEGIN: &str = "INSERT INTO journal
     (kind, subject, owner_pid, owner_start_time, owner_boot_id, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(crate) const FINISH: &str = "DELETE FROM journal WHERE id = ?1";

impl Tx<'_> {
    /// Writes down that an operation begins.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn begin(&self, entry: &NewEntry<'_>) -> Result<EntryId> {
        self.inner.prepare_cached(BEGIN)?.execute(params![
            entry.kind,
            entry.subject,
            entry.owner.pid,
            to_integer(entry.owner.start_time),
            entry.owner.boot_id,
            entry.payload,
            entry.created_at,
        ])?;
        Ok(EntryId(self.inner.last_insert_rowid()))
    }

    /// Replaces what finishing or undoing an operation needs.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn note(&self, id: EntryId, payload: &str) -> Result<()> {
        self.inner
            .prepare_cached("UPDATE journal SET payload = ?2 WHERE id = ?1")?
            .execute(params![id.0, payload])?;
        Ok(())
    }

    /// Leaves an operation to whoever opens the store next.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn give_up(&self, id: EntryId) -> Result<()> {
        self.inner
            .prepare_cached("UPDATE journal SET owner_pid = 0 WHERE id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// Takes an operation over from a dead owner; false if another was faster.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn take_over(&self, entry: &Entry, owner: &Owner) -> Result<bool> {
        let changed = self
            .inner
            .prepare_cached(
                "UPDATE journal SET owner_pid = ?2, owner_start_time = ?3, owner_boot_id = ?4
                 WHERE id = ?1 AND owner_pid = ?5 AND owner_start_time = ?6 AND owner_boot_id = ?7",
            )?
            .execute(params![
                entry.id.0,
                owner.pid,
                to_integer(owner.start_time),
                owner.boot_id,
                entry.owner.pid,
                to_integer(entry.owner.start_time),
                entry.owner.boot_id,
            ])?;
        Ok(changed > 0)
    }

    /// Strikes an operation out: it is finished or undone.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn finish(&self, id: EntryId) -> Result<()> {
        self.inner.prepare_cached(FINISH)?.execute([id.0])?;
        Ok(())
    }

    /// All operations under way, oldest first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn journal(&self) -> Result<Vec<Entry>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT id, kind, subject, owner_pid, owner_start_time, owner_boot_id, payload, created_at
             FROM journal ORDER BY id",
        )?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
