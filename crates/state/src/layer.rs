//! Rows of layers.

use rusqlite::{OptionalExtension, Row, params};
use spec::{BlobDigest, ChainId, DiffId, LayerId};

use crate::db::Tx;
use crate::error::{Error, Kind, Result, from_integer, parse, to_integer};

/// A layer in the store. A row is there only when its file is there, whole and on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRow {
    /// Its name in the store.
    pub id: LayerId,
    /// The digest of its tar.
    pub diff_id: DiffId,
    /// Set when it was made against the layers below it: then it is of use above those alone.
    pub chain_id: Option<ChainId>,
    /// `erofs` or `directory`.
    pub format: String,
    /// Bytes of its tar, uncompressed.
    pub tar_size: u64,
    /// Bytes on disk.
    pub file_size: u64,
    /// Of the file.
    pub checksum: String,
    /// Unix nanoseconds.
    pub created_at: i64,
    /// The blob that its tar is kept in, compressed or not; none if the tar can be made again of the layer.
    pub blob: Option<BlobDigest>,
}

const COLUMNS: &str =
    "id, diff_id, chain_id, format, tar_size, file_size, checksum, created_at, blob";

fn read(row: &Row<'_>) -> rusqlite::Result<LayerRow> {
    let chain: Option<String> = row.get(2)?;
    let blob: Option<String> = row.get(8)?;
    Ok(LayerRow {
        id: parse(0, row.get_ref(0)?.as_str()?)?,
        diff_id: parse(1, row.get_ref(1)?.as_str()?)?,
        chain_id: chain.map(|text| parse(2, &text)).transpose()?,
        format: row.get(3)?,
        tar_size: from_integer(row.get(4)?),
        file_size: from_integer(row.get(5)?),
        checksum: row.get(6)?,
        created_at: row.get(7)?,
        blob: blob.map(|text| parse(8, &text)).transpose()?,
    })
}

impl Tx<'_> {
    /// Adds a layer; one with this id that is there already stays.
    ///
    /// # Errors
    /// Its blob is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn add_layer(&self, layer: &LayerRow) -> Result<()> {
        self.inner
            .prepare_cached(&format!(
                "INSERT INTO layers ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING"
            ))?
            .execute(params![
                layer.id.to_string(),
                layer.diff_id.to_string(),
                layer.chain_id.as_ref().map(ToString::to_string),
                layer.format,
                to_integer(layer.tar_size),
                to_integer(layer.file_size),
                layer.checksum,
                layer.created_at,
                layer.blob.as_ref().map(ToString::to_string),
            ])?;
        Ok(())
    }

    /// The layer with this id.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn layer(&self, id: &LayerId) -> Result<Option<LayerRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM layers WHERE id = ?1"))?;
        Ok(statement.query_row([id.to_string()], read).optional()?)
    }

    /// The layer for this tar that is a function of the tar alone.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn layer_of_diff(&self, diff: &DiffId) -> Result<Option<LayerRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM layers WHERE diff_id = ?1 AND chain_id IS NULL"
        ))?;
        Ok(statement.query_row([diff.to_string()], read).optional()?)
    }

    /// Whether there is a layer that is a function of its tar alone, and this digest is the tar's or that of the blob that it is kept in.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn has_layer_of(&self, digest: &BlobDigest) -> Result<bool> {
        let found = self
            .inner
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM layers WHERE chain_id IS NULL AND (diff_id = ?1 OR blob = ?1))",
            )?
            .query_row([digest.to_string()], |row| row.get(0))?;
        Ok(found)
    }

    /// The layer made against the layers below it at this place.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn layer_of_chain(&self, chain: &ChainId) -> Result<Option<LayerRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM layers WHERE chain_id = ?1"))?;
        Ok(statement.query_row([chain.to_string()], read).optional()?)
    }

    /// All layers.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn layers(&self) -> Result<Vec<LayerRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM layers ORDER BY id"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The layers that neither an image nor a container has.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn unused_layers(&self) -> Result<Vec<LayerRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM layers
             WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE layer = layers.id)
               AND NOT EXISTS (SELECT 1 FROM containers WHERE instr(containers.layers, layers.id) > 0)
               AND NOT EXISTS (SELECT 1 FROM build_results WHERE diff_id = layers.diff_id)
               AND NOT EXISTS (SELECT 1 FROM pull_holds WHERE object = layers.id)
             ORDER BY id"
        ))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Says in which blob a layer's tar is kept from now on.
    ///
    /// # Errors
    /// The blob is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn keep_layer_in(&self, id: &LayerId, blob: &BlobDigest) -> Result<()> {
        self.inner
            .prepare_cached("UPDATE layers SET blob = ?2 WHERE id = ?1")?
            .execute([id.to_string(), blob.to_string()])?;
        Ok(())
    }

    /// The layers that results of builds alone keep.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn cached_layers(&self) -> Result<Vec<LayerRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM layers
             WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE layer = layers.id)
               AND NOT EXISTS (SELECT 1 FROM containers WHERE instr(containers.layers, layers.id) > 0)
               AND EXISTS (SELECT 1 FROM build_results WHERE diff_id = layers.diff_id)
             ORDER BY id"
        ))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a layer away; whether it was there.
    ///
    /// # Errors
    /// An image or a container has it ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn remove_layer(&self, id: &LayerId) -> Result<bool> {
        let text = id.to_string();
        let used: bool = self
            .inner
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM containers WHERE instr(layers, ?1) > 0)")?
            .query_row([&text], |row| row.get(0))?;
        if used {
            return Err(Error::bare(Kind::Referenced, "remove layer", id));
        }
        let gone = self
            .inner
            .prepare_cached("DELETE FROM layers WHERE id = ?1")?
            .execute([&text])?;
        Ok(gone > 0)
    }
}
