//! Images to registries.
//!
//! An image that came with a manifest leaves with it, byte for byte, if its blobs are here or there; any other gets a manifest of its
//! layers in gzip, which are compressed once.

mod plan;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::registry::Credentials;
use ::registry::client::{Access, Mounts, Pushed, Repository, Source, Uploads};
use failpoint::failpoint;
use futures_util::StreamExt as _;
use spec::image::{Descriptor, Manifest, media};
use spec::{BlobDigest, Digest, Reference};
use state::Durability;
use tokio::sync::mpsc::Sender;

use super::import::Adding;
use super::pull::Amount;
use crate::error::{Error, Kind, Result};
use crate::event::{Happened, Subject};
use crate::open::{Engine, Inner};
use plan::Leaving;

/// How many blobs leave at once, as in Docker.
const AT_ONCE: usize = 5;
/// How often it is told how far a layer is.
const OFTEN: Duration = Duration::from_millis(100);

/// What to push.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// Where to. Without a tag: every tag of the repository.
    pub reference: Reference,
    /// The platform that the images must have.
    pub platform: Option<spec::Platform>,
    /// What to show to the registry.
    pub credentials: Credentials,
}

/// Something that a push has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushNews {
    /// It begins: the repository, with its registry.
    To(String),
    /// A layer, by its diff id.
    Layer(Digest, LayerPush),
    /// A tag is there.
    Done {
        /// The tag.
        tag: String,
        /// The digest of its manifest.
        digest: Digest,
        /// The bytes of its manifest.
        size: u64,
    },
}

/// What a layer that leaves has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerPush {
    /// It waits for its turn.
    Preparing,
    /// So much of it is there.
    Pushing(Amount),
    /// It was sent.
    Pushed,
    /// It was there.
    Exists,
    /// The registry took it from this repository.
    Mounted(String),
}

/// Pushes what is asked for, until nobody hears its news any more.
pub(super) async fn push(
    engine: &Engine,
    request: &PushRequest,
    news: &Sender<PushNews>,
) -> Result<()> {
    let reference = &request.reference;
    if reference.digest().is_some() {
        return Err(Error::invalid("cannot push a digest reference"));
    }
    let (wanted, platform) = (reference.clone(), request.platform.clone());
    let images = engine
        .step(move |engine| plan::choose(&engine.0, &wanted, platform.as_ref()))
        .await?;
    let repository = engine
        .0
        .registry
        .repository(reference, &request.credentials, Access::Push)?;
    drop(news.send(PushNews::To(reference.name())).await);
    for (tag, image) in images {
        let adding = engine
            .step(|engine| Ok(Adding::begin(&engine.0, "push")?.lasting()))
            .await?;
        let entry = adding.entry;
        let work = one(engine, &repository, (&tag, image), news);
        let done = tokio::select! {
            done = Box::pin(work) => done,
            () = news.closed() => Err(Error::new(Kind::Unavailable, "context canceled")),
        };
        engine
            .long(move |engine| {
                let done = done.and_then(|()| Ok(engine.0.db.write(|tx| tx.finish(entry))?));
                adding.end(&engine.0, done)
            })
            .await?;
    }
    Ok(())
}

async fn one(
    engine: &Engine,
    repository: &Repository,
    (tag, image): (&Reference, state::ImageRow),
    news: &Sender<PushNews>,
) -> Result<()> {
    let row = image.clone();
    let original = engine
        .step(move |engine| plan::original(&engine.0, &row))
        .await?;
    let leaving = match original {
        Some(leaving) if is_complete(repository, &leaving).await? => leaving,
        _ => {
            let row = image.clone();
            engine
                .long(move |engine| plan::packed(&engine.0, &row))
                .await?
        }
    };
    for (diff, _) in leaving.layers() {
        drop(
            news.send(PushNews::Layer(*diff, LayerPush::Preparing))
                .await,
        );
    }
    let (domain, id) = (tag.domain().to_owned(), image.id);
    let own = tag.path().to_owned();
    let mounts = engine
        .step(move |engine| plan::mounts(&engine.0, &id, &domain, &own))
        .await?;
    let layers = leaving
        .layers()
        .map(|(diff, blob)| layer(engine, repository, (*diff, blob), &mounts, news));
    let layers: Vec<_> = layers.map(Box::pin).collect();
    let mut running = futures_util::stream::iter(layers).buffer_unordered(AT_ONCE);
    while let Some(done) = running.next().await {
        done?;
    }
    drop(running);
    let config = &leaving.manifest.config;
    blob(engine, repository, config, &mounts, Arc::new(|_| {})).await?;
    failpoint!("image.push.after_blobs");
    let size = leaving.bytes.len() as u64;
    let digest = Digest::of(&leaving.bytes);
    let media_type = leaving.manifest.media_type.as_deref();
    let media_type = media_type.unwrap_or(media::OCI_MANIFEST);
    let name = tag.tag().unwrap_or("latest").to_owned();
    repository
        .put_manifest(&name, media_type, leaving.bytes.clone().into())
        .await?;
    failpoint!("image.push.after_manifest");
    let known = tag.with_digest(digest).to_string();
    engine
        .step(move |engine| {
            let inner = &*engine.0;
            let now = inner.nanos();
            Ok(inner
                .db
                .write_with(Durability::Full, |tx| tx.set_tag(&known, &id, now))?)
        })
        .await?;
    let event = Happened::to(Subject::Image, "push", tag.familiar());
    engine.0.record(event.with("name", tag.familiar_name()));
    let done = PushNews::Done {
        tag: name,
        digest,
        size,
    };
    drop(news.send(done).await);
    Ok(())
}

/// Whether all blobs of a manifest are here, or there already.
async fn is_complete(repository: &Repository, leaving: &Leaving) -> Result<bool> {
    for missing in &leaving.missing {
        if repository.has_blob(missing.digest()).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn layer(
    engine: &Engine,
    repository: &Repository,
    (diff, descriptor): (Digest, &Descriptor),
    mounts: &[String],
    news: &Sender<PushNews>,
) -> Result<()> {
    let (sender, total) = (news.clone(), descriptor.size);
    let last = std::sync::Mutex::new(Instant::now());
    let sent = move |current: u64| {
        let mut last = crate::open::lock(&last);
        if last.elapsed() >= OFTEN {
            *last = Instant::now();
            let amount = LayerPush::Pushing(Amount { current, total });
            drop(sender.try_send(PushNews::Layer(diff, amount)));
        }
    };
    let what = match blob(engine, repository, descriptor, mounts, Arc::new(sent)).await? {
        Pushed::Exists => LayerPush::Exists,
        Pushed::Mounted(from) => LayerPush::Mounted(from),
        Pushed::Uploaded => LayerPush::Pushed,
    };
    drop(news.send(PushNews::Layer(diff, what)).await);
    Ok(())
}

async fn blob(
    engine: &Engine,
    repository: &Repository,
    descriptor: &Descriptor,
    mounts: &[String],
    sent: Arc<dyn Fn(u64) + Send + Sync>,
) -> Result<Pushed> {
    let digest = BlobDigest::new(descriptor.digest);
    let source = engine
        .step(move |engine| {
            let store = engine.0.store()?;
            Ok(store
                .has_blob(&digest)?
                .then(|| store.blob(&digest))
                .transpose()?)
        })
        .await?;
    let Some(file) = source else {
        // It was there when it was looked for, and is not needed.
        return Ok(Pushed::Exists);
    };
    let place = Place::of(&engine.0, repository, &descriptor.digest);
    let source: Arc<dyn Source> = Arc::new(Blob(file));
    Ok(repository
        .push_blob(descriptor, source, Mounts(mounts), &place, sent)
        .await?)
}

/// A blob that is read.
struct Blob(File);

impl Source for Blob {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

/// Where an upload under way is remembered, over kills and reboots.
struct Place(PathBuf);

impl Place {
    fn of(inner: &Inner, repository: &Repository, digest: &Digest) -> Self {
        let whole = format!("{}/{}@{digest}", repository.domain(), repository.name());
        let name = Digest::of(whole).hex();
        Self(inner.config.paths.root.join("partial-pushes").join(name))
    }
}

impl Uploads for Place {
    fn load(&self) -> Option<String> {
        std::fs::read_to_string(&self.0).ok()
    }

    fn save(&self, place: Option<&str>) {
        // Without it the next push begins anew: no reason to fail.
        match place {
            None => drop(std::fs::remove_file(&self.0)),
            Some(place) => {
                let written = self.0.parent().map(|directory| -> Result<()> {
                    crate::open::make_dir(directory)?;
                    let opened =
                        File::open(directory).map_err(|e| Error::internal("open directory", e))?;
                    let name = self.0.file_name().unwrap_or_default();
                    Ok(kernel::atomic::replace(
                        opened,
                        name,
                        place.as_bytes(),
                        0o600,
                    )?)
                });
                drop(written);
            }
        }
    }
}

impl Leaving {
    /// The layers that leave, each blob once, with their diff ids.
    fn layers(&self) -> impl Iterator<Item = (&Digest, &Descriptor)> {
        let all: &[Descriptor] = &self.manifest.layers;
        let new = move |(at, (_, blob)): &(usize, (&Digest, &Descriptor))| {
            !all[..*at].iter().any(|other| other.digest == blob.digest)
        };
        let both = self.diffs.iter().zip(all).enumerate();
        both.filter(new).map(|(_, pair)| pair)
    }
}

/// A manifest of these parts, as Docker's registries have taken it for ever.
fn docker_manifest(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: Some(media::DOCKER_MANIFEST.to_owned()),
        artifact_type: None,
        config,
        layers,
        subject: None,
        annotations: None,
    }
}
