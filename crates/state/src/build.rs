//! What the steps of builds came to.

use rusqlite::{OptionalExtension, params};

use crate::db::Tx;
use crate::error::Result;

impl Tx<'_> {
    /// The diff id of the layer that the step with this key made; empty if it made none. The layer itself may be gone.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn build_result(&self, key: &str) -> Result<Option<String>> {
        let found = self
            .inner
            .prepare_cached("SELECT diff_id FROM build_results WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        Ok(found)
    }

    /// Remembers what a step came to; the newest counts.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remember_build(&self, key: &str, diff_id: &str, now: i64) -> Result<()> {
        self.inner
            .prepare_cached("INSERT OR REPLACE INTO build_results (key, diff_id, created_at) VALUES (?1, ?2, ?3)")?
            .execute(params![key, diff_id, now])?;
        Ok(())
    }

    /// Forgets all results; gives their keys.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn forget_builds(&self) -> Result<Vec<String>> {
        let mut statement = self
            .inner
            .prepare_cached("DELETE FROM build_results RETURNING key")?;
        let keys = statement.query_map([], |row| row.get(0))?;
        Ok(keys.collect::<rusqlite::Result<_>>()?)
    }
}
