//! A cache of other registries: what is pulled through it is kept, and served when they are down.
//!
//! Each upstream has the repositories below its prefix: `docker.io/library/busybox` is busybox of the public registry. Clients that
//! know of mirrors (containerd) name the upstream in `ns` and leave the prefix out.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use spec::image::Descriptor;
use spec::{Digest, Reference};

use super::body::Body;
use super::catalogue::{Kept, Repository};
use super::manifest::Document;
use super::name::{Name, Target};
use super::refusal::Refusal;
use super::route::Route;
use super::storage::{Content, Pieces};
use super::{Server, random_id};
use crate::client::{Access, Client, Download, Progress, Repository as Remote};
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};

/// Tags that are remembered to be fresh.
const REMEMBERED: usize = 10_000;

/// A registry that is cached.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// What its repositories' names begin with here: `docker.io`.
    pub prefix: String,
    /// Its host, as references name it: `docker.io`.
    pub registry: String,
    /// With what it is asked.
    pub credentials: Credentials,
}

/// What is cached, and how.
#[derive(Debug)]
pub struct Mirrors {
    client: Client,
    upstreams: Vec<Upstream>,
    scratch: PathBuf,
    fresh: Duration,
    /// When tags were last compared with their upstream.
    compared: Mutex<HashMap<(String, String), Instant>>,
    /// What is being fetched: whoever wants it too waits for it.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Mirrors {
    /// A cache of these. A blob is in a file without a name in `scratch` while it comes; a tag is not compared with its upstream again
    /// before `fresh` is over.
    ///
    /// # Errors
    /// A prefix can't begin a name, or two are the same.
    pub fn new(
        client: Client,
        upstreams: Vec<Upstream>,
        scratch: PathBuf,
        fresh: Duration,
    ) -> Result<Self> {
        for (at, one) in upstreams.iter().enumerate() {
            let twice = upstreams[..at]
                .iter()
                .any(|other| other.prefix == one.prefix);
            if Name::parse(&one.prefix).is_none() || twice {
                let why = "each needs a prefix of its own that may begin a repository's name";
                return Err(Error::new(Kind::System, "mirror", &one.prefix, why));
            }
        }
        Ok(Self {
            client,
            upstreams,
            scratch,
            fresh,
            compared: Mutex::default(),
            turns: Mutex::default(),
        })
    }

    /// The repository that one here stands for.
    fn remote(&self, name: &Name) -> Result<Option<Remote>> {
        let found = self.upstreams.iter().find_map(|upstream| {
            let rest = name.as_str().strip_prefix(&upstream.prefix)?;
            Some((upstream, rest.strip_prefix('/')?))
        });
        let Some((upstream, rest)) = found else {
            return Ok(None);
        };
        let Ok(reference) = Reference::parse_name(&format!("{}/{rest}", upstream.registry)) else {
            return Ok(None);
        };
        self.client
            .repository(&reference, &upstream.credentials, Access::Pull)
            .map(Some)
    }

    fn is_fresh(&self, name: &Name, tag: &str) -> bool {
        let compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let at = compared.get(&(name.to_string(), tag.to_owned()));
        at.is_some_and(|at| at.elapsed() < self.fresh)
    }

    fn set_fresh(&self, name: &Name, tag: &str) {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if compared.len() >= REMEMBERED {
            compared.retain(|_, at| at.elapsed() < self.fresh);
        }
        if compared.len() < REMEMBERED {
            compared.insert((name.to_string(), tag.to_owned()), Instant::now());
        }
    }

    fn turn(&self, what: String) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for those any more.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(what).or_default())
    }
}

impl Server {
    /// The same resource under its name here, for clients that name the upstream beside it.
    pub(super) fn localized(&self, route: Route, ns: Option<&str>) -> Route {
        let upstream = self
            .mirrors()
            .zip(ns)
            .and_then(|(mirrors, ns)| mirrors.upstreams.iter().find(|one| one.registry == ns));
        let Some(upstream) = upstream else {
            return route;
        };
        let local = |name: &Name| Name::parse(&format!("{}/{name}", upstream.prefix));
        let moved = match &route {
            Route::Manifest(name, target) => {
                local(name).map(|n| Route::Manifest(n, target.clone()))
            }
            Route::Blob(name, digest) => local(name).map(|n| Route::Blob(n, *digest)),
            Route::Referrers(name, digest) => local(name).map(|n| Route::Referrers(n, *digest)),
            Route::Tags(name) => local(name).map(Route::Tags),
            _ => None,
        };
        moved.unwrap_or(route)
    }

    fn mirrors(&self) -> Option<&Mirrors> {
        self.0
            .settings
            .mirrors
            .as_deref()
            .filter(|_| self.writable())
    }

    /// Repositories that stand for others are not pushed to: the next pull would undo it.
    pub(super) fn refuse_push(&self, name: &Name) -> std::result::Result<(), Refusal> {
        match self.mirrors().map(|mirrors| mirrors.remote(name)) {
            Some(Ok(Some(remote))) => {
                let why = format!("this repository is a cache of {}", remote.domain());
                Err(Refusal::denied(why))
            }
            _ => Ok(()),
        }
    }

    /// Sees to it that a manifest is here, as new as its upstream has it. An upstream that can't be asked does not matter if it is.
    pub(super) async fn refresh(
        &self,
        name: &Name,
        target: &Target,
    ) -> std::result::Result<(), Refusal> {
        let Some(mirrors) = self.mirrors() else {
            return Ok(());
        };
        let Some(remote) = mirrors.remote(name)? else {
            return Ok(());
        };
        let here = self.has_manifest(name, target).await?;
        let known = match target {
            Target::Digest(_) => here.is_some(),
            Target::Tag(tag) => here.is_some() && mirrors.is_fresh(name, tag),
        };
        if known {
            return Ok(());
        }
        let shown = match target {
            Target::Digest(digest) => digest.to_string(),
            Target::Tag(tag) => tag.clone(),
        };
        let turn = mirrors.turn(format!("{name}:{shown}"));
        let _turn = turn.lock().await;
        let fetched = self
            .fetch_manifest(name, &remote, (target, &shown), here)
            .await;
        match (fetched, here) {
            (Ok(()), _) => {
                if let Target::Tag(tag) = target {
                    mirrors.set_fresh(name, tag);
                }
                Ok(())
            }
            // What is here is served; what is not is told to be missing.
            (Err(_), Some(_)) => Ok(()),
            (Err(error), None) => match error.kind {
                Kind::NotFound | Kind::Unauthorized | Kind::Denied => Ok(()),
                _ => Err(unreachable(&remote, &error)),
            },
        }
    }

    async fn has_manifest(&self, name: &Name, target: &Target) -> Result<Option<Digest>> {
        let repository = Repository::new(&*self.storage().records, name);
        let digest = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(tag) => repository.tag(tag).await?,
        };
        let Some(digest) = digest else {
            return Ok(None);
        };
        Ok(repository.manifest(&digest).await?.map(|_| digest))
    }

    async fn fetch_manifest(
        &self,
        name: &Name,
        remote: &Remote,
        (target, shown): (&Target, &str),
        here: Option<Digest>,
    ) -> Result<()> {
        if let Some(here) = here {
            let there = remote.has_manifest(shown).await?;
            if there.is_some_and(|there| there.digest == here) {
                return Ok(());
            }
        }
        let fetched = remote.manifest(shown).await?;
        let declared = Some(fetched.media_type.as_str()).filter(|text| !text.is_empty());
        let document = Document::parse(&fetched.bytes, declared)
            .map_err(|why| Error::new(Kind::Invalid, "get manifest", shown, why))?;
        let kept = Kept {
            media_type: document.media_type.clone(),
            at: self.now(),
            bytes: fetched.bytes,
        };
        let _shared = self.content().read().await;
        let repository = Repository::new(&*self.storage().records, name);
        repository.put_manifest(&fetched.digest, &kept).await?;
        if let Target::Tag(tag) = target {
            repository.set_tag(tag, &fetched.digest).await?;
        }
        repository.enter().await
    }

    /// Sees to it that a blob is here, if its upstream has it.
    pub(super) async fn fetch_blob(
        &self,
        name: &Name,
        digest: &Digest,
    ) -> std::result::Result<(), Refusal> {
        let Some(mirrors) = self.mirrors() else {
            return Ok(());
        };
        let Some(remote) = mirrors.remote(name)? else {
            return Ok(());
        };
        if self.blob_in(name, digest).await.is_ok() {
            return Ok(());
        }
        let turn = mirrors.turn(digest.to_string());
        let _turn = turn.lock().await;
        // Whoever had the turn before may have fetched it.
        if self.blob_in(name, digest).await.is_ok() {
            return Ok(());
        }
        match self.download(name, &remote, digest, &mirrors.scratch).await {
            Ok(()) => Ok(()),
            Err(error) => match error.kind {
                Kind::NotFound | Kind::Unauthorized | Kind::Denied => Ok(()),
                _ => Err(unreachable(&remote, &error)),
            },
        }
    }

    async fn download(
        &self,
        name: &Name,
        remote: &Remote,
        digest: &Digest,
        scratch: &Path,
    ) -> Result<()> {
        let Some(size) = remote.has_blob(digest).await? else {
            return Err(Error::new(
                Kind::NotFound,
                "get blob",
                digest,
                "the upstream has none",
            ));
        };
        if size > self.limits().blob {
            return Err(Error::new(
                Kind::Limit,
                "get blob",
                digest,
                "it is larger than is kept",
            ));
        }
        let blob = Descriptor::new("application/octet-stream", *digest, size);
        let target = Scratch(unnamed(scratch)?);
        let download = Download {
            blob: &blob,
            from: 0,
        };
        remote.download(download, &target, &Silent).await?;
        let id = random_id()?;
        let uploads = &self.storage().uploads;
        uploads.begin(&id, "mirror").await?;
        let stored = async {
            let content = Body::content(Content::File(target.0), 0..size);
            uploads.append(&id, 0, pieces(content)).await?;
            let _shared = self.content().read().await;
            uploads.finish(&id, digest).await?;
            let repository = Repository::new(&*self.storage().records, name);
            repository.link_blob(digest, self.now()).await
        };
        let stored = stored.await;
        if stored.is_err()
            && let Err(error) = uploads.cancel(&id).await
        {
            self.complain(&error);
        }
        stored
    }
}

fn pieces(body: Body) -> Pieces {
    use futures_util::StreamExt as _;
    let frames = http_body_util::BodyStream::new(body);
    Box::pin(frames.map(|frame| frame.map(|f| f.into_data().unwrap_or_else(|_| Bytes::new()))))
}

fn unreachable(remote: &Remote, error: &Error) -> Refusal {
    let why = format!("{} can't be asked: {}", remote.domain(), error.chain());
    Refusal::new(StatusCode::BAD_GATEWAY, "UNKNOWN", why)
}

/// A file that goes with its last descriptor.
fn unnamed(scratch: &Path) -> Result<File> {
    let path = scratch.join(format!(".mirror-{}", random_id()?));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path);
    let file = file.map_err(|e| Error::system("create file in", scratch.display(), e))?;
    std::fs::remove_file(&path)
        .map_err(|e| Error::system("create file in", scratch.display(), e))?;
    Ok(file)
}

struct Scratch(File);

impl crate::client::Target for Scratch {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
}

/// Nobody looks.
struct Silent;

impl Progress for Silent {
    fn reached(&self, _offset: u64) {}
    fn received(&self, _bytes: u64) {}
}
