//! What a crash left behind, and what is not what it was.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use spec::{Algorithm, BlobDigest, LayerId};
use state::{LayerRow, LockKind};

use crate::draft;
use crate::erofs::Checksum;
use crate::error::{Error, Kind, Result};
use crate::layer::Sink;
use crate::layer::image::ImageSink;
use crate::layer::image::file_name;
use crate::store::{PATIENCE, Store};

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that were being written by processes that are dead.
    pub drafts: u64,
    /// Blobs without a row.
    pub blobs: Vec<BlobDigest>,
    /// Layers without a row.
    pub layers: Vec<LayerId>,
    /// Mounts of layers without a row.
    pub mounts: u64,
}

impl Store {
    /// Removes what processes left that were killed: files half written, files and mounts that no row knows.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody adds content, or something can't be removed.
    pub fn sweep(&self) -> Result<Swept> {
        let state = |e| Error::state("sweep", "content", e);
        let lock = self
            .locks()
            .try_lock(LockKind::Content, "all")
            .map_err(state)?;
        let _lock = lock.ok_or_else(|| {
            Error::because(Kind::Busy, "sweep", "content", "somebody is adding to it")
        })?;
        let (blobs, layers) = self
            .db()
            .read(|tx| Ok((tx.blobs()?, tx.layers()?)))
            .map_err(state)?;
        let blobs: HashSet<String> = blobs
            .into_iter()
            .map(|row| row.digest.to_string())
            .collect();
        let layers: HashSet<String> = layers.into_iter().map(|row| row.id.to_string()).collect();
        let mut swept = Swept::default();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            self.sweep_blobs(algorithm, &blobs, &mut swept)?;
        }
        self.sweep_layers(&layers, &mut swept)?;
        self.sweep_mounts(&layers, &mut swept)?;
        Ok(swept)
    }

    fn sweep_blobs(
        &self,
        algorithm: Algorithm,
        known: &HashSet<String>,
        swept: &mut Swept,
    ) -> Result<()> {
        let directory = self.blob_directory(algorithm);
        if !directory.exists() {
            return Ok(());
        }
        swept.drafts += draft::sweep(&directory)?;
        for name in names(&directory)? {
            let Ok(digest) = format!("{}:{name}", algorithm.name()).parse::<BlobDigest>() else {
                continue;
            };
            if !known.contains(&digest.to_string()) {
                let path = directory.join(&name);
                std::fs::remove_file(&path).map_err(|e| Error::io("sweep", path.display(), e))?;
                swept.blobs.push(digest);
            }
        }
        Ok(())
    }

    fn sweep_layers(&self, known: &HashSet<String>, swept: &mut Swept) -> Result<()> {
        let directory = self.layers();
        if !directory.exists() {
            return Ok(());
        }
        swept.drafts += draft::sweep(&directory)?;
        for name in names(&directory)? {
            let Ok(id) = name
                .strip_suffix(".erofs")
                .unwrap_or(&name)
                .parse::<LayerId>()
            else {
                continue;
            };
            if !known.contains(&id.to_string()) {
                self.unmount_layer(&id)?;
                self.remove_layer_files(&id)?;
                swept.layers.push(id);
            }
        }
        Ok(())
    }

    fn sweep_mounts(&self, known: &HashSet<String>, swept: &mut Swept) -> Result<()> {
        let directory = self.run().join("layers");
        if !directory.exists() {
            return Ok(());
        }
        for name in names(&directory)? {
            // Areas are the journal's to clear: their owners may live.
            if name.starts_with(crate::area::PREFIX) {
                continue;
            }
            // The other names are overlays that were being made.
            if !known.contains(&name) {
                self.unmount(&directory.join(&name))?;
                swept.mounts += 1;
            }
        }
        Ok(())
    }

    /// Detaches the mounts of all layers, which come back when they are needed, and the private mount that they are on.
    ///
    /// # Errors
    /// Something can't be unmounted.
    pub fn unmount_all(&self) -> Result<()> {
        let directory = self.run().join("layers");
        if !directory.exists() {
            return Ok(());
        }
        for name in names(&directory)? {
            self.unmount(&directory.join(&name))?;
        }
        self.unmount(&directory)
    }

    /// Removes a layer; whether there was one. Containers that run keep it until they end.
    ///
    /// # Errors
    /// [`Kind::Busy`] while an image or a container has it, or it can't be removed.
    pub fn remove_layer(&self, id: &LayerId) -> Result<bool> {
        const OP: &str = "remove layer";
        let state = |e| Error::state(OP, id, e);
        let lock = self
            .locks()
            .lock(LockKind::Layer, &id.to_string(), PATIENCE)
            .map_err(state)?;
        let gone = self.db().write(|tx| tx.remove_layer(id)).map_err(state)?;
        failpoint::failpoint!("store.layer.remove.after_row");
        self.unmount_layer(id)?;
        self.remove_layer_files(id)?;
        lock.retire();
        Ok(gone)
    }

    fn remove_layer_files(&self, id: &LayerId) -> Result<()> {
        let directory = draft::open_directory(&self.layers())?;
        for name in [file_name(&id.to_string()), id.to_string()] {
            kernel::tree::remove(&directory, &name)
                .map_err(|e| Error::kernel("remove layer", id, e))?;
        }
        Ok(())
    }

    /// Compares a layer with the checksum that was taken when it was written. A layer in a directory has none: then only
    /// its presence is verified.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::Corrupt`].
    pub fn verify_layer(&self, id: &LayerId) -> Result<()> {
        const OP: &str = "verify layer";
        let rows = self.layer_rows(&[*id])?;
        let corrupt = |why: &str| Err(Error::because(Kind::Corrupt, OP, id, why));
        let Some(LayerRow {
            format,
            checksum,
            file_size,
            ..
        }) = rows.first()
        else {
            return Ok(());
        };
        if format != ImageSink::FORMAT {
            return draft::open_directory(&self.layers().join(id.to_string())).map(drop);
        }
        let failed = |e| Error::io(OP, id, e);
        let file = File::open(self.layers().join(file_name(&id.to_string()))).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != *file_size {
            return corrupt("its file has another size: remove the image and get it again");
        }
        if Checksum::of_file(&file).map_err(failed)? != *checksum {
            return corrupt("its file is not what was written: remove the image and get it again");
        }
        Ok(())
    }
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io("sweep", directory.display(), e);
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    entries
        .map(|entry| {
            Ok(entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}
