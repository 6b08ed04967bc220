//! Building images: a Dockerfile and a context become layers and an image.
//!
//! The context is stored as a layer of its own, so that no name in it leads anywhere but into it. Steps that do not wait for
//! each other run at the same time. The whole build is one journaled addition of content: until the image is written, all that
//! it made is garbage to whoever comes next, and a killed build leaves no half-made image.

mod copy;
mod run;
mod schedule;
mod source;

use std::collections::BTreeMap;

pub use builder::{CacheUse, Request as PlanRequest};
use dockerfile::{Diagnostic, Ignore, Source};
use jiff::Timestamp;
use spec::image::{History, ImageConfig, RootFs};
use spec::{DiffId, Digest, ImageId, LayerId, Reference};
use state::{Durability, EntryId, ImageRow};
use tokio::io::AsyncRead;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Error, Kind, Result};
use crate::image::import::{Adding, store_small};
use crate::image::{garbage, intake, lookup};
use crate::open::{Engine, Inner};

/// A Dockerfile is not larger.
const MAX_DOCKERFILE: u64 = 4 << 20;

/// What is asked of a build.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// The Dockerfile's path in the context; `Dockerfile` if empty.
    pub dockerfile: String,
    /// Target, arguments, labels, platform, cache.
    pub plan: builder::Request,
    /// The names that the image gets.
    pub tags: Vec<Reference>,
    /// The network of RUN: empty for the default.
    pub network: String,
    /// Lines for /etc/hosts.
    pub extra_hosts: Vec<String>,
    /// Bytes of /dev/shm; 0 for the default.
    pub shm_size: i64,
    /// Bytes of memory for RUN; 0 for no limit.
    pub memory: i64,
}

/// What a build says while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step begins.
    Step {
        /// Its number, from one.
        number: usize,
        /// Of how many.
        total: usize,
        /// The instruction.
        text: String,
    },
    /// The step's result was there already.
    Cached,
    /// What a command wrote.
    Output(Vec<u8>),
    /// The step's layer is there.
    Done(String),
    /// Something that may not be meant.
    Warning(String),
}

/// What can be built.
#[derive(Debug, Clone)]
pub struct Builds {
    engine: Engine,
}

impl Builds {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Builds an image of a context, which is a tar, compressed or not.
    ///
    /// # Errors
    /// The Dockerfile has mistakes, a base image is not there, a command fails, or the disk is full.
    pub async fn build(
        &self,
        request: BuildRequest,
        context: impl AsyncRead + Send + Unpin + 'static,
        events: UnboundedSender<BuildEvent>,
    ) -> Result<ImageId> {
        intake::pour(&self.engine, context, move |engine, tar| {
            let adding = Adding::begin(&engine.0, "build")?;
            let entry = adding.entry;
            let built = build(engine, &request, tar, &events, entry);
            let built = adding.end(built)?;
            // The context's layer was for this build alone. If others add content now, their end collects it.
            garbage::collect(&engine.0)?;
            Ok(built)
        })
        .await
    }
}

impl Builds {
    /// Forgets what steps came to, and removes the layers that only they needed; gives their keys.
    ///
    /// # Errors
    /// The database can't be written.
    pub async fn prune(&self) -> Result<Vec<String>> {
        self.engine
            .long(|engine| {
                let forgotten = engine.0.db.write(|tx| tx.forget_builds())?;
                garbage::collect(&engine.0)?;
                Ok(forgotten)
            })
            .await
    }
}

/// What all steps of a build share.
struct Build<'a> {
    engine: &'a Engine,
    request: &'a BuildRequest,
    context: source::Tree,
    ignore: Ignore,
    graph: builder::Graph,
    bases: BTreeMap<String, lookup::Found>,
    events: &'a UnboundedSender<BuildEvent>,
    /// What times are set to: two builds of the same are the same.
    epoch: i64,
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

fn build(
    engine: &Engine,
    request: &BuildRequest,
    tar: impl std::io::Read + Send,
    events: &UnboundedSender<BuildEvent>,
    entry: EntryId,
) -> Result<ImageId> {
    let inner = &*engine.0;
    let store = inner.store()?;
    let context = store.unpack(tar, &[])?;
    let tree = source::Tree::of(inner, &[context.id])?;
    let name = if request.dockerfile.is_empty() {
        "Dockerfile"
    } else {
        &request.dockerfile
    };
    let text = tree.text(name, MAX_DOCKERFILE)?.ok_or_else(|| {
        Error::invalid(format!("Cannot locate specified Dockerfile: {name}"))
            .hint("name it with -f; its path is seen from the context")
    })?;
    let ignore = read_ignore(&tree, name)?;
    let source = Source::new(name, text.as_str());
    let parsed = dockerfile::parse(&text);
    refuse(&parsed.diagnostics, &source)?;
    let bases = find_bases(inner, &parsed.file, &request.plan, &source)?;
    let mut configs = builder::Bases::new();
    for (reference, found) in &bases {
        configs.insert(
            reference.clone(),
            ImageConfig::parse(found.row.config.as_bytes())?,
        );
    }
    let checked = dockerfile::lint::check(
        &parsed.file,
        &dockerfile::lint::Known {
            ignore: Some(&ignore),
            ..Default::default()
        },
    );
    refuse(&checked, &source)?;
    for warning in parsed.diagnostics.iter().chain(&checked) {
        drop(events.send(BuildEvent::Warning(warning.render(&source))));
    }
    let graph = builder::plan(&parsed.file, &request.plan, &configs)
        .map_err(|e| mistake(e.diagnostic(), &source))?;
    for name in &graph.unused_args {
        drop(events.send(BuildEvent::Warning(format!(
            "[Warning] One or more build-args [{name}] were not consumed\n"
        ))));
    }
    let epoch = request
        .plan
        .build_args
        .get("SOURCE_DATE_EPOCH")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let build = Build {
        engine,
        request,
        context: tree,
        ignore,
        graph,
        bases,
        events,
        epoch,
    };
    let root = schedule::run(&build)?;
    finish(&build, &root, entry)
}

fn read_ignore(tree: &source::Tree, dockerfile: &str) -> Result<Ignore> {
    for name in [
        format!("{dockerfile}.dockerignore"),
        ".dockerignore".to_owned(),
    ] {
        if let Some(text) = tree.text(&name, MAX_DOCKERFILE)? {
            return Ignore::parse(&text).map_err(|e| Error::invalid(format!("{name}: {e}")));
        }
    }
    Ok(Ignore::default())
}

/// All errors at once, in Docker's words and with their places.
fn refuse(found: &[Diagnostic], source: &Source) -> Result<()> {
    let Some(first) = found.iter().find(|d| d.is_error()) else {
        return Ok(());
    };
    let mut error = mistake(first, source);
    let all: String = found
        .iter()
        .filter(|d| d.is_error())
        .map(|d| d.render(source))
        .collect();
    error.hint = Some(all);
    Err(error)
}

fn mistake(found: &Diagnostic, source: &Source) -> Error {
    let line = source.place(found.span.start).line;
    Error::invalid(format!(
        "dockerfile parse error on line {line}: {}",
        found.message
    ))
    .hint(found.render(source))
}

fn find_bases(
    inner: &Inner,
    file: &dockerfile::Dockerfile,
    request: &builder::Request,
    source: &Source,
) -> Result<BTreeMap<String, lookup::Found>> {
    let wanted =
        builder::plan::bases(file, request).map_err(|e| mistake(e.diagnostic(), source))?;
    let mut out = BTreeMap::new();
    for reference in wanted {
        if reference.is_empty() {
            continue;
        }
        match lookup::find(inner, &reference) {
            Ok(found) => {
                out.insert(reference, found);
            }
            // A stage that the target does not need may name what is not there.
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// Writes the image: from here on it is there, whole.
fn finish(build: &Build<'_>, root: &Root, entry: EntryId) -> Result<ImageId> {
    let inner = &*build.engine.0;
    let target = &build.graph.target;
    let created = Timestamp::from_second(build.epoch)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string();
    let mut layers_left = root.layers.len();
    let history: Vec<History> = target
        .history
        .iter()
        .map(|step| {
            let mut step = step.clone();
            step.created.get_or_insert_with(|| created.clone());
            step
        })
        .collect();
    let kept: usize = history.iter().filter(|step| !step.empty_layer).count();
    let history = settle(history, kept, &mut layers_left);
    let document = ImageConfig {
        architecture: target.platform.architecture.clone(),
        variant: target.platform.variant.clone(),
        author: target.author.clone(),
        config: target.config.clone(),
        created: Some(created),
        history,
        os: target.platform.os.clone(),
        os_version: None,
        os_features: None,
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: root.layers.iter().map(|(_, diff)| *diff).collect(),
        },
    };
    let text =
        serde_json::to_string(&document).map_err(|e| Error::internal("write configuration", e))?;
    let blob = store_small(inner, text.as_bytes())?;
    let id = ImageId::new(Digest::of(&text));
    let nanos = inner.nanos();
    let row = ImageRow {
        id,
        manifest: None,
        config: text,
        size: root.size,
        created_at: Some(build.epoch.saturating_mul(1_000_000_000)),
        added_at: nanos,
        tagged_at: None,
    };
    inner.db.write_with(Durability::Full, |tx| {
        tx.add_image(&row, &root.ids(), &[blob])?;
        for tag in &build.request.tags {
            tx.set_tag(&tag.to_string(), &id, nanos)?;
        }
        tx.finish(entry)
    })?;
    Ok(id)
}

/// A step whose directory was there already made no layer; the history must say as many layers as there are.
fn settle(mut history: Vec<History>, kept: usize, layers: &mut usize) -> Vec<History> {
    let mut surplus = kept.saturating_sub(*layers);
    for step in history.iter_mut().rev() {
        let workdir = step
            .created_by
            .as_deref()
            .is_some_and(|by| by.starts_with("WORKDIR "));
        if surplus > 0 && workdir && !step.empty_layer {
            step.empty_layer = true;
            surplus -= 1;
        }
    }
    history
}
