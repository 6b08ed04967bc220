//! A storage in memory: for tests, and for registries that are to forget.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use spec::Digest;

use super::{Answer, Blob, Blobs, Content, Existing, Pieces, Records, Storage, Upload, Uploads};
use crate::error::{Error, Kind, Result};

/// The storage. Everything is gone with its last clone.
#[derive(Debug, Default)]
struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Content, and when it was last wanted.
    blobs: BTreeMap<Digest, (Bytes, i64)>,
    uploads: BTreeMap<String, (Upload, BytesMut)>,
    records: BTreeMap<String, Bytes>,
}

/// An empty storage.
#[must_use]
pub fn storage() -> Storage {
    let memory = Arc::new(Memory::default());
    Storage {
        blobs: memory.clone(),
        uploads: memory.clone(),
        records: memory,
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<T: Send + 'static>(value: Result<T>) -> Answer<'static, T> {
    Box::pin(std::future::ready(value))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn gone(id: &str) -> Error {
    Error::new(Kind::NotFound, "upload", id, "there is no such upload")
}

impl Blobs for Memory {
    fn look<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<Blob>> {
        let blob = self.state().blobs.get(digest).map(|(bytes, since)| Blob {
            size: bytes.len() as u64,
            since: *since,
        });
        ready(Ok(blob))
    }

    fn read<'a>(&'a self, digest: &'a Digest, range: Range<u64>) -> Answer<'a, Content> {
        let bytes = self.state().blobs.get(digest).map(|(b, _)| b.clone());
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        ready(match bytes {
            Some(bytes) if range.end <= bytes.len() as u64 => Ok(Content::Bytes(
                bytes.slice(place(range.start)..place(range.end)),
            )),
            _ => Err(Error::new(
                Kind::NotFound,
                "read blob",
                digest,
                "it has no such bytes",
            )),
        })
    }

    fn touch<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        let mut state = self.state();
        let blob = state.blobs.get_mut(digest);
        ready(Ok(blob.map(|(_, since)| *since = now()).is_some()))
    }

    fn remove<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool> {
        ready(Ok(self.state().blobs.remove(digest).is_some()))
    }

    fn list(&self) -> Answer<'_, Vec<Digest>> {
        ready(Ok(self.state().blobs.keys().copied().collect()))
    }
}

impl Uploads for Memory {
    fn begin<'a>(&'a self, id: &'a str, owner: &'a str) -> Answer<'a, ()> {
        let upload = Upload {
            owner: owner.to_owned(),
            size: 0,
            touched: now(),
        };
        let begun = (upload, BytesMut::new());
        self.state().uploads.insert(id.to_owned(), begun);
        ready(Ok(()))
    }

    fn look<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Upload>> {
        ready(Ok(self.state().uploads.get(id).map(|(u, _)| u.clone())))
    }

    fn append<'a>(&'a self, id: &'a str, at: u64, mut pieces: Pieces) -> Answer<'a, u64> {
        Box::pin(async move {
            let mut at = at;
            loop {
                let piece = pieces.next().await;
                let mut state = self.state();
                let (upload, bytes) = state.uploads.get_mut(id).ok_or_else(|| gone(id))?;
                if upload.size != at {
                    let why = format!("it has {} bytes, not {at}", upload.size);
                    return Err(Error::new(Kind::Conflict, "upload", id, why));
                }
                let Some(piece) = piece else { return Ok(at) };
                let piece = piece.map_err(|e| Error::caused(Kind::Unavailable, "upload", id, e))?;
                bytes.extend_from_slice(&piece);
                at += piece.len() as u64;
                upload.size = at;
                upload.touched = now();
            }
        })
    }

    fn finish<'a>(&'a self, id: &'a str, digest: &'a Digest) -> Answer<'a, u64> {
        let mut state = self.state();
        let Some((upload, bytes)) = state.uploads.get(id) else {
            return ready(Err(gone(id)));
        };
        let mut hasher = digest.hasher();
        hasher.update(bytes);
        let found = hasher.finish();
        if found != *digest {
            let why = format!("its content has the digest {found}");
            return ready(Err(Error::new(Kind::Invalid, "finish upload", digest, why)));
        }
        let size = upload.size;
        if let Some((_, bytes)) = state.uploads.remove(id) {
            state.blobs.insert(*digest, (bytes.freeze(), now()));
        }
        ready(Ok(size))
    }

    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        ready(Ok(self.state().uploads.remove(id).is_some()))
    }

    fn list(&self) -> Answer<'_, Vec<String>> {
        ready(Ok(self.state().uploads.keys().cloned().collect()))
    }
}

impl Records for Memory {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        ready(Ok(self.state().records.get(key).cloned()))
    }

    fn put<'a>(&'a self, key: &'a str, value: Bytes, existing: Existing) -> Answer<'a, bool> {
        let mut state = self.state();
        if existing == Existing::Keep && state.records.contains_key(key) {
            return ready(Ok(false));
        }
        state.records.insert(key.to_owned(), value);
        ready(Ok(true))
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        ready(Ok(self.state().records.remove(key).is_some()))
    }

    fn names<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        most: usize,
    ) -> Answer<'a, Vec<String>> {
        let state = self.state();
        let prefix = format!("{folder}/");
        let keys = state.records.range::<String, _>(prefix.clone()..);
        let rests = keys.map_while(|(key, _)| key.strip_prefix(&prefix));
        // As a set: `a-b/c` comes before `a/c`, but `a` before `a-b`.
        let names: BTreeSet<&str> = rests
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| *name > after)
            .collect();
        let names = names.into_iter().take(most).map(str::to_owned).collect();
        ready(Ok(names))
    }
}
