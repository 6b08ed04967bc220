//! Images: what containers are made from.

mod archive;
pub(crate) mod changes;
pub(crate) mod garbage;
pub(crate) mod import;
pub(crate) mod intake;
pub(crate) mod list;
mod load;
pub(crate) mod lookup;
mod prune;
mod pull;
mod push;
mod remove;
mod save;

pub use pull::{Amount, LayerNews, PullNews, PullRequest};
pub use push::{LayerPush, PushNews, PushRequest};

use std::collections::BTreeMap;

use jiff::Timestamp;
use spec::{DiffId, ImageId, Platform, Reference};
use state::Durability;
use tokio::io::AsyncRead;

pub use load::LoadRequest;
pub use prune::ImagePrune;
pub use save::SaveRequest;

use crate::error::{Error, Result};
use crate::event::{Happened, Subject};
use crate::open::{Engine, Inner};
use crate::outlet::{self, Outlet};
use crate::prune::Pruned;

/// A root file system to make an image of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportRequest {
    /// The tag that the image gets.
    pub reference: Option<Reference>,
    /// Its history's comment.
    pub message: String,
    /// Instructions for its configuration, as in a Dockerfile: `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`, `LABEL`, `USER`, `VOLUME`,
    /// `WORKDIR`, `STOPSIGNAL`.
    pub changes: Vec<String>,
    /// The platform, if it is not this machine's.
    pub platform: Option<Platform>,
}

/// What came with an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The references that lead to a loaded image now, as people write them.
    pub references: Vec<String>,
    /// The loaded images that have no reference.
    pub ids: Vec<ImageId>,
}

/// A line in the list of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    /// Its id.
    pub id: ImageId,
    /// `busybox:latest`.
    pub tags: Vec<String>,
    /// `busybox@sha256:…`.
    pub digests: Vec<String>,
    /// When it was made; none if it doesn't say.
    pub created: Option<Timestamp>,
    /// The bytes of its files.
    pub size: u64,
    /// Data for people and tools.
    pub labels: BTreeMap<String, String>,
    /// How many containers were made from it.
    pub containers: u64,
}

/// Which images to list. Every list that is not empty must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFilters {
    /// Patterns of references: `busybox`, `busybox:1.*`.
    pub reference: Vec<String>,
    /// `key` or `key=value`.
    pub label: Vec<String>,
    /// Whether no tag leads to it.
    pub dangling: Option<bool>,
    /// Made before this image.
    pub before: Option<String>,
    /// Made after this image.
    pub since: Option<String>,
}

/// Everything about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInspect {
    /// Its id.
    pub id: ImageId,
    /// `busybox:latest`.
    pub tags: Vec<String>,
    /// `busybox@sha256:…`.
    pub digests: Vec<String>,
    /// Its configuration.
    pub config: spec::image::ImageConfig,
    /// The bytes of its files.
    pub size: u64,
    /// Its layers, bottom first.
    pub layers: Vec<DiffId>,
    /// When a tag was last given to it.
    pub last_tagged: Option<Timestamp>,
}

/// One step in which an image was made, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The image's id at the newest step; none at the others.
    pub id: Option<ImageId>,
    /// When.
    pub created: Option<Timestamp>,
    /// By which instruction.
    pub created_by: String,
    /// The tags of the image at the newest step.
    pub tags: Vec<String>,
    /// The bytes of the step's layer.
    pub size: u64,
    /// Remarks.
    pub comment: String,
}

/// What removing an image did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A reference is gone: `busybox:latest`.
    Untagged(String),
    /// An image or a layer is gone: `sha256:…`.
    Deleted(String),
}

/// How to remove an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageRemove {
    /// Even if it has several tags or stopped containers use it.
    pub force: bool,
}

/// What can be done with images.
#[derive(Debug, Clone)]
pub struct Images {
    engine: Engine,
}

impl Images {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Makes an image of one layer from a tar of a root file system, compressed or not.
    ///
    /// # Errors
    /// The tar is malformed, a change is no instruction, or the disk is full.
    pub async fn import(
        &self,
        request: ImportRequest,
        tar: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<ImageId> {
        intake::pour(&self.engine, tar, move |engine, tar| {
            let id = import::import(&engine.0, &request, tar)?;
            engine.0.record(image_event("import", &id));
            Ok(id)
        })
        .await
    }

    /// Takes images from an archive, as `docker save` or an OCI layout's tar has them, compressed or not.
    ///
    /// # Errors
    /// The archive is malformed or lacks something, or the disk is full.
    pub async fn load(
        &self,
        request: LoadRequest,
        archive: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Loaded> {
        intake::pour(&self.engine, archive, move |engine, archive| {
            let loaded = load::load(&engine.0, &request, archive)?;
            for id in &loaded.ids {
                engine.0.record(image_event("load", id));
            }
            for name in &loaded.references {
                let image = lookup::find(&engine.0, name)?;
                let event = image_event("load", &image.row.id);
                engine.0.record(event.with("name", name));
            }
            Ok(loaded)
        })
        .await
    }

    /// Writes images into one archive, which is docker's and an OCI layout at the same time.
    ///
    /// # Errors
    /// No such image, or it is for another platform. What goes wrong later ends the stream with an error.
    pub async fn save(&self, request: SaveRequest) -> Result<Outlet> {
        let plan = self
            .engine
            .step(move |engine| {
                let plan = save::plan(&engine.0, &request)?;
                for id in plan.images() {
                    engine.0.record(image_event("save", id));
                }
                Ok(plan)
            })
            .await?;
        Ok(outlet::draw(&self.engine, move |engine, out| {
            save::write(&engine.0, &plan, out)
        }))
    }

    /// Pulls an image, or all of a repository. It goes on until somebody drops the other end of `news`; it must be run to its end,
    /// because it has then to clear up.
    ///
    /// # Errors
    /// The registry does not have it, does not give it or can't be reached; or what came is not what was promised.
    pub async fn pull(
        &self,
        request: PullRequest,
        news: tokio::sync::mpsc::Sender<PullNews>,
    ) -> Result<()> {
        pull::pull(&self.engine, &request, &news).await
    }

    /// Pushes an image, or all of a repository. It goes on until somebody drops the other end of `news`; it must be run to its end,
    /// because it has then to clear up.
    ///
    /// # Errors
    /// There is no such image, or the registry does not take it or can't be reached.
    pub async fn push(
        &self,
        request: PushRequest,
        news: tokio::sync::mpsc::Sender<PushNews>,
    ) -> Result<()> {
        push::push(&self.engine, &request, &news).await
    }

    /// All images that match, newest first.
    ///
    /// # Errors
    /// The database can't be read, or a filter names an image that does not exist.
    pub async fn list(&self, filters: ImageFilters) -> Result<Vec<ImageSummary>> {
        self.engine
            .step(move |engine| list::list(&engine.0, &filters))
            .await
    }

    /// Everything about one image.
    ///
    /// # Errors
    /// No such image.
    pub async fn inspect(&self, name: &str) -> Result<ImageInspect> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| list::inspect(&engine.0, &name))
            .await
    }

    /// The steps in which it was made, newest first.
    ///
    /// # Errors
    /// No such image.
    pub async fn history(&self, name: &str) -> Result<Vec<HistoryEntry>> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| list::history(&engine.0, &name))
            .await
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// No such image, or the reference has a digest.
    pub async fn tag(&self, name: &str, target: &Reference) -> Result<()> {
        let (name, target) = (name.to_owned(), target.clone());
        self.engine
            .step(move |engine| {
                let inner = &*engine.0;
                let image = lookup::find(inner, &name)?;
                if target.digest().is_some() {
                    return Err(Error::invalid(
                        "refusing to create a tag with a digest reference",
                    ));
                }
                let now = inner.nanos();
                inner.db.write_with(Durability::Full, |tx| {
                    tx.set_tag(&target.to_string(), &image.row.id, now)
                })?;
                let event = image_event("tag", &image.row.id);
                inner.record(event.with("name", target.familiar()));
                Ok(())
            })
            .await
    }

    /// Removes all that match and that no container uses.
    ///
    /// # Errors
    /// One can't be removed.
    pub async fn prune(&self, request: ImagePrune) -> Result<Pruned<Removed>> {
        self.engine
            .long(move |engine| prune::prune(&engine.0, &request))
            .await
    }

    /// Takes a name from an image, and with the last name the image itself.
    ///
    /// # Errors
    /// No such image, or a container uses it.
    pub async fn remove(&self, name: &str, request: ImageRemove) -> Result<Vec<Removed>> {
        let name = name.to_owned();
        self.engine
            .step(move |engine| {
                let image = lookup::find(&engine.0, &name)?.row.id;
                let removed = remove::remove(&engine.0, &name, request)?;
                for gone in &removed {
                    record_removed(&engine.0, &image, gone);
                }
                Ok(removed)
            })
            .await
    }
}

/// What removing an image did is told; layers are nobody's business.
fn record_removed(inner: &Inner, image: &ImageId, gone: &Removed) {
    match gone {
        Removed::Untagged(_) => inner.record(image_event("untag", image)),
        Removed::Deleted(id) if *id == image.to_string() => {
            inner.record(image_event("delete", image));
        }
        Removed::Deleted(_) => {}
    }
}

/// Something that happened to an image, named by its id where nothing better is known.
fn image_event(action: &str, id: &ImageId) -> Happened {
    Happened::to(Subject::Image, action, id).with("name", id)
}
