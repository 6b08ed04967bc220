//! Images from registries.
//!
//! The manifest and the configuration come first: they say which layers are wanted, and which are there. Those that are not come at the
//! same time, each straight into a layer. What a pull has got is held for some days if it is killed or breaks off, so that the next
//! one has less to do; the image itself is written last, in one transaction.

mod layer;
mod news;
mod resolve;

use ::registry::Credentials;
use ::registry::client::{Access, Fetched, Repository};
use failpoint::failpoint;
use spec::image::ImageConfig;
use spec::{BlobDigest, ChainId, Digest, ImageId, LayerId, Platform, Reference};
use state::{Durability, EntryId, ImageRow};
use store::BlobWriter;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, oneshot};

use super::import::Adding;
use crate::error::{Error, Kind, Result};
use crate::event::{Happened, Subject};
use crate::open::{Engine, Inner};
use crate::registries;
use layer::{Arrived, Job, Place};
use news::Teller;
use resolve::{Resolved, resolve};

pub use news::{Amount, LayerNews, PullNews};

/// How many layers come at once, as in Docker.
const AT_ONCE: usize = 3;
/// How long an interrupted pull's content is kept, in nanoseconds: a week.
const KEPT: i64 = 7 * 24 * 3600 * 1_000_000_000;

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// From where. With neither tag nor digest: every tag of the repository.
    pub reference: Reference,
    /// The platform, if it is not this machine's.
    pub platform: Option<Platform>,
    /// What to show to the registry.
    pub credentials: Credentials,
}

/// Does something that is of no use when nobody hears of it any more.
async fn heard<T>(news: &Sender<PullNews>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = news.closed() => Err(Error::new(Kind::Unavailable, "context canceled")),
    }
}

/// Pulls what is asked for, until nobody hears its news any more; what came so far is held.
pub(super) async fn pull(
    engine: &Engine,
    request: &PullRequest,
    news: &Sender<PullNews>,
) -> Result<()> {
    let reference = &request.reference;
    let name = reference.familiar_name();
    let repository = engine
        .0
        .registry
        .repository(reference, &request.credentials, Access::Pull)?;
    if reference.tag().is_some() || reference.digest().is_some() {
        return one(engine, &repository, request, reference, news).await;
    }
    let refused = |e| registries::no_image(e, &name, &name);
    let tags = async { repository.tags().await.map_err(refused) };
    let tags = heard(news, tags).await?;
    if tags.is_empty() {
        return Err(Error::not_found(format!("repository {name} has no tags")));
    }
    for tag in tags {
        let tagged = reference.with_tag(&tag)?;
        one(engine, &repository, request, &tagged, news).await?;
    }
    Ok(())
}

async fn one(
    engine: &Engine,
    repository: &Repository,
    request: &PullRequest,
    reference: &Reference,
    news: &Sender<PullNews>,
) -> Result<()> {
    let shown = reference.familiar();
    // Where there is a tag too, the digest decides.
    let name = match reference.digest() {
        Some(digest) => digest.to_string(),
        None => reference.tag().unwrap_or("latest").to_owned(),
    };
    let refused = |e| registries::no_image(e, &reference.familiar_name(), &shown);
    let top = async { repository.manifest(&name).await.map_err(refused) };
    let top = heard(news, top).await?;
    let found = PullNews::Found {
        repository: reference.path().to_owned(),
        name: name.clone(),
    };
    let digest = top.digest;
    let there = there(engine, reference, digest, request.platform.as_ref()).await?;
    let newer = if there {
        drop(news.send(found).await);
        false
    } else {
        let platform = request.platform.as_ref();
        let resolved = heard(news, Box::pin(resolve(repository, top, platform, &shown))).await?;
        drop(news.send(found).await);
        add(engine, repository, reference, resolved, news).await?
    };
    let event = Happened::to(Subject::Image, "pull", &shown);
    engine
        .0
        .record(event.with("name", reference.familiar_name()));
    let done = PullNews::Done {
        digest,
        reference: shown,
        newer,
    };
    drop(news.send(done).await);
    Ok(())
}

/// The name under which an image is known that this repository has under this digest.
fn with_digest(reference: &Reference, digest: Digest) -> String {
    reference.with_digest(digest).to_string()
}

/// Whether the repository's image with this digest is there already, and for the right platform; then it gets the tag if need be.
async fn there(
    engine: &Engine,
    reference: &Reference,
    digest: Digest,
    platform: Option<&Platform>,
) -> Result<bool> {
    let host = Platform::host();
    let platform = platform.unwrap_or(&host).clone();
    let reference = reference.clone();
    engine
        .step(move |engine| {
            let inner = &*engine.0;
            let (known, tagged) = inner.db.read(|tx| {
                Ok((
                    tx.image_of_tag(&with_digest(&reference, digest))?,
                    tx.image_of_tag(&reference.to_string())?,
                ))
            })?;
            let Some(row) = known else {
                return Ok(false);
            };
            let config = ImageConfig::parse(row.config.as_bytes())?;
            let same = tagged.is_some_and(|tagged| tagged.id == row.id);
            let untagged = reference.digest().is_some();
            Ok(platform.runs(&config.platform()).is_some() && (same || untagged))
        })
        .await
}

/// Gets what is missing of an image and writes it down. Whether it is another than the reference led to before.
async fn add(
    engine: &Engine,
    repository: &Repository,
    reference: &Reference,
    resolved: Resolved,
    news: &Sender<PullNews>,
) -> Result<bool> {
    let held = holds(&resolved);
    let keep = held.clone();
    let adding = engine
        .step(move |engine| {
            let inner = &*engine.0;
            let adding = Adding::begin(inner, "pull")?.lasting();
            let until = inner.nanos().saturating_add(KEPT);
            inner.db.write(|tx| tx.hold(&keep, until))?;
            inner.store()?.forget_partials(inner.nanos() - KEPT)?;
            failpoint!("image.pull.resolved");
            Ok(adding)
        })
        .await?;
    let entry = adding.entry;
    let done = match heard(news, Box::pin(layers(engine, repository, &resolved, news))).await {
        Ok(arrived) => write(engine, reference, resolved, arrived, (entry, held.clone())).await,
        Err(error) => Err(error),
    };
    // What broke off may go on later; what is wrong will not be better then.
    let wrong = matches!(&done, Err(error) if error.kind == Kind::InvalidParameter);
    engine
        .long(move |engine| {
            if wrong {
                engine.0.db.write(|tx| tx.let_go(&held))?;
            }
            adding.end(&engine.0, done)
        })
        .await
}

/// All that the image will need, by name: it stays when the pull breaks off.
fn holds(resolved: &Resolved) -> Vec<String> {
    let diffs = &resolved.config.rootfs.diff_ids;
    let plain = diffs.iter().filter_map(LayerId::from_diff);
    let chains = (1..=diffs.len()).filter_map(|n| LayerId::from_chain(&ChainId::of(&diffs[..n])?));
    let blobs = resolved
        .manifest
        .layers
        .iter()
        .map(|l| l.digest.to_string());
    let layers = plain.chain(chains).map(|id| id.to_string());
    blobs.chain(layers).collect()
}

async fn layers(
    engine: &Engine,
    repository: &Repository,
    resolved: &Resolved,
    news: &Sender<PullNews>,
) -> Result<Vec<Arrived>> {
    let turns = Semaphore::new(AT_ONCE);
    let (bottom, mut below) = oneshot::channel();
    drop(bottom.send(Vec::new()));
    let mut work = Vec::new();
    let diffs = &resolved.config.rootfs.diff_ids;
    for (blob, diff) in resolved.manifest.layers.iter().zip(diffs) {
        let (above, next) = oneshot::channel();
        let job = Job {
            engine,
            repository,
            turns: &turns,
            blob,
            diff: *diff,
            teller: Teller::new(BlobDigest::new(blob.digest), news),
        };
        work.push(Box::pin(job.run(Place { below, above })));
        below = next;
    }
    let arrived = futures_util::future::try_join_all(work).await?;
    failpoint!("image.pull.after_layers");
    Ok(arrived)
}

/// Writes the image down. Whether its reference led elsewhere before.
async fn write(
    engine: &Engine,
    reference: &Reference,
    resolved: Resolved,
    arrived: Vec<Arrived>,
    (entry, held): (EntryId, Vec<String>),
) -> Result<bool> {
    let reference = reference.clone();
    engine
        .long(move |engine| {
            let inner = &*engine.0;
            let mut blobs = Vec::new();
            for document in &resolved.documents {
                blobs.push(keep(inner, document)?);
            }
            let manifest = blobs.last().copied();
            blobs.push(super::import::store_small(inner, resolved.text.as_bytes())?);
            blobs.extend(arrived.iter().filter_map(|a| a.blob));
            failpoint!("image.pull.after_documents");
            let created = resolved.config.created.as_deref();
            let created = created.and_then(|t| t.parse::<jiff::Timestamp>().ok());
            let row = ImageRow {
                id: ImageId::new(Digest::of(&resolved.text)),
                manifest,
                size: arrived.iter().map(|a| a.layer.size).sum(),
                created_at: created.and_then(|t| i64::try_from(t.as_nanosecond()).ok()),
                added_at: inner.nanos(),
                tagged_at: None,
                config: resolved.text,
            };
            let layers: Vec<LayerId> = arrived.iter().map(|a| a.layer.id).collect();
            let now = inner.nanos();
            let newer = inner.db.write_with(Durability::Full, |tx| {
                let known = with_digest(&reference, resolved.top.digest);
                let before = match reference.digest() {
                    Some(_) => tx.image_of_tag(&known)?,
                    None => tx.image_of_tag(&reference.to_string())?,
                };
                tx.add_image(&row, &layers, &blobs)?;
                if reference.digest().is_none() {
                    tx.set_tag(&reference.to_string(), &row.id, now)?;
                }
                tx.set_tag(&known, &row.id, now)?;
                tx.let_go(&held)?;
                tx.finish(entry)?;
                Ok(before.is_none_or(|before| before.id != row.id))
            })?;
            failpoint!("image.pull.after_row");
            Ok(newer)
        })
        .await
}

/// Keeps a manifest or an index as it came.
fn keep(inner: &Inner, document: &Fetched) -> Result<BlobDigest> {
    use std::io::Write as _;
    let digest = BlobDigest::new(document.digest);
    let mut writer: BlobWriter = inner
        .store()?
        .blob_writer_with(document.digest.algorithm())?;
    writer
        .write_all(&document.bytes)
        .map_err(|e| Error::internal("write blob", e))?;
    Ok(writer.commit(Some(&digest))?.0)
}
