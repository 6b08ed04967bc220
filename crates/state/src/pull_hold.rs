//! Content that is kept although no image has it yet: that of pulls under way or interrupted.

use rusqlite::params;

use crate::db::Tx;
use crate::error::{Result, from_integer};

impl Tx<'_> {
    /// Keeps layers and blobs, by id and digest, until then; they need not be there yet.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn hold(&self, objects: &[String], until: i64) -> Result<()> {
        let mut statement = self.inner.prepare_cached(
            "INSERT INTO pull_holds (object, until) VALUES (?1, ?2)
             ON CONFLICT (object) DO UPDATE SET until = max(until, excluded.until)",
        )?;
        for object in objects {
            statement.execute(params![object, until])?;
        }
        Ok(())
    }

    /// Keeps them no longer than those do who have them.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn let_go(&self, objects: &[String]) -> Result<()> {
        let mut statement = self
            .inner
            .prepare_cached("DELETE FROM pull_holds WHERE object = ?1")?;
        for object in objects {
            statement.execute([object])?;
        }
        Ok(())
    }

    /// How much is held for longer than it should be.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn overdue_holds(&self, now: i64) -> Result<u64> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT count(*) FROM pull_holds WHERE until <= ?1")?;
        Ok(from_integer(statement.query_row([now], |row| row.get(0))?))
    }

    /// Ends the holds whose time is over.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn end_holds(&self, now: i64) -> Result<()> {
        self.inner
            .prepare_cached("DELETE FROM pull_holds WHERE until <= ?1")?
            .execute([now])?;
        Ok(())
    }
}
