//! Blobs that are whole files already: they get another name, and no byte is written again.

use std::fs::File;
use std::io;
use std::path::Path;

use spec::BlobDigest;
use state::{BlobRow, Durability};

use crate::error::{Error, Result};
use crate::store::Store;

impl Store {
    /// Makes the file at `path`, which is on the store's file system, the blob with this digest, and holds it as of `since` (unix
    /// seconds). The caller has compared its content with the digest. If there is such a blob already, the file goes.
    ///
    /// # Errors
    /// It can't be moved or written: the file stays.
    pub fn adopt_blob(
        &self,
        (file, path): (&File, &Path),
        digest: &BlobDigest,
        size: u64,
        since: i64,
    ) -> Result<()> {
        let failed = |e| Error::io("adopt blob", digest, e);
        let directory = self.blob_directory(digest.digest().algorithm());
        self.make_directory(&directory)?;
        file.sync_all().map_err(failed)?;
        // Nobody may sweep between the file and its row.
        let _content = self.share_content()?;
        match std::fs::hard_link(path, directory.join(digest.hex())) {
            Ok(()) => {}
            // The same bytes.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
        failpoint::failpoint!("registry.adopt.after_link");
        File::open(&directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed)?;
        let row = BlobRow {
            digest: *digest,
            size,
            created_at: self.now(),
        };
        let added = self.db().write_with(Durability::Full, |tx| {
            tx.add_blob(&row)?;
            tx.hold_blob(digest, since)
        });
        added.map_err(|e| Error::state("adopt blob", digest, e))?;
        failpoint::failpoint!("registry.adopt.after_row");
        std::fs::remove_file(path).map_err(failed)
    }
}
