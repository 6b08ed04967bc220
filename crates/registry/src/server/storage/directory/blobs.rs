//! Blobs as files: `sha256/9f86…`.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use spec::{Algorithm, Digest};

use super::uploads::Shelf;
use super::{blocking, make, names, settle, there, touch, touched};
use crate::error::{Error, Kind, Result};
use crate::server::storage::{Answer, Blob, Blobs, Content};

/// Blobs below a directory.
#[derive(Debug)]
pub struct BlobFiles {
    root: PathBuf,
}

impl BlobFiles {
    /// Those below this directory, which is made if it is not there.
    ///
    /// # Errors
    /// It can't be made.
    pub fn new(root: PathBuf) -> Result<Self> {
        make(&root.join(Algorithm::Sha256.name()))?;
        Ok(Self { root })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm().name()).join(digest.hex())
    }
}

impl Blobs for BlobFiles {
    fn look<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<Blob>> {
        let path = self.path(digest);
        Box::pin(blocking(move || {
            let metadata = there(fs::metadata(&path))
                .map_err(|e| Error::system("look for blob", path.display(), e))?;
            Ok(metadata.map(|metadata| Blob {
                size: metadata.len(),
                since: touched(&metadata),
            }))
        }))
    }

    fn read<'a>(&'a self, digest: &'a Digest, range: Range<u64>) -> Answer<'a, Content> {
        let (path, digest) = (self.path(digest), *digest);
        Box::pin(blocking(move || {
            let failed = |e| Error::system("open blob", digest, e);
            let file = there(File::open(&path)).map_err(failed)?;
            let file = file.ok_or_else(|| {
                Error::new(Kind::NotFound, "open blob", digest, "it is not there")
            })?;
            if file.metadata().map_err(failed)?.len() < range.end {
                let why = "its file is shorter than it was";
                return Err(Error::new(Kind::System, "open blob", digest, why));
            }
            Ok(Content::File(file))
        }))
    }

    fn touch<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        let path = self.path(digest);
        Box::pin(blocking(move || {
            let failed = |e| Error::system("touch blob", path.display(), e);
            match there(File::open(&path)).map_err(failed)? {
                None => Ok(false),
                Some(file) => touch(&file).map(|()| true).map_err(failed),
            }
        }))
    }

    fn remove<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        let path = self.path(digest);
        Box::pin(blocking(move || {
            let gone = there(fs::remove_file(&path))
                .map_err(|e| Error::system("remove blob", path.display(), e))?;
            Ok(gone.is_some())
        }))
    }

    fn list(&self) -> Answer<'_, Vec<Digest>> {
        let root = self.root.clone();
        Box::pin(blocking(move || {
            let mut digests = Vec::new();
            for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
                let name = algorithm.name();
                let found = names(&root.join(name))?;
                digests.extend(found.iter().filter_map(|hex| {
                    let digest: Digest = format!("{name}:{hex}").parse().ok()?;
                    Some(digest)
                }));
            }
            Ok(digests)
        }))
    }
}

impl Shelf for BlobFiles {
    fn keep(&self, file: &File, path: &Path, digest: &Digest, _size: u64) -> Result<()> {
        let place = self.path(digest);
        let failed = |e| Error::system("store blob", digest, e);
        let directory = self.root.join(digest.algorithm().name());
        make(&directory)?;
        file.sync_all().map_err(failed)?;
        touch(file).map_err(failed)?;
        fs::rename(path, &place).map_err(failed)?;
        settle(&directory)
    }
}
