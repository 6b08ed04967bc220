//! Uploads in a bucket.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use spec::{Algorithm, Digest};
use tokio::sync::Semaphore;

use super::chain::{Chain, Link};
use super::{Bucket, Folders, Pointer};
use crate::error::{Error, Kind, Result};
use crate::server::storage::{Answer, Pieces, Upload, Uploads};

/// The bytes of a piece. A smaller one at the end is written again with what comes.
const PIECE: usize = 8 << 20;
/// Pieces in memory at a time, whatever the number of uploads.
const IN_MEMORY: usize = 8;

pub(super) struct ObjectUploads {
    bucket: Bucket,
    memory: Arc<Semaphore>,
}

/// What is kept of an upload beside its pieces.
#[derive(Serialize, Deserialize)]
struct Begun {
    owner: String,
    at: i64,
}

fn gone(id: &str) -> Error {
    Error::new(Kind::NotFound, "upload", id, "there is no such upload")
}

impl ObjectUploads {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            memory: Arc::new(Semaphore::new(IN_MEMORY)),
        }
    }

    async fn begun(&self, id: &str) -> Result<Option<Begun>> {
        let key = format!("uploads/{id}");
        let Some(text) = self.bucket.get(&key, None).await? else {
            return Ok(None);
        };
        let begun = serde_json::from_slice(&text);
        begun
            .map(Some)
            .map_err(|e| Error::system("read upload", id, e))
    }

    async fn chain(&self, id: &str) -> Result<Chain> {
        let listed = self
            .bucket
            .list_all(&format!("data/{id}/"), Folders::Each)
            .await?;
        Ok(Chain::read(&listed.objects))
    }

    /// Adds what comes to a chain, piece by piece. What is in memory when it breaks off is written too.
    async fn add(&self, id: &str, mut chain: Chain, mut pieces: Pieces) -> Result<u64> {
        let mut size = chain.size();
        let mut first = pieces.next().await;
        if first.is_none() {
            return Ok(size);
        }
        let _room = Arc::clone(&self.memory)
            .acquire_owned()
            .await
            .map_err(|e| Error::system("upload", id, e))?;
        let mut again = None;
        let mut buffer = BytesMut::new();
        if let Some(last) = chain.last().filter(|last| last.piece.size < PIECE as u64) {
            let key = last.piece.key.clone();
            let bytes = self.bucket.get(&key, None).await?.ok_or_else(|| gone(id))?;
            buffer.extend_from_slice(&bytes);
            again = Some(key);
            chain = chain.shorter();
        }
        let mut hasher = chain.hasher();
        let mut at = chain.size();
        loop {
            let next = match first.take() {
                Some(next) => Some(next),
                None => pieces.next().await,
            };
            let end = match next {
                Some(Ok(bytes)) => {
                    size += bytes.len() as u64;
                    buffer.extend_from_slice(&bytes);
                    None
                }
                Some(Err(error)) => Some(Err(error)),
                None => Some(Ok(())),
            };
            while buffer.len() >= PIECE || end.is_some() && !buffer.is_empty() {
                let piece = buffer.split_to(buffer.len().min(PIECE)).freeze();
                hasher.update(&piece);
                let length = piece.len() as u64;
                let key = Link::key(id, at, length, &hasher);
                self.bucket.put(&key, piece).await?;
                at += length;
                // What was written again is in the new one.
                if let Some(old) = again.take().filter(|old| *old != key) {
                    self.bucket.delete(&old).await?;
                }
            }
            match end {
                None => {}
                Some(Ok(())) => return Ok(size),
                Some(Err(error)) => {
                    return Err(Error::caused(Kind::Unavailable, "upload", id, error));
                }
            }
        }
    }

    async fn drop_data(&self, id: &str) -> Result<bool> {
        let listed = self
            .bucket
            .list_all(&format!("data/{id}/"), Folders::Each)
            .await?;
        let there = !listed.objects.is_empty();
        futures_util::stream::iter(listed.objects.into_iter().map(Ok))
            .try_for_each_concurrent(
                8,
                |object| async move { self.bucket.delete(&object.key).await },
            )
            .await?;
        Ok(there)
    }

    async fn digest(&self, chain: &Chain, algorithm: Algorithm) -> Result<Digest> {
        if algorithm == Algorithm::Sha256 {
            return Ok(chain.hasher().finish());
        }
        let mut hasher = spec::Hasher::new(algorithm);
        for piece in chain.clone().into_pieces() {
            let bytes = self.bucket.get(&piece.key, None).await?;
            hasher.update(&bytes.ok_or_else(|| gone(&piece.key))?);
        }
        Ok(hasher.finish())
    }

    async fn pointers(&self, digest: &Digest) -> Result<Vec<String>> {
        let listed = self
            .bucket
            .list_all(&format!("blobs/{digest}/"), Folders::Each)
            .await?;
        Ok(listed.objects.into_iter().map(|o| o.key).collect())
    }

    /// Whether there is such a blob already; then it is as young as if it had come now.
    async fn exists(&self, digest: &Digest) -> Result<bool> {
        for key in self.pointers(digest).await? {
            if let Some(text) = self.bucket.get(&key, None).await? {
                self.bucket.put(&key, text).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Uploads for ObjectUploads {
    fn begin<'a>(&'a self, id: &'a str, owner: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let begun = Begun {
                owner: owner.to_owned(),
                at: self.bucket.now(),
            };
            let text =
                serde_json::to_vec(&begun).map_err(|e| Error::system("begin upload", id, e))?;
            self.bucket.put(&format!("uploads/{id}"), text.into()).await
        })
    }

    fn look<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Upload>> {
        Box::pin(async move {
            let Some(begun) = self.begun(id).await? else {
                return Ok(None);
            };
            let prefix = format!("data/{id}/");
            let listed = self.bucket.list_all(&prefix, Folders::Each).await?;
            let newest = listed.objects.iter().map(|o| o.modified).max();
            Ok(Some(Upload {
                owner: begun.owner,
                size: Chain::read(&listed.objects).size(),
                touched: newest.unwrap_or(begun.at),
            }))
        })
    }

    fn append<'a>(&'a self, id: &'a str, at: u64, pieces: Pieces) -> Answer<'a, u64> {
        Box::pin(async move {
            if self.begun(id).await?.is_none() {
                return Err(gone(id));
            }
            let chain = self.chain(id).await?;
            match chain.size() {
                size if size == at => self.add(id, chain, pieces).await,
                size => {
                    let why = format!("it has {size} bytes, not {at}");
                    Err(Error::new(Kind::Conflict, "upload", id, why))
                }
            }
        })
    }

    fn finish<'a>(&'a self, id: &'a str, digest: &'a Digest) -> Answer<'a, u64> {
        Box::pin(async move {
            if self.begun(id).await?.is_none() {
                return Err(gone(id));
            }
            let chain = self.chain(id).await?;
            let found = self.digest(&chain, digest.algorithm()).await?;
            if found != *digest {
                let why = format!("its content has the digest {found}");
                return Err(Error::new(Kind::Invalid, "finish upload", digest, why));
            }
            let size = chain.size();
            if self.exists(digest).await? {
                self.bucket.delete(&format!("uploads/{id}")).await?;
                self.drop_data(id).await?;
                return Ok(size);
            }
            let pointer = Pointer {
                size,
                pieces: chain.into_pieces(),
            };
            let text =
                serde_json::to_vec(&pointer).map_err(|e| Error::system("finish upload", id, e))?;
            self.bucket
                .put(&format!("blobs/{digest}/{id}"), Bytes::from(text))
                .await?;
            self.bucket.delete(&format!("uploads/{id}")).await?;
            Ok(size)
        })
    }

    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let begun = self.begun(id).await?.is_some();
            // It may have become a blob, and the one who was making it one been killed before it could say so.
            let listed = self.bucket.list_all("blobs/", Folders::Each).await?;
            let end = format!("/{id}");
            if listed
                .objects
                .iter()
                .any(|object| object.key.ends_with(&end))
            {
                self.bucket.delete(&format!("uploads/{id}")).await?;
                return Ok(begun);
            }
            let data = self.drop_data(id).await?;
            self.bucket.delete(&format!("uploads/{id}")).await?;
            Ok(begun || data)
        })
    }

    fn list(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async move {
            let data = self.bucket.list_all("data/", Folders::Once).await?.folders;
            let uploads = self.bucket.list_all("uploads/", Folders::Each).await?;
            // In this order: what was begun and is no longer has become a blob before, or is a rest of one that was cut off.
            let blobs = self.bucket.list_all("blobs/", Folders::Each).await?;
            let last = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
            let used: HashSet<String> = blobs.objects.iter().map(|o| last(&o.key)).collect();
            let begun = uploads.objects.iter().map(|o| last(&o.key));
            let orphans = data.into_iter().filter(|id| !used.contains(id));
            let mut ids: Vec<String> = begun.chain(orphans).collect();
            ids.sort_unstable();
            ids.dedup();
            Ok(ids)
        })
    }
}
