//! Building images: a Dockerfile and a context become layers and an image.
//!
//! A context that comes as a tar is stored as a layer of its own, so that no name in it leads anywhere but into it; a directory is
//! read in place. Steps that do not wait for each other run at the same time. The whole build is one journaled addition of
//! content: until the image is written, all that it made is garbage to whoever comes next, and a killed build leaves no
//! half-made image.
//!
//! Read [`request`] (what is asked), `prepare` (it becomes a plan), `schedule` (the plan is carried out), `finish` (the image).

mod copy;
mod finish;
mod held;
mod prepare;
mod progress;
pub mod request;
mod run;
mod schedule;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use builder::{CacheUse, Request as PlanRequest};
use dockerfile::{Ignore, Source};
pub use held::Held;
pub use progress::{BuildEvent, Step, Stream, Warning, What};
pub use request::{BuildRequest, Context, File, NamedContext, Purpose};
use spec::{DiffId, ImageId, LayerId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::image::import::Adding;
use crate::image::{garbage, intake, lookup};
use crate::open::{Engine, lock};
use progress::Voice;

/// What can be built.
#[derive(Debug, Clone)]
pub struct Builds {
    engine: Engine,
}

/// What came of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image; none if none was wanted.
    pub image: Option<ImageId>,
}

/// What was forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The keys of steps.
    pub keys: Vec<String>,
    /// Bytes on disk that are free now.
    pub bytes: u64,
}

impl Builds {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Builds an image. It ends early when `events` is not listened to any more.
    ///
    /// # Errors
    /// The Dockerfile has mistakes, a base image is not there, a command fails, or the disk is full.
    pub async fn build(
        &self,
        request: BuildRequest,
        context: Context,
        events: UnboundedSender<BuildEvent>,
    ) -> Result<Built> {
        let voice = Voice::new(&self.engine, events);
        let named = Named::register(&self.engine, &request.name, voice.halt());
        let built = match context {
            Context::Stream { tar, prefix } => {
                intake::pour(&self.engine, tar, move |engine, tar| {
                    whole(
                        engine,
                        &request,
                        Files::Stream(Box::new(tar), prefix),
                        voice,
                    )
                })
                .await
            }
            Context::Directory(fd) => {
                self.engine
                    .long(move |engine| whole(engine, &request, Files::Directory(fd), voice))
                    .await
            }
            Context::Nothing => {
                self.engine
                    .long(move |engine| whole(engine, &request, Files::Nothing, voice))
                    .await
            }
        };
        drop(named);
        built
    }

    /// Stops a build of this engine by its name; whether there was one.
    #[must_use]
    pub fn cancel(&self, name: &str) -> bool {
        match lock(&self.engine.0.builds).get(name) {
            Some(halt) => !halt.send_replace(true),
            None => false,
        }
    }

    /// Forgets what steps came to, and removes the layers that only they needed.
    ///
    /// # Errors
    /// The database can't be written.
    pub async fn prune(&self) -> Result<Pruned> {
        self.engine
            .long(|engine| {
                let layers = engine.0.db.read(|tx| tx.layers())?;
                let keys = engine.0.db.write(|tx| tx.forget_builds())?;
                let (caches, held) = run::cache::prune(&engine.0)?;
                let mut keys = keys;
                keys.extend(caches);
                let bytes: u64 = match garbage::collect(&engine.0)? {
                    garbage::Collected::Done(gone) => layers
                        .iter()
                        .filter(|row| gone.contains(&row.id))
                        .map(|row| row.file_size)
                        .sum(),
                    garbage::Collected::Later => 0,
                };
                Ok(Pruned {
                    keys,
                    bytes: bytes + held,
                })
            })
            .await
    }
}

/// A build that others may stop by its name.
struct Named {
    engine: Engine,
    name: String,
}

impl Named {
    fn register(engine: &Engine, name: &str, halt: Arc<watch::Sender<bool>>) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        lock(&engine.0.builds).insert(name.to_owned(), halt);
        Some(Self {
            engine: engine.clone(),
            name: name.to_owned(),
        })
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        lock(&self.engine.0.builds).remove(&self.name);
    }
}

/// The files of the context before they are looked at.
enum Files {
    Nothing,
    Stream(Box<dyn std::io::Read + Send>, String),
    Directory(std::os::fd::OwnedFd),
}

fn whole(engine: &Engine, request: &BuildRequest, files: Files, voice: Voice) -> Result<Built> {
    let adding = Adding::begin(&engine.0, "build")?;
    let entry = adding.entry;
    let built = prepare::prepare(engine, request, files, voice).and_then(|prepared| {
        match prepared {
            // Nothing else was asked.
            None => Ok(Built { image: None }),
            Some(build) => {
                let root = schedule::run(&build)?;
                let image = finish::image(&build, &root, entry)?;
                Ok(Built { image: Some(image) })
            }
        }
    });
    let built = match built {
        Ok(Built { image: None }) => {
            engine.0.db.write(|tx| tx.finish(entry))?;
            adding.end(built)?
        }
        other => adding.end(other)?,
    };
    // The context's layer was for this build alone. If others add content now, their end collects it.
    garbage::collect(&engine.0)?;
    Ok(built)
}

/// What all steps of a build share.
struct Build<'a> {
    engine: &'a Engine,
    request: &'a BuildRequest,
    context: source::Tree,
    named: BTreeMap<String, source::Tree>,
    ignore: Ignore,
    source: Source,
    graph: builder::Graph,
    bases: BTreeMap<String, lookup::Found>,
    voice: Voice,
    /// What times are set to: two builds of the same are the same.
    epoch: Option<i64>,
}

impl Build<'_> {
    /// What the times of files are set to.
    fn moment(&self) -> i64 {
        self.epoch.unwrap_or(0)
    }
}

/// A file system with its history in layers.
#[derive(Debug, Clone, Default)]
struct Root {
    layers: Vec<(LayerId, DiffId)>,
    size: u64,
}

impl Root {
    fn ids(&self) -> Vec<LayerId> {
        self.layers.iter().map(|(id, _)| *id).collect()
    }
}

/// A mistake in the file, in Docker's words, with its place.
fn mistake(found: &dockerfile::Diagnostic, source: &Source) -> Error {
    let line = source.place(found.span.start).line;
    Error::invalid(format!(
        "dockerfile parse error on line {line}: {}",
        found.message
    ))
    .hint(found.render(source))
}
