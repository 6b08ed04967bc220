//! What the records say: repositories, their tags, manifests and blobs, and what refers to what.
//!
//! | key | value |
//! |---|---|
//! | `catalog/<name>` | nothing: the repository has, or had, manifests |
//! | `repositories/<name>/tags/<tag>` | the digest that it leads to |
//! | `repositories/<name>/manifests/<digest>` | a line of JSON, and the manifest as it came |
//! | `repositories/<name>/blobs/<digest>` | when somebody last wanted it kept: unix seconds |
//! | `repositories/<name>/referrers/<subject>/<digest>` | the descriptor of a manifest with that subject |
//!
//! A name is one word: `/` is written `+` in it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use spec::Digest;
use spec::image::Descriptor;

use super::name::Name;
use super::storage::{Existing, Records};
use crate::error::{Error, Kind, Result};

/// Names read at once.
const PAGE: usize = 1000;

/// A manifest or an index in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) media_type: String,
    /// When it came: unix seconds.
    pub(crate) at: i64,
    pub(crate) bytes: Bytes,
}

/// The first line of a manifest's record.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    media_type: String,
    at: i64,
}

/// One repository's records.
#[derive(Clone)]
pub(crate) struct Repository<'a> {
    records: &'a dyn Records,
    name: &'a Name,
    base: String,
}

impl<'a> Repository<'a> {
    pub(crate) fn new(records: &'a dyn Records, name: &'a Name) -> Self {
        let base = format!("repositories/{}", name.word());
        Self {
            records,
            name,
            base,
        }
    }

    /// Whether it has manifests, or had.
    pub(crate) async fn exists(&self) -> Result<bool> {
        let key = format!("catalog/{}", self.name.word());
        Ok(self.records.get(&key).await?.is_some())
    }

    pub(crate) async fn enter(&self) -> Result<()> {
        let key = format!("catalog/{}", self.name.word());
        let kept = self.records.put(&key, Bytes::new(), Existing::Keep);
        kept.await.map(drop)
    }

    pub(crate) async fn leave(&self) -> Result<()> {
        let key = format!("catalog/{}", self.name.word());
        self.records.remove(&key).await.map(drop)
    }

    fn tag_key(&self, tag: &str) -> String {
        format!("{}/tags/{tag}", self.base)
    }

    pub(crate) async fn tag(&self, tag: &str) -> Result<Option<Digest>> {
        let key = self.tag_key(tag);
        let Some(value) = self.records.get(&key).await? else {
            return Ok(None);
        };
        let digest = std::str::from_utf8(&value)
            .ok()
            .and_then(|t| t.parse().ok());
        digest.map(Some).ok_or_else(|| damaged(&key))
    }

    pub(crate) async fn set_tag(&self, tag: &str, digest: &Digest) -> Result<()> {
        let value = Bytes::from(digest.to_string());
        let key = self.tag_key(tag);
        let set = self.records.put(&key, value, Existing::Replace);
        set.await.map(drop)
    }

    pub(crate) async fn remove_tag(&self, tag: &str) -> Result<bool> {
        self.records.remove(&self.tag_key(tag)).await
    }

    pub(crate) async fn tags(&self, after: &str, most: usize) -> Result<Vec<String>> {
        let folder = format!("{}/tags", self.base);
        self.records.names(&folder, after, most).await
    }

    fn manifest_key(&self, digest: &Digest) -> String {
        format!("{}/manifests/{digest}", self.base)
    }

    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Option<Kept>> {
        let key = self.manifest_key(digest);
        let Some(value) = self.records.get(&key).await? else {
            return Ok(None);
        };
        let end = value.iter().position(|b| *b == b'\n');
        let end = end.ok_or_else(|| damaged(&key))?;
        let head: Head = serde_json::from_slice(&value[..end]).map_err(|_| damaged(&key))?;
        Ok(Some(Kept {
            media_type: head.media_type,
            at: head.at,
            bytes: value.slice(end + 1..),
        }))
    }

    pub(crate) async fn put_manifest(&self, digest: &Digest, kept: &Kept) -> Result<()> {
        let head = Head {
            media_type: kept.media_type.clone(),
            at: kept.at,
        };
        let key = self.manifest_key(digest);
        let mut value =
            serde_json::to_vec(&head).map_err(|e| Error::system("write record", &key, e))?;
        value.push(b'\n');
        value.extend_from_slice(&kept.bytes);
        let put = self.records.put(&key, value.into(), Existing::Replace);
        put.await.map(drop)
    }

    pub(crate) async fn remove_manifest(&self, digest: &Digest) -> Result<bool> {
        self.records.remove(&self.manifest_key(digest)).await
    }

    pub(crate) async fn manifests(&self) -> Result<Vec<Digest>> {
        self.digests("manifests").await
    }

    fn blob_key(&self, digest: &Digest) -> String {
        format!("{}/blobs/{digest}", self.base)
    }

    /// When somebody last wanted a blob kept in this repository; none if it does not have it.
    pub(crate) async fn blob(&self, digest: &Digest) -> Result<Option<i64>> {
        let key = self.blob_key(digest);
        let Some(value) = self.records.get(&key).await? else {
            return Ok(None);
        };
        let since = std::str::from_utf8(&value)
            .ok()
            .and_then(|t| t.parse().ok());
        since.map(Some).ok_or_else(|| damaged(&key))
    }

    pub(crate) async fn link_blob(&self, digest: &Digest, now: i64) -> Result<()> {
        let value = Bytes::from(now.to_string());
        let key = self.blob_key(digest);
        let put = self.records.put(&key, value, Existing::Replace);
        put.await.map(drop)
    }

    pub(crate) async fn unlink_blob(&self, digest: &Digest) -> Result<bool> {
        self.records.remove(&self.blob_key(digest)).await
    }

    pub(crate) async fn blobs(&self) -> Result<Vec<Digest>> {
        self.digests("blobs").await
    }

    pub(crate) async fn add_referrer(&self, subject: &Digest, of: &Descriptor) -> Result<()> {
        let key = format!("{}/referrers/{subject}/{}", self.base, of.digest);
        let value = serde_json::to_vec(of).map_err(|e| Error::system("write record", &key, e))?;
        let put = self.records.put(&key, value.into(), Existing::Replace);
        put.await.map(drop)
    }

    pub(crate) async fn remove_referrer(&self, subject: &Digest, digest: &Digest) -> Result<()> {
        let key = format!("{}/referrers/{subject}/{digest}", self.base);
        self.records.remove(&key).await.map(drop)
    }

    /// What refers to a manifest, after this digest.
    pub(crate) async fn referrers(
        &self,
        subject: &Digest,
        after: &str,
        most: usize,
    ) -> Result<Vec<Descriptor>> {
        let folder = format!("{}/referrers/{subject}", self.base);
        let mut found = Vec::new();
        for name in self.records.names(&folder, after, most).await? {
            let key = format!("{folder}/{name}");
            // It may have gone since.
            if let Some(value) = self.records.get(&key).await? {
                found.push(serde_json::from_slice(&value).map_err(|_| damaged(&key))?);
            }
        }
        Ok(found)
    }

    async fn digests(&self, what: &str) -> Result<Vec<Digest>> {
        let folder = format!("{}/{what}", self.base);
        let names = all(self.records, &folder).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

/// The repositories that have manifests, after this one.
pub(crate) async fn catalog(records: &dyn Records, after: &str, most: usize) -> Result<Vec<Name>> {
    let after = after.replace('/', "+");
    let words = records.names("catalog", &after, most).await?;
    Ok(words.iter().filter_map(|w| Name::from_word(w)).collect())
}

/// All repositories of which anything is known.
pub(crate) async fn repositories(records: &dyn Records) -> Result<Vec<Name>> {
    let words = all(records, "repositories").await?;
    Ok(words.iter().filter_map(|w| Name::from_word(w)).collect())
}

async fn all(records: &dyn Records, folder: &str) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().map_or("", String::as_str);
        let mut page = records.names(folder, after, PAGE).await?;
        let last = page.len() < PAGE;
        found.append(&mut page);
        if last {
            return Ok(found);
        }
    }
}

fn damaged(key: &str) -> Error {
    Error::new(Kind::System, "read record", key, "it is damaged")
}
