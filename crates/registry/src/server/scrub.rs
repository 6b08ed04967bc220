//! Every blob against its digest: disks forget.

use http_body_util::BodyExt as _;
use spec::Digest;

use super::Server;
use super::body::Body;
use super::storage::Blob;
use crate::error::{Error, Kind, Result};

/// What to do with a blob that does not have its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    /// It is told.
    Report,
    /// It goes, so that the next push of it is not told that it is there.
    Remove,
}

/// What a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs that were read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that do not have their digest.
    pub damaged: Vec<Digest>,
}

impl Server {
    /// Reads all blobs, one after the other.
    ///
    /// # Errors
    /// The storage can't be listed, or what is damaged can't be removed.
    pub async fn scrub(&self, damaged: Damaged) -> Result<Scrubbed> {
        let blobs = &self.storage().blobs;
        let mut scrubbed = Scrubbed::default();
        for digest in blobs.list().await? {
            let Some(blob) = blobs.look(&digest).await? else {
                continue;
            };
            scrubbed.blobs += 1;
            scrubbed.bytes += blob.size;
            let Err(error) = self.verify(&digest, blob).await else {
                continue;
            };
            // It may have been collected meanwhile.
            if blobs.look(&digest).await?.is_none() {
                continue;
            }
            self.complain(&error);
            // What can't be read now may be read later.
            if error.kind != Kind::Invalid {
                continue;
            }
            scrubbed.damaged.push(digest);
            if damaged == Damaged::Remove {
                blobs.remove(&digest).await?;
            }
        }
        self.metrics().damaged(scrubbed.damaged.len() as u64);
        Ok(scrubbed)
    }

    async fn verify(&self, digest: &Digest, blob: Blob) -> Result<()> {
        let range = 0..blob.size;
        let content = self.storage().blobs.read(digest, range.clone()).await?;
        let mut body = Body::content(content, range);
        let mut hasher = digest.hasher();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Error::system("read blob", digest, e))?;
            hasher.update(&frame.into_data().unwrap_or_default());
        }
        let found = hasher.finish();
        if found == *digest {
            return Ok(());
        }
        let why = format!("its content has the digest {found}: push it again");
        Err(Error::new(Kind::Invalid, "verify blob", digest, why))
    }
}
