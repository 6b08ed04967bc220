//! Rows of the engine's registry: blobs that it holds, and its records.

use rusqlite::{OptionalExtension, params};
use spec::BlobDigest;

use crate::db::Tx;
use crate::error::{Result, parse, to_integer};

impl Tx<'_> {
    /// Holds a blob, which must be there, as of a time in unix seconds; whoever holds it already holds it as of then.
    ///
    /// # Errors
    /// It is not there ([`crate::Kind::Referenced`]), or the database can't be written.
    pub fn hold_blob(&self, digest: &BlobDigest, since: i64) -> Result<()> {
        self.inner
            .prepare_cached(
                "INSERT INTO blob_holds (digest, since) VALUES (?1, ?2)
                 ON CONFLICT (digest) DO UPDATE SET since = excluded.since",
            )?
            .execute(params![digest.to_string(), since])?;
        Ok(())
    }

    /// Since when a blob is held, in unix seconds, and how many bytes it has; none if it is not held.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn held_blob(&self, digest: &BlobDigest) -> Result<Option<(i64, u64)>> {
        let mut statement = self.inner.prepare_cached(
            "SELECT since, size FROM blob_holds JOIN blobs USING (digest) WHERE digest = ?1",
        )?;
        let row = statement.query_row([digest.to_string()], |row| {
            Ok((row.get(0)?, crate::error::from_integer(row.get(1)?)))
        });
        Ok(row.optional()?)
    }

    /// All blobs that are held.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn held_blobs(&self) -> Result<Vec<BlobDigest>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT digest FROM blob_holds ORDER BY digest")?;
        let rows = statement.query_map([], |row| parse(0, row.get_ref(0)?.as_str()?))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Holds a blob no longer; whether it was held.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn release_blob(&self, digest: &BlobDigest) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM blob_holds WHERE digest = ?1")?
            .execute([digest.to_string()])?;
        Ok(gone > 0)
    }

    /// The value of a record.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn record(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let mut statement = self
            .inner
            .prepare_cached("SELECT value FROM registry_records WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Writes a record, over one that is there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn set_record(&self, key: &str, value: &[u8]) -> Result<()> {
        self.inner
            .prepare_cached(
                "INSERT INTO registry_records (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![key, value])?;
        Ok(())
    }

    /// Writes a record, if there is none with this key; whether it did.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn add_record(&self, key: &str, value: &[u8]) -> Result<bool> {
        let new = self
            .inner
            .prepare_cached(
                "INSERT INTO registry_records (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![key, value])?;
        Ok(new > 0)
    }

    /// Takes a record away; whether it was there.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn remove_record(&self, key: &str) -> Result<bool> {
        let gone = self
            .inner
            .prepare_cached("DELETE FROM registry_records WHERE key = ?1")?
            .execute([key])?;
        Ok(gone > 0)
    }

    /// The words that stand next after `folder` and `/` in some key, in order and each once: those after `after`, at most `most`.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn record_names(&self, folder: &str, after: &str, most: usize) -> Result<Vec<String>> {
        // `0` is what comes after `/`. A word after `after` is in a key after `after`, whatever follows in it.
        let mut statement = self.inner.prepare_cached(
            "SELECT DISTINCT CASE instr(rest, '/') WHEN 0 THEN rest ELSE substr(rest, 1, instr(rest, '/') - 1) END AS word
             FROM (SELECT substr(key, length(?1) + 2) AS rest FROM registry_records
                   WHERE key > ?1 || '/' || ?2 AND key < ?1 || '0')
             WHERE word > ?2 ORDER BY word LIMIT ?3",
        )?;
        let rows = statement.query_map(params![folder, after, to_integer(most as u64)], |row| {
            row.get(0)
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Db, Kind};

    #[test]
    fn names_are_words_in_order() {
        let place = tempfile::tempdir().unwrap();
        let db = Db::open(&place.path().join("db")).unwrap();
        let names =
            |folder, after, most| db.read(|tx| tx.record_names(folder, after, most)).unwrap();
        db.write(|tx| {
            for key in [
                "n/x/1", "n/x-y/2", "n/x/3", "n/x.y/4", "n/w", "nn/x", "n0/x",
            ] {
                assert!(tx.add_record(key, b"v")?);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(names("n", "", 9), ["w", "x", "x-y", "x.y"]);
        assert_eq!(names("n", "w", 2), ["x", "x-y"]);
        assert_eq!(names("n", "x", 9), ["x-y", "x.y"]);
        assert_eq!(names("n/x", "1", 9), ["3"]);
    }

    #[test]
    fn what_is_held_stays() {
        let place = tempfile::tempdir().unwrap();
        let db = Db::open(&place.path().join("db")).unwrap();
        let digest = spec::BlobDigest::new(spec::Digest::of("x"));
        let missing = db.write(|tx| tx.hold_blob(&digest, 1));
        assert_eq!(missing.unwrap_err().kind, Kind::Referenced);
        let row = crate::BlobRow {
            digest,
            size: 5,
            created_at: 0,
        };
        db.write(|tx| tx.add_blob(&row).and_then(|()| tx.hold_blob(&digest, 1)))
            .unwrap();
        db.write(|tx| tx.hold_blob(&digest, 2)).unwrap();
        assert_eq!(db.read(|tx| tx.held_blob(&digest)).unwrap(), Some((2, 5)));
        assert!(db.read(|tx| tx.unused_blobs()).unwrap().is_empty());
        let removed = db.write(|tx| tx.remove_blob(&digest));
        assert_eq!(removed.unwrap_err().kind, Kind::Referenced);
        assert!(db.write(|tx| tx.release_blob(&digest)).unwrap());
        assert_eq!(db.read(|tx| tx.unused_blobs()).unwrap().len(), 1);
    }
}
