//! A storage in a bucket of an object store. Any number of servers may use one bucket: they keep nothing that others must know.
//!
//! | key | object |
//! |---|---|
//! | `records/…` | a record |
//! | `uploads/<id>` | whose upload it is |
//! | `data/<id>/<from>-<size>-<hash>` | a piece of an upload, and of the blob that it became |
//! | `blobs/<digest>/<id>` | the pieces of a blob: nothing is copied when an upload ends |
//!
//! Objects can't be appended to, so an upload is a row of pieces. The name of a piece says how the hasher stands after it, so whoever
//! comes next, on whatever machine, goes on from there.

mod chain;
mod uploads;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use spec::Digest;

use super::bucket::{Bucket, BucketSettings, Folders, From};
use super::{Answer, Blob, Blobs, Content, Existing, Records, Storage};
use crate::error::{Error, Kind, Result};
use uploads::ObjectUploads;

/// Pieces of one blob that are fetched at the same time, so that one can be sent while the next comes.
const AHEAD: usize = 2;
/// Blobs whose pieces are remembered.
const REMEMBERED: usize = 1024;

/// The storage in a bucket. Nothing is asked yet.
///
/// # Errors
/// The settings make no sense.
pub fn storage(settings: BucketSettings) -> Result<Storage> {
    let bucket = Bucket::new(settings)?;
    let objects = Arc::new(Objects {
        bucket: bucket.clone(),
        known: Mutex::default(),
    });
    Ok(Storage {
        blobs: objects.clone(),
        uploads: Arc::new(ObjectUploads::new(bucket)),
        records: objects,
    })
}

struct Objects {
    bucket: Bucket,
    /// A blob's pieces never change.
    known: Mutex<HashMap<Digest, Arc<Pointer>>>,
}

/// A blob's pieces, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    size: u64,
    pieces: Vec<Piece>,
}

/// Some bytes of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    key: String,
    size: u64,
}

impl Objects {
    /// The names of what points to a blob's pieces, and when they were last written: more than one if it was pushed twice at a time.
    async fn pointers(&self, digest: &Digest) -> Result<Vec<(String, i64)>> {
        let prefix = format!("blobs/{digest}/");
        let listed = self.bucket.list_all(&prefix, Folders::Each).await?;
        let named = |o: super::bucket::Object| (o.key, o.modified);
        Ok(listed.objects.into_iter().map(named).collect())
    }

    async fn read_pointer(&self, key: &str) -> Result<Option<Pointer>> {
        let Some(text) = self.bucket.get(key, None).await? else {
            return Ok(None);
        };
        let pointer = serde_json::from_slice(&text);
        pointer
            .map(Some)
            .map_err(|e| Error::system("read blob", key, e))
    }

    async fn pointer(&self, digest: &Digest) -> Result<Option<Arc<Pointer>>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pointer) = known().get(digest) {
            return Ok(Some(Arc::clone(pointer)));
        }
        for (key, _) in self.pointers(digest).await? {
            if let Some(pointer) = self.read_pointer(&key).await? {
                let pointer = Arc::new(pointer);
                let mut known = known();
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(*digest, Arc::clone(&pointer));
                return Ok(Some(pointer));
            }
        }
        Ok(None)
    }

    fn forget(&self, digest: &Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(digest);
    }
}

/// The parts of pieces that make up a range.
fn parts(pointer: &Pointer, range: &Range<u64>) -> Vec<(String, Range<u64>)> {
    let mut at = 0;
    let mut found = Vec::new();
    for piece in &pointer.pieces {
        let (start, end) = (at, at + piece.size);
        at = end;
        let from = range.start.max(start);
        let to = range.end.min(end);
        if from < to {
            found.push((piece.key.clone(), from - start..to - start));
        }
    }
    found
}

impl Blobs for Objects {
    fn look<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<Blob>> {
        Box::pin(async move {
            let pointers = self.pointers(digest).await?;
            let Some(since) = pointers.iter().map(|(_, modified)| *modified).max() else {
                self.forget(digest);
                return Ok(None);
            };
            let pointer = self.pointer(digest).await?;
            Ok(pointer.map(|pointer| Blob {
                size: pointer.size,
                since,
            }))
        })
    }

    fn read<'a>(&'a self, digest: &'a Digest, range: Range<u64>) -> Answer<'a, Content> {
        Box::pin(async move {
            let gone = || Error::new(Kind::NotFound, "read blob", digest, "it is not there");
            let pointer = self.pointer(digest).await?.ok_or_else(gone)?;
            let bucket = self.bucket.clone();
            let parts = futures_util::stream::iter(parts(&pointer, &range));
            let pieces = parts.map(move |(key, range)| {
                let bucket = bucket.clone();
                async move {
                    let bytes = bucket
                        .get(&key, Some(range))
                        .await
                        .map_err(io::Error::other)?;
                    bytes.ok_or_else(|| io::Error::other(format!("{key} is gone")))
                }
            });
            Ok(Content::Pieces(Box::pin(pieces.buffered(AHEAD))))
        })
    }

    fn touch<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut touched = false;
            for (key, _) in self.pointers(digest).await? {
                // Written again, it is as old as that.
                if let Some(text) = self.bucket.get(&key, None).await? {
                    self.bucket.put(&key, text).await?;
                    touched = true;
                }
            }
            Ok(touched)
        })
    }

    fn remove<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        Box::pin(async move {
            self.forget(digest);
            let pointers = self.pointers(digest).await?;
            for (key, _) in &pointers {
                let pointer = self.read_pointer(key).await?;
                self.bucket.delete(key).await?;
                // Cut off here, the pieces are an upload that nobody has, and expire.
                let pieces = pointer.into_iter().flat_map(|pointer| pointer.pieces);
                futures_util::stream::iter(pieces.map(Ok))
                    .try_for_each_concurrent(8, |piece| async move {
                        self.bucket.delete(&piece.key).await
                    })
                    .await?;
            }
            Ok(!pointers.is_empty())
        })
    }

    fn list(&self) -> Answer<'_, Vec<Digest>> {
        Box::pin(async move {
            let listed = self.bucket.list_all("blobs/", Folders::Once).await?;
            let digests = listed.folders.iter().filter_map(|word| word.parse().ok());
            Ok(digests.collect())
        })
    }
}

fn record(key: &str) -> String {
    format!("records/{key}")
}

impl Records for Objects {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move { self.bucket.get(&record(key), None).await })
    }

    fn put<'a>(&'a self, key: &'a str, value: Bytes, existing: Existing) -> Answer<'a, bool> {
        Box::pin(async move {
            match existing {
                Existing::Keep => self.bucket.put_new(&record(key), value).await,
                Existing::Replace => self.bucket.put(&record(key), value).await.map(|()| true),
            }
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let key = record(key);
            // Deleting doesn't say whether there was something.
            if self.bucket.get(&key, None).await?.is_none() {
                return Ok(false);
            }
            self.bucket.delete(&key).await.map(|()| true)
        })
    }

    fn names<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        most: usize,
    ) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let prefix = record(&format!("{folder}/"));
            let mut from = match after {
                "" => From::Start,
                after => From::After(format!("{prefix}{after}")),
            };
            let mut names: Vec<String> = Vec::new();
            loop {
                let page = self.bucket.list(&prefix, &from, Folders::Once).await?;
                // Folders are in another order than their names: all are needed for the first.
                let whole = !page.folders.is_empty();
                let leaves = page
                    .objects
                    .iter()
                    .filter_map(|o| o.key.strip_prefix(&prefix));
                names.extend(leaves.map(str::to_owned));
                names.extend(page.folders);
                match page.next {
                    Some(token) if whole || names.len() < most => from = From::Token(token),
                    _ => break,
                }
            }
            names.retain(|name| name.as_str() > after);
            names.sort_unstable();
            names.dedup();
            names.truncate(most);
            Ok(names)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_made_of_parts() {
        let piece = |key: &str, size| Piece {
            key: key.to_owned(),
            size,
        };
        let pointer = Pointer {
            size: 25,
            pieces: vec![piece("a", 10), piece("b", 10), piece("c", 5)],
        };
        let shown = |range| {
            parts(&pointer, &range)
                .iter()
                .map(|(k, r)| format!("{k}{r:?}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(shown(0..25), "a0..10 b0..10 c0..5");
        assert_eq!(shown(9..11), "a9..10 b0..1");
        assert_eq!(shown(20..25), "c0..5");
        assert_eq!(shown(5..5), "");
    }
}
