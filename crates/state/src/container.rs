//! Rows of containers.

use rusqlite::{OptionalExtension, Row, params};
use spec::{ContainerId, ImageId, LayerId};

use crate::db::Tx;
use crate::error::{Result, from_integer, parse};

/// A container, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRow {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// Its image, which may be gone by now.
    pub image: ImageId,
    /// Whether it goes when it ends.
    pub auto_remove: bool,
    /// The engine's JSON.
    pub config: String,
    /// Unix nanoseconds.
    pub created_at: i64,
}

const COLUMNS: &str = "id, name, image, auto_remove, config, created_at";
const SEPARATOR: &str = " ";
pub(crate) const REMOVE: &str = "DELETE FROM containers WHERE id = ?1";

fn read(row: &Row<'_>) -> rusqlite::Result<ContainerRow> {
    Ok(ContainerRow {
        id: parse(0, row.get_ref(0)?.as_str()?)?,
        name: row.get(1)?,
        image: parse(2, row.get_ref(2)?.as_str()?)?,
        auto_remove: row.get(3)?,
        config: row.get(4)?,
        created_at: row.get(5)?,
    })
}

impl Tx<'_> {
    /// Adds a container with the layers below its own files, bottom first, which must be there, and its volumes.
    ///
    /// # Errors
    /// The name or id is taken ([`crate::Kind::Exists`]), a volume is not there ([`crate::Kind::Referenced`]), or the
    /// database can't be written.
    pub fn add_container(
        &self,
        container: &ContainerRow,
        layers: &[LayerId],
        volumes: &[String],
    ) -> Result<()> {
        let id = container.id.to_string();
        let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
        self.inner
            .prepare_cached(&format!(
                "INSERT INTO containers ({COLUMNS}, layers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ))?
            .execute(params![
                id,
                container.name,
                container.image.to_string(),
                container.auto_remove,
                container.config,
                container.created_at,
                layers.join(SEPARATOR),
            ])?;
        if volumes.is_empty() {
            return Ok(());
        }
        let mut statement = self.inner.prepare_cached(
            "INSERT INTO container_volumes (container, volume) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for volume in volumes {
            statement.execute(params![id, volume])?;
        }
        Ok(())
    }

    /// The container with this id.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn container(&self, id: &ContainerId) -> Result<Option<ContainerRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE id = ?1"))?;
        Ok(statement.query_row([id.to_string()], read).optional()?)
    }

    /// The container with this name.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn container_by_name(&self, name: &str) -> Result<Option<ContainerRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE name = ?1"))?;
        Ok(statement.query_row([name], read).optional()?)
    }

    /// The containers whose id begins with these hexadecimal digits; at most two, which is one too many.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn containers_by_prefix(&self, hex: &str) -> Result<Vec<ContainerRow>> {
        // 'g' sorts after every hexadecimal digit.
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM containers WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"
        ))?;
        let rows = statement.query_map([hex], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All containers, newest first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn containers(&self) -> Result<Vec<ContainerRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM containers ORDER BY created_at DESC, id"
        ))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The containers made from an image.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn containers_of_image(&self, image: &ImageId) -> Result<Vec<ContainerRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM containers WHERE image = ?1 ORDER BY created_at"
        ))?;
        let rows = statement.query_map([image.to_string()], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many containers were made from each image.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn count_by_image(&self) -> Result<Vec<(ImageId, u64)>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT image, count(*) FROM containers GROUP BY image")?;
        let rows = statement.query_map([], |row| {
            Ok((
                parse(0, row.get_ref(0)?.as_str()?)?,
                from_integer(row.get(1)?),
            ))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The layers below a container's own files, bottom first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn container_layers(&self, id: &ContainerId) -> Result<Vec<LayerId>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT layers FROM containers WHERE id = ?1")?;
        let found = statement.query_row([id.to_string()], |row| {
            let text = row.get_ref(0)?.as_str()?;
            text.split(SEPARATOR)
                .filter(|id| !id.is_empty())
                .map(|id| parse(0, id))
                .collect()
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// The name is taken ([`crate::Kind::Exists`]), or the database can't be written.
    pub fn rename_container(&self, id: &ContainerId, name: &str) -> Result<()> {
        self.inner
            .prepare_cached("UPDATE containers SET name = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), name])?;
        Ok(())
    }

    /// Replaces the engine's JSON of a container.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn configure_container(&self, id: &ContainerId, config: &str) -> Result<()> {
        self.inner
            .prepare_cached("UPDATE containers SET config = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), config])?;
        Ok(())
    }

    /// Takes a container away; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_container(&self, id: &ContainerId) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached(REMOVE)?
            .execute([id.to_string()])?;
        Ok(gone > 0)
    }
}
