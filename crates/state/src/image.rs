//! Rows of images and of the references that lead to them.

use rusqlite::{OptionalExtension, Row, params};
use spec::{BlobDigest, ImageId, LayerId};

use crate::db::Tx;
use crate::error::{Result, from_integer, parse, to_integer};

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The digest of its configuration.
    pub id: ImageId,
    /// The digest of the manifest that it came with.
    pub manifest: Option<BlobDigest>,
    /// Its configuration, as it came.
    pub config: String,
    /// Bytes of its layers.
    pub size: u64,
    /// When it was made, as it says itself: unix nanoseconds.
    pub created_at: Option<i64>,
    /// When it came: unix nanoseconds.
    pub added_at: i64,
    /// When a reference to it was last made: unix nanoseconds.
    pub tagged_at: Option<i64>,
}

/// A reference that leads to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// Normalised: `docker.io/library/busybox:latest`.
    pub reference: String,
    /// The image.
    pub image: ImageId,
}

const COLUMNS: &str = "id, manifest, config, size, created_at, added_at, tagged_at";

fn read(row: &Row<'_>) -> rusqlite::Result<ImageRow> {
    let manifest: Option<String> = row.get(1)?;
    Ok(ImageRow {
        id: parse(0, row.get_ref(0)?.as_str()?)?,
        manifest: manifest.map(|text| parse(1, &text)).transpose()?,
        config: row.get(2)?,
        size: from_integer(row.get(3)?),
        created_at: row.get(4)?,
        added_at: row.get(5)?,
        tagged_at: row.get(6)?,
    })
}

fn read_tag(row: &Row<'_>) -> rusqlite::Result<TagRow> {
    Ok(TagRow {
        reference: row.get(0)?,
        image: parse(1, row.get_ref(1)?.as_str()?)?,
    })
}

pub(crate) fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM images WHERE id = ?1")
}

impl Tx<'_> {
    /// Adds an image with its layers, bottom first, and the blobs that it keeps; one with this id that is there already
    /// stays.
    ///
    /// # Errors
    /// A layer or a blob is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn add_image(
        &self,
        image: &ImageRow,
        layers: &[LayerId],
        blobs: &[BlobDigest],
    ) -> Result<()> {
        let id = image.id.to_string();
        let new = self
            .inner
            .prepare_cached(&format!(
                "INSERT INTO images ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
            ))?
            .execute(params![
                id,
                image.manifest.as_ref().map(ToString::to_string),
                image.config,
                to_integer(image.size),
                image.created_at,
                image.added_at,
                image.tagged_at,
            ])?;
        if new > 0 {
            let mut statement = self.inner.prepare_cached(
                "INSERT INTO image_layers (image, position, layer) VALUES (?1, ?2, ?3)",
            )?;
            for (position, layer) in (0_i64..).zip(layers) {
                statement.execute(params![id, position, layer.to_string()])?;
            }
        }
        let mut statement = self.inner.prepare_cached(
            "INSERT INTO image_blobs (image, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for blob in blobs {
            statement.execute(params![id, blob.to_string()])?;
        }
        Ok(())
    }

    /// The image with this id.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn image(&self, id: &ImageId) -> Result<Option<ImageRow>> {
        let mut statement = self.inner.prepare_cached(&by_id())?;
        Ok(statement.query_row([id.to_string()], read).optional()?)
    }

    /// The images whose id begins with these hexadecimal digits; at most two, which is one too many.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn images_by_prefix(&self, hex: &str) -> Result<Vec<ImageRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM images WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"
        ))?;
        let rows = statement.query_map([format!("sha256:{hex}")], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All images.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn images(&self) -> Result<Vec<ImageRow>> {
        let mut statement = self
            .inner
            .prepare_cached(&format!("SELECT {COLUMNS} FROM images ORDER BY id"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many images there are.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn count_images(&self) -> Result<u64> {
        let mut statement = self.inner.prepare_cached("SELECT count(*) FROM images")?;
        Ok(from_integer(statement.query_row([], |row| row.get(0))?))
    }

    /// An image's layers, bottom first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn image_layers(&self, id: &ImageId) -> Result<Vec<LayerId>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT layer FROM image_layers WHERE image = ?1 ORDER BY position")?;
        let rows =
            statement.query_map([id.to_string()], |row| parse(0, row.get_ref(0)?.as_str()?))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes an image away, with its references and its claims on layers and blobs; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_image(&self, id: &ImageId) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM images WHERE id = ?1")?
            .execute([id.to_string()])?;
        Ok(gone > 0)
    }

    /// Lets a reference lead to an image, which must be there, and no longer to another.
    ///
    /// # Errors
    /// The image is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn set_tag(&self, reference: &str, image: &ImageId, now: i64) -> Result<()> {
        let id = image.to_string();
        self.inner
            .prepare_cached(
                "INSERT INTO tags (reference, image) VALUES (?1, ?2)
                 ON CONFLICT (reference) DO UPDATE SET image = excluded.image",
            )?
            .execute(params![reference, id])?;
        self.inner
            .prepare_cached("UPDATE images SET tagged_at = ?2 WHERE id = ?1")?
            .execute(params![id, now])?;
        Ok(())
    }

    /// The image that a reference leads to.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn image_of_tag(&self, reference: &str) -> Result<Option<ImageRow>> {
        let mut statement = self.inner.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM images WHERE id = (SELECT image FROM tags WHERE reference = ?1)"
        ))?;
        Ok(statement.query_row([reference], read).optional()?)
    }

    /// The references that lead to an image, in order.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn tags_of(&self, id: &ImageId) -> Result<Vec<String>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT reference FROM tags WHERE image = ?1 ORDER BY reference")?;
        let rows = statement.query_map([id.to_string()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All references.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn tags(&self) -> Result<Vec<TagRow>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT reference, image FROM tags ORDER BY reference")?;
        let rows = statement.query_map([], read_tag)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a reference away; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_tag(&self, reference: &str) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM tags WHERE reference = ?1")?
            .execute([reference])?;
        Ok(gone > 0)
    }
}
