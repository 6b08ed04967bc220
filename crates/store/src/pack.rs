//! The compressed form of a layer, made once.

use std::io::Read as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use spec::{BlobDigest, LayerId};

use crate::error::{Error, Result};
use crate::store::Store;

const OP: &str = "compress layer";

impl Store {
    /// The layer's tar in gzip, as a blob, and its size. It is made if the layer is kept in nothing of the kind, and remembered.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`], [`crate::Kind::Corrupt`], or the blob can't be written.
    pub fn pack_layer(&self, id: &LayerId) -> Result<(BlobDigest, u64)> {
        let rows = self.layer_rows(&[*id])?;
        if let Some(blob) = rows.first().and_then(|row| row.blob) {
            let mut file = self.blob(&blob)?;
            let mut head = Vec::new();
            let failed = |e| Error::io(OP, blob, e);
            file.by_ref()
                .take(2)
                .read_to_end(&mut head)
                .map_err(failed)?;
            if head == [0x1f, 0x8b] {
                return Ok((blob, file.metadata().map_err(failed)?.len()));
            }
        }
        let mut encoder = GzEncoder::new(self.blob_writer()?, Compression::default());
        self.write_layer_tar(id, &mut encoder)?;
        let writer = encoder.finish().map_err(|e| Error::io(OP, id, e))?;
        // Nobody may sweep between the blob and who has it.
        let _content = self.share_content()?;
        let packed = writer.commit(None)?;
        failpoint::failpoint!("store.pack.after_blob");
        let kept = self.db().write(|tx| tx.keep_layer_in(id, &packed.0));
        kept.map_err(|e| Error::state(OP, id, e))?;
        Ok(packed)
    }
}
