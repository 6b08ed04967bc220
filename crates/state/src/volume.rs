//! Rows of volumes, and the installation's own facts.

use rusqlite::{OptionalExtension, Row, params};
use spec::ContainerId;

use crate::db::Tx;
use crate::error::Result;

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRow {
    /// Its name, which is its directory's too.
    pub name: String,
    /// Whether nobody gave it its name: it may go with its container.
    pub anonymous: bool,
    /// The engine's JSON.
    pub labels: String,
    /// Unix nanoseconds.
    pub created_at: i64,
}

const COLUMNS: &str = "name, anonymous, labels, created_at";

fn read(row: &Row<'_>) -> rusqlite::Result<VolumeRow> {
    Ok(VolumeRow {
        name: row.get(0)?,
        anonymous: row.get(1)?,
        labels: row.get(2)?,
        created_at: row.get(3)?,
    })
}

pub(crate) const ANONYMOUS_OF: &str = "SELECT name FROM volumes WHERE anonymous
       AND EXISTS (SELECT 1 FROM container_volumes WHERE volume = name AND container = ?1)
       AND NOT EXISTS (SELECT 1 FROM container_volumes WHERE volume = name AND container <> ?1)
     ORDER BY name";

impl Tx<'_> {
    /// Adds a volume; one with this name that is there already stays. Whether it is new.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn add_volume(&self, volume: &VolumeRow) -> Result<bool> {
        let new = self
            .inner
            .prepare_cached(&format!(
                "INSERT INTO volumes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"
            ))?
            .execute(params![
                volume.name,
                volume.anonymous,
                volume.labels,
                volume.created_at
            ])?;
        Ok(new > 0)
    }

    /// The volume with this name.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn volume(&self, name: &str) -> Result<Option<VolumeRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM volumes WHERE name = ?1"))?;
        Ok(statement.query_row([name], read).optional()?)
    }

    /// All volumes, by name.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn volumes(&self) -> Result<Vec<VolumeRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM volumes ORDER BY name"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The ids of the containers that use a volume.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn volume_users(&self, name: &str) -> Result<Vec<String>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT container FROM container_volumes WHERE volume = ?1 ORDER BY container",
        )?;
        let rows = statement.query_map([name], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The volumes that nobody gave a name and that no other container than this uses.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn anonymous_volumes_of(&self, container: &ContainerId) -> Result<Vec<String>> {
        let mut statement = self.inner.prepare_cached(ANONYMOUS_OF)?;
        let rows = statement.query_map([container.to_string()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a volume away; whether it was there.
    ///
    /// # Errors
    /// A container uses it ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn remove_volume(&self, name: &str) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM volumes WHERE name = ?1")?
            .execute([name])?;
        Ok(gone > 0)
    }

    /// A fact about this installation.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn fact(&self, key: &str) -> Result<Option<String>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Writes a fact about this installation down, unless it is known already.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn add_fact(&self, key: &str, value: &str) -> Result<()> {
        self.inner
            .prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([key, value])?;
        Ok(())
    }
}
