//! Blobs: files named by their digest, in the layout of OCI (image-spec, image-layout.md).

mod adopt;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use spec::{Algorithm, BlobDigest, Hasher};
use state::{BlobRow, LockKind};

use crate::draft::{Draft, Existing};
use crate::error::{Error, Kind, Result};
use crate::store::{PATIENCE, Store};

/// Takes the bytes of a blob. Nothing is in the store before [`BlobWriter::commit`].
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    file: File,
    draft: Draft,
    hasher: Hasher,
    algorithm: Algorithm,
    size: u64,
    expected_size: Option<u64>,
}

impl Store {
    /// Begins a blob that will be named by its SHA-256 digest.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn blob_writer(&self) -> Result<BlobWriter> {
        self.blob_writer_with(Algorithm::Sha256)
    }

    /// Begins a blob that will be named by a digest of this algorithm.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn blob_writer_with(&self, algorithm: Algorithm) -> Result<BlobWriter> {
        let directory = self.blob_directory(algorithm);
        self.make_directory(&directory)?;
        let (file, draft) = Draft::create(&directory)?;
        let hasher = Hasher::new(algorithm);
        Ok(BlobWriter {
            store: self.clone(),
            file,
            draft,
            hasher,
            algorithm,
            size: 0,
            expected_size: None,
        })
    }

    /// Opens a blob. Its content is not verified: see [`Store::verify_blob`].
    ///
    /// # Errors
    /// [`Kind::NotFound`], or it can't be opened.
    pub fn blob(&self, digest: &BlobDigest) -> Result<File> {
        File::open(self.blob_path(digest)).map_err(|e| Error::io("open blob", digest, e))
    }

    /// Whether there is such a blob.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn has_blob(&self, digest: &BlobDigest) -> Result<bool> {
        self.blob_path(digest)
            .try_exists()
            .map_err(|e| Error::io("look for blob", digest, e))
    }

    /// Reads a small blob, verifying its digest.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Limit`] if it is larger than `limit`, [`Kind::Corrupt`].
    pub fn read_blob_limited(&self, digest: &BlobDigest, limit: u64) -> Result<Vec<u8>> {
        const OP: &str = "read blob";
        let mut bytes = Vec::new();
        let read = self
            .blob(digest)?
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes);
        read.map_err(|e| Error::io(OP, digest, e))?;
        if bytes.len() as u64 > limit {
            return Err(Error::limit(
                OP,
                digest,
                format!("it is larger than {limit} bytes"),
            ));
        }
        let mut hasher = digest.digest().hasher();
        hasher.update(&bytes);
        if hasher.finish() == *digest.digest() {
            Ok(bytes)
        } else {
            Err(corrupt(OP, digest))
        }
    }

    /// Compares a whole blob with its digest.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Corrupt`].
    pub fn verify_blob(&self, digest: &BlobDigest) -> Result<()> {
        self.copy_blob(digest, &mut io::sink())
    }

    /// Writes a whole blob, and makes sure that it is the one with this digest.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Corrupt`], or `out` can't be written.
    pub fn copy_blob(&self, digest: &BlobDigest, out: &mut dyn Write) -> Result<()> {
        const OP: &str = "copy blob";
        let mut file = self.blob(digest)?;
        let mut hasher = digest.digest().hasher();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let failed = |e| Error::io(OP, digest, e);
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => {
                    hasher.update(&buffer[..count]);
                    out.write_all(&buffer[..count]).map_err(failed)?;
                }
            }
        }
        if hasher.finish() == *digest.digest() {
            Ok(())
        } else {
            Err(corrupt(OP, digest))
        }
    }

    /// Removes a blob; whether there was one.
    ///
    /// # Errors
    /// [`Kind::Busy`] while an image has it, or it can't be removed.
    pub fn remove_blob(&self, digest: &BlobDigest) -> Result<bool> {
        const OP: &str = "remove blob";
        let gone = self
            .db()
            .write(|tx| tx.remove_blob(digest))
            .map_err(|e| Error::state(OP, digest, e))?;
        failpoint::failpoint!("store.blob.remove.after_row");
        match std::fs::remove_file(self.blob_path(digest)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(gone),
            Err(e) => Err(Error::io(OP, digest, e)),
        }
    }

    pub(crate) fn blob_directory(&self, algorithm: Algorithm) -> PathBuf {
        self.root().join("blobs").join(algorithm.name())
    }

    fn blob_path(&self, digest: &BlobDigest) -> PathBuf {
        self.blob_directory(digest.digest().algorithm())
            .join(digest.hex())
    }
}

fn corrupt(op: &'static str, digest: &BlobDigest) -> Error {
    Error::because(
        Kind::Corrupt,
        op,
        digest,
        "its content does not have this digest: remove the image and get it again",
    )
}

impl BlobWriter {
    /// Says how many bytes must come: more are refused when they come, fewer at the end.
    #[must_use]
    pub fn expect_size(mut self, size: u64) -> Self {
        self.expected_size = Some(size);
        self
    }

    /// The file that is written, for reading what is in it already.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub fn reader(&self) -> Result<File> {
        let file = self.file.try_clone();
        file.map_err(|e| Error::io("read", "new blob", e))
    }

    /// The number of bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Puts the blob into the store: it is there, whole and on disk, when this returns. Returns its digest and size.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if digest or size are not the expected ones, or it can't be written.
    pub fn commit(self, expected: Option<&BlobDigest>) -> Result<(BlobDigest, u64)> {
        const OP: &str = "store blob";
        let digest = BlobDigest::new(self.hasher.finish());
        if let Some(expected) = expected
            && (self.algorithm != expected.digest().algorithm() || digest != *expected)
        {
            return Err(Error::invalid(
                OP,
                expected,
                format!("its content has the digest {digest}"),
            ));
        }
        if let Some(size) = self.expected_size.filter(|&size| size != self.size) {
            return Err(Error::invalid(
                OP,
                digest,
                format!("it has {} bytes, not {size}", self.size),
            ));
        }
        // Nobody may sweep between the file and its row.
        let _content = self.store.share_content()?;
        failpoint::failpoint!("store.blob.commit.before_file");
        self.draft
            .publish(&self.file, &digest.hex(), Existing::Keep)?;
        failpoint::failpoint!("store.blob.commit.after_file");
        let row = BlobRow {
            digest,
            size: self.size,
            created_at: self.store.now(),
        };
        self.store
            .db()
            .write(|tx| tx.add_blob(&row))
            .map_err(|e| Error::state(OP, digest, e))?;
        failpoint::failpoint!("store.blob.commit.after_row");
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.size + bytes.len() as u64;
        if let Some(most) = self.expected_size.filter(|&most| size > most) {
            return Err(
                Error::invalid("store blob", "", format!("it has more than {most} bytes")).into(),
            );
        }
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store {
    /// Shares the content with others who add to it; whoever sweeps has it alone.
    pub(crate) fn share_content(&self) -> Result<state::ObjectLock> {
        self.locks()
            .lock_shared(LockKind::Content, "all", PATIENCE)
            .map_err(|e| Error::state("lock", "content", e))
    }

    pub(crate) fn make_directory(&self, path: &Path) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| Error::io("create directory", path.display(), e))
    }
}

#[cfg(test)]
mod tests;
