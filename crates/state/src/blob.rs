//! Rows of blobs.

use rusqlite::{OptionalExtension, Row, params};
use spec::BlobDigest;

use crate::db::Tx;
use crate::error::{Result, from_integer, parse, to_integer};

/// A blob in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Its digest.
    pub digest: BlobDigest,
    /// Its bytes.
    pub size: u64,
    /// Unix nanoseconds.
    pub created_at: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<BlobRow> {
    Ok(BlobRow {
        digest: parse(0, row.get_ref(0)?.as_str()?)?,
        size: from_integer(row.get(1)?),
        created_at: row.get(2)?,
    })
}

impl Tx<'_> {
    /// Adds a blob; one with this digest that is there already stays.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn add_blob(&self, blob: &BlobRow) -> Result<()> {
        self.inner
            .prepare_cached(
                "INSERT INTO blobs (digest, size, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                blob.digest.to_string(),
                to_integer(blob.size),
                blob.created_at
            ])?;
        Ok(())
    }

    /// The blob with this digest.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn blob(&self, digest: &BlobDigest) -> Result<Option<BlobRow>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT digest, size, created_at FROM blobs WHERE digest = ?1")?;
        Ok(statement.query_row([digest.to_string()], read).optional()?)
    }

    /// All blobs.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn blobs(&self) -> Result<Vec<BlobRow>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT digest, size, created_at FROM blobs ORDER BY digest")?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The blobs that neither an image nor a layer has, and the registry does not hold.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn unused_blobs(&self) -> Result<Vec<BlobRow>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT digest, size, created_at FROM blobs
             WHERE NOT EXISTS (SELECT 1 FROM image_blobs WHERE digest = blobs.digest)
               AND NOT EXISTS (SELECT 1 FROM layers WHERE blob = blobs.digest)
               AND NOT EXISTS (SELECT 1 FROM blob_holds WHERE digest = blobs.digest)
               AND NOT EXISTS (SELECT 1 FROM pull_holds WHERE object = blobs.digest)
             ORDER BY digest",
        )?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a blob away; whether it was there.
    ///
    /// # Errors
    /// An image or a layer has it ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn remove_blob(&self, digest: &BlobDigest) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM blobs WHERE digest = ?1")?
            .execute([digest.to_string()])?;
        Ok(gone > 0)
    }
}
