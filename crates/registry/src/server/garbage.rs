//! What nobody needs goes, while everybody works.
//!
//! There is no time at which pushes must stop. Whoever relies on content (finds it, mounts it, puts a manifest that names it) has its
//! time renewed first; what is taken away was needed by nobody for a whole lease, and is looked at once more before it goes. Servers of
//! one storage on several machines may collect at the same time: they need clocks that differ by less than half a lease.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use spec::Digest;

use super::Server;
use super::catalogue::{Kept, Repository, repositories};
use super::manifest::Document;
use super::name::Name;
use crate::error::{Error, Kind, Result};

/// What is kept although it could go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long manifests are kept to which no tag leads, nor an index or a subject with a tag; none for always.
    pub untagged: Option<Duration>,
}

/// What a collection took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Manifests.
    pub manifests: u64,
    /// Blobs out of a repository, which others may have.
    pub links: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// The manifests of a repository.
type Manifests = HashMap<Digest, (Kept, Document)>;

impl Server {
    /// Takes away what nobody needs.
    ///
    /// # Errors
    /// The storage can't be read or written. What is gone by then was needed by nobody.
    pub async fn collect(&self, retention: Retention) -> Result<Collected> {
        let storage = self.storage();
        // Before the repositories: what comes later is younger than a lease.
        let blobs = storage.blobs.list().await?;
        let mut collected = Collected::default();
        let mut needed = HashSet::new();
        for name in repositories(&*storage.records).await? {
            let kept = self.collect_in(&name, retention, &mut collected).await?;
            needed.extend(kept);
        }
        for digest in blobs.iter().filter(|digest| !needed.contains(digest)) {
            if let Some(blob) = storage.blobs.look(digest).await?
                && self.is_old(blob.since)
            {
                let _alone = self.content().write().await;
                let again = storage.blobs.look(digest).await?;
                if again.is_some_and(|blob| self.is_old(blob.since))
                    && storage.blobs.remove(digest).await?
                {
                    collected.blobs += 1;
                    collected.bytes += blob.size;
                }
            }
        }
        self.metrics().collected(collected.blobs, collected.bytes);
        Ok(collected)
    }

    fn is_old(&self, since: i64) -> bool {
        self.now().saturating_sub(since) >= self.lease()
    }

    /// Takes away what a repository does not need; gives the blobs that it has then.
    async fn collect_in(
        &self,
        name: &Name,
        retention: Retention,
        collected: &mut Collected,
    ) -> Result<Vec<Digest>> {
        let repository = Repository::new(&*self.storage().records, name);
        let mut manifests = match load(&repository).await {
            Ok(manifests) => manifests,
            Err(error) if error.kind == Kind::System => {
                // Nobody knows what it needs: all of it.
                self.complain(&error);
                return repository.blobs().await;
            }
            Err(error) => return Err(error),
        };
        if let Some(age) = retention.untagged {
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            let rooted = rooted(&manifests, tagged(&repository).await?);
            let old = |kept: &Kept| self.now().saturating_sub(kept.at) >= age;
            let candidates: Vec<Digest> = manifests
                .iter()
                .filter(|(digest, (kept, _))| !rooted.contains(digest) && old(kept))
                .map(|(digest, _)| *digest)
                .collect();
            for digest in candidates {
                let _alone = self.content().write().await;
                // Whoever tags it puts it once more, and whoever names it renews it.
                if let Some(kept) = repository.manifest(&digest).await?
                    && old(&kept)
                {
                    self.drop_manifest(&repository, &digest, &kept).await?;
                    manifests.remove(&digest);
                    collected.manifests += 1;
                }
            }
        }
        let needed: HashSet<&Digest> = manifests.values().flat_map(|(_, d)| &d.blobs).collect();
        let mut left = Vec::new();
        for digest in repository.blobs().await? {
            let spare = !needed.contains(&digest) && self.unlink_old(&repository, &digest).await?;
            match spare {
                true => collected.links += 1,
                false => left.push(digest),
            }
        }
        if manifests.is_empty() {
            let _alone = self.content().write().await;
            if repository.manifests().await?.is_empty() {
                repository.leave().await?;
            }
        }
        Ok(left)
    }

    async fn unlink_old(&self, repository: &Repository<'_>, digest: &Digest) -> Result<bool> {
        let old = |since: Option<i64>| since.is_some_and(|since| self.is_old(since));
        if !old(repository.blob(digest).await?) {
            return Ok(false);
        }
        let _alone = self.content().write().await;
        Ok(old(repository.blob(digest).await?) && repository.unlink_blob(digest).await?)
    }
}

async fn load(repository: &Repository<'_>) -> Result<Manifests> {
    let mut found = Manifests::new();
    for digest in repository.manifests().await? {
        // It may have gone since.
        let Some(kept) = repository.manifest(&digest).await? else {
            continue;
        };
        let document = Document::parse(&kept.bytes, Some(&kept.media_type))
            .map_err(|why| Error::new(Kind::System, "read manifest", digest, why))?;
        // The bytes are not needed, and may be many.
        let kept = Kept {
            bytes: bytes::Bytes::new(),
            ..kept
        };
        found.insert(digest, (kept, document));
    }
    Ok(found)
}

async fn tagged(repository: &Repository<'_>) -> Result<HashSet<Digest>> {
    const PAGE: usize = 1000;
    let mut found = HashSet::new();
    let mut after = String::new();
    loop {
        let tags = repository.tags(&after, PAGE).await?;
        for tag in &tags {
            found.extend(repository.tag(tag).await?);
        }
        match tags.last() {
            Some(last) if tags.len() == PAGE => after.clone_from(last),
            _ => return Ok(found),
        }
    }
}

/// What can be reached from the tags: what an index names, and what says something about what can be reached.
fn rooted(manifests: &Manifests, tagged: HashSet<Digest>) -> HashSet<Digest> {
    let mut about: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for (digest, (_, document)) in manifests {
        if let Some(subject) = document.subject {
            about.entry(subject).or_default().push(*digest);
        }
    }
    let mut rooted = HashSet::new();
    let mut open: Vec<Digest> = tagged.into_iter().collect();
    while let Some(digest) = open.pop() {
        if !rooted.insert(digest) {
            continue;
        }
        open.extend(about.get(&digest).into_iter().flatten());
        if let Some((_, document)) = manifests.get(&digest) {
            open.extend(&document.manifests);
        }
    }
    rooted
}
