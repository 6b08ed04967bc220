//! What the server needs of a place that keeps things. Blobs are content by its digest, uploads are content that is still coming, and
//! records are small documents by a key: repositories, tags, manifests.

pub mod bucket;
pub mod directory;
pub mod memory;
pub mod object;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use spec::Digest;

use crate::error::Result;

/// What a storage answers, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Bytes as they come.
pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A place that keeps everything.
#[derive(Clone)]
pub struct Storage {
    /// Content.
    pub blobs: Arc<dyn Blobs>,
    /// Content that is still coming.
    pub uploads: Arc<dyn Uploads>,
    /// Everything else.
    pub records: Arc<dyn Records>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

/// A blob that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// Its bytes.
    pub size: u64,
    /// When somebody last wanted it kept: unix seconds.
    pub since: i64,
}

/// The bytes of a blob that were asked for.
pub enum Content {
    /// They are in this file, at the same place as in the blob.
    File(File),
    /// They are in memory.
    Bytes(Bytes),
    /// They come.
    Pieces(Pieces),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Bytes(_) => "Bytes",
            Self::Pieces(_) => "Pieces",
        })
    }
}

/// Content by its digest.
pub trait Blobs: Send + Sync {
    /// Looks whether a blob is there.
    fn look<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<Blob>>;
    /// Opens a part of a blob that is there and has these bytes.
    fn read<'a>(&'a self, digest: &'a Digest, range: Range<u64>) -> Answer<'a, Content>;
    /// Says that somebody wants it kept from now on; whether it is there.
    fn touch<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool>;
    /// Takes a blob away; whether it was there.
    fn remove<'a>(&'a self, digest: &'a Digest) -> Answer<'a, bool>;
    /// All blobs.
    fn list(&self) -> Answer<'_, Vec<Digest>>;
}

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Whose it is: what [`Uploads::begin`] was told.
    pub owner: String,
    /// Its bytes so far.
    pub size: u64,
    /// When bytes last came: unix seconds.
    pub touched: i64,
}

/// Content that is still coming. Ids are 32 hexadecimal digits.
pub trait Uploads: Send + Sync {
    /// Begins one.
    fn begin<'a>(&'a self, id: &'a str, owner: &'a str) -> Answer<'a, ()>;
    /// Looks how far one is.
    fn look<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Upload>>;
    /// Adds bytes to one that has `at` bytes. What came before the pieces broke off stays. Gives its bytes after that, or
    /// [`crate::Kind::Conflict`] if it has another number of bytes or somebody else adds to it.
    fn append<'a>(&'a self, id: &'a str, at: u64, pieces: Pieces) -> Answer<'a, u64>;
    /// Makes it a blob, if it has this digest ([`crate::Kind::Invalid`] if not), and gives its size.
    fn finish<'a>(&'a self, id: &'a str, digest: &'a Digest) -> Answer<'a, u64>;
    /// Drops it; whether it was there.
    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, bool>;
    /// All ids.
    fn list(&self) -> Answer<'_, Vec<String>>;
}

/// What to do with a record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// It stays.
    Keep,
}

/// Small documents by keys of words with `/` between them; no key is the beginning of another at such a place.
pub trait Records: Send + Sync {
    /// Reads one.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>>;
    /// Writes one; whether it is this one that is there now. It is there after a power cut too.
    fn put<'a>(&'a self, key: &'a str, value: Bytes, existing: Existing) -> Answer<'a, bool>;
    /// Takes one away; whether it was there.
    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, bool>;
    /// The words that stand next after `folder` and `/` in some key, in order and each once: those after `after`, at most `most`.
    fn names<'a>(&'a self, folder: &'a str, after: &'a str, most: usize)
    -> Answer<'a, Vec<String>>;
}
