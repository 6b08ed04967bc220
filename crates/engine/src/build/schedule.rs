//! Which step runs when: each as soon as what it needs is there.

use std::sync::mpsc;
use std::thread;

use builder::{Op, Vertex, key};
use dockerfile::{Diagnostic, suggest};
use spec::{DiffId, Digest, ImageId, Reference};
use store::Layer;
use tokio::runtime::Handle;

use super::progress::What;
use super::{Build, Root, copy, prepare, run};
use crate::container::HostConfig;
use crate::error::{Error, Kind, Result};
use crate::image::lookup;
use crate::open::Inner;

/// How many steps run at the same time.
const MOST: usize = 4;

/// A step's result.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) key: Digest,
    pub(super) root: Root,
    /// The named context that it is instead of a root of layers.
    pub(super) context: Option<String>,
}

impl Done {
    fn new(key: Digest, root: Root) -> Self {
        Self {
            key,
            root,
            context: None,
        }
    }
}

/// Runs all steps; gives the target's file system.
pub(super) fn run(build: &Build<'_>) -> Result<Root> {
    let vertices = &build.graph.vertices;
    let runtime = Handle::try_current().map_err(|e| Error::internal("build", e))?;
    let mut done: Vec<Option<Done>> = vec![None; vertices.len()];
    let mut begun = vec![false; vertices.len()];
    let (sender, ended) = mpsc::channel::<(usize, Result<Done>)>();
    let mut failed = None;
    thread::scope(|scope| {
        let mut running = 0;
        loop {
            for (index, vertex) in vertices.iter().enumerate() {
                let ready = vertex.inputs.iter().all(|input| done[input.0].is_some());
                if failed.is_some() || begun[index] || !ready || running == MOST {
                    continue;
                }
                begun[index] = true;
                running += 1;
                let inputs: Vec<Done> = vertex
                    .inputs
                    .iter()
                    .filter_map(|input| done[input.0].clone())
                    .collect();
                let (sender, runtime) = (sender.clone(), runtime.clone());
                scope.spawn(move || {
                    let _inside = runtime.enter();
                    let result = step(build, index, vertex, &inputs, &runtime);
                    drop(sender.send((index, result)));
                });
            }
            if running == 0 {
                return;
            }
            let Ok((index, result)) = ended.recv() else {
                return;
            };
            running -= 1;
            match result {
                Ok(result) => done[index] = Some(result),
                Err(error) => {
                    // What the others do is for nothing now.
                    build.voice.stop();
                    failed.get_or_insert(error);
                }
            }
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let target = done
        .get_mut(build.graph.target.root.0)
        .and_then(Option::take);
    target
        .map(|done| done.root)
        .ok_or_else(|| Error::invalid("the build has no result"))
}

fn step(
    build: &Build<'_>,
    index: usize,
    vertex: &Vertex,
    inputs: &[Done],
    runtime: &Handle,
) -> Result<Done> {
    build.voice.check()?;
    build.voice.say(What::Started(index));
    let result = carry_out(build, index, vertex, inputs, runtime);
    match result {
        Ok(done) => {
            build.voice.say(What::Done {
                step: index,
                key: done.key.hex(),
            });
            Ok(done)
        }
        Err(failure) => {
            let error = located(build, vertex, failure.error);
            build.voice.say(What::Failed {
                step: index,
                code: failure.code,
                message: error.chain(),
                image: failure.image.map(|id| *id),
            });
            Err(error)
        }
    }
}

/// Why a step failed, and what is known beside.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) code: Option<i64>,
    /// Boxed: failures are passed around.
    pub(super) image: Option<Box<ImageId>>,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            code: None,
            image: None,
        }
    }
}

/// The error with the instruction that it is of.
fn located(build: &Build<'_>, vertex: &Vertex, mut error: Error) -> Error {
    if error.kind == Kind::Unavailable {
        return error;
    }
    let mut found = Diagnostic::error(vertex.span, error.chain());
    if let Some(hint) = error.hint.take() {
        found = found.help(hint);
    }
    error.hint = Some(found.render(&build.source));
    error
}

fn carry_out(
    build: &Build<'_>,
    index: usize,
    vertex: &Vertex,
    inputs: &[Done],
    runtime: &Handle,
) -> Result<Done, Failure> {
    let keys: Vec<Digest> = inputs.iter().map(|done| done.key).collect();
    let parent = inputs
        .first()
        .map(|done| done.root.clone())
        .unwrap_or_default();
    let step = Step {
        build,
        index,
        vertex,
    };
    match &vertex.op {
        Op::Scratch => Ok(Done::new(key::of(vertex, &keys, None), Root::default())),
        Op::Image(image) => Ok(base(build, vertex, image)?),
        Op::Context { name } => Ok(Done {
            context: Some(name.clone()),
            ..Done::new(key::of(vertex, &keys, None), Root::default())
        }),
        Op::Directory { path } => {
            let key = key::of(vertex, &keys, None);
            step.cached(key, parent, |parent| {
                Ok(copy::directory(build, parent, path)?)
            })
        }
        Op::Copy(copy) => {
            let plan = copy::Plan::make(build, copy, &parent, inputs.get(1))?;
            let content = plan.digest()?;
            // What is copied counts, not where it comes from.
            let key = key::of(vertex, &keys[..1], Some(&content));
            step.cached(key, parent, |parent| Ok(Some(plan.layer(build, parent)?)))
        }
        Op::Run(command) => {
            let key = key::of(vertex, &keys, settings(build)?.as_ref());
            step.cached(key, parent, |_| {
                run::layer(&step, command, inputs, runtime).map(Some)
            })
        }
    }
}

/// What was asked of the commands' surroundings, if anything was: another network or other limits may give another result.
fn settings(build: &Build<'_>) -> Result<Option<Digest>> {
    let run = &build.request.run;
    if *run == HostConfig::default() {
        return Ok(None);
    }
    let text = serde_json::to_vec(run).map_err(|e| Error::internal("make key", e))?;
    Ok(Some(Digest::of(text)))
}

/// An image that is there, of nearly this name.
fn similar(inner: &Inner, name: &str) -> Option<String> {
    let tags = inner.db.read(|tx| tx.tags()).ok()?;
    let names: Vec<String> = tags
        .iter()
        .filter_map(|tag| Reference::parse(&tag.reference).ok())
        .flat_map(|reference| {
            let whole = reference.familiar();
            let bare = whole.strip_suffix(":latest").map(str::to_owned);
            bare.into_iter().chain([whole])
        })
        .collect();
    let meant = suggest::nearest(name, names.iter().map(String::as_str))?;
    Some(format!("did you mean {meant}?"))
}

/// A step that is carried out.
pub(super) struct Step<'a> {
    pub(super) build: &'a Build<'a>,
    pub(super) index: usize,
    pub(super) vertex: &'a Vertex,
}

fn base(build: &Build<'_>, vertex: &Vertex, image: &builder::graph::Image) -> Result<Done> {
    let inner = &*build.engine.0;
    let found = match build.bases.get(&image.reference) {
        Some(found) => found.clone(),
        None => {
            let name = prepare::image_name(build.request, &image.reference);
            lookup::find(inner, name).map_err(|error| {
                let hint = image.hint.clone().or_else(|| similar(inner, name));
                error
                    .hint(hint.unwrap_or_else(|| "load, import or pull the image first".to_owned()))
            })?
        }
    };
    let config = spec::image::ImageConfig::parse(found.row.config.as_bytes())?;
    let layers = inner.db.read(|tx| tx.image_layers(&found.row.id))?;
    let identity = Digest::of(found.row.id.to_string());
    let root = Root {
        layers: layers.into_iter().zip(config.rootfs.diff_ids).collect(),
        size: found.row.size,
    };
    Ok(Done::new(key::of(vertex, &[], Some(&identity)), root))
}

impl Step<'_> {
    /// Takes the result from before, or makes it and remembers it. Whatever is found is in the store as long as this build goes
    /// on: nothing is collected meanwhile.
    fn cached(
        &self,
        key: Digest,
        mut parent: Root,
        make: impl FnOnce(&Root) -> Result<Option<Layer>, Failure>,
    ) -> Result<Done, Failure> {
        let build = self.build;
        let inner = &*build.engine.0;
        let name = key.to_string();
        if self.vertex.cached == builder::graph::Reuse::Allowed
            && let Some(diff) = inner.db.read(|tx| tx.build_result(&name))?
        {
            let layer = found(build, &diff, &parent)?;
            // No layer is a result too; one that is gone is none.
            if layer.is_some() || diff.is_empty() {
                build.voice.say(What::Cached(self.index));
                if let Some(layer) = layer {
                    push(&mut parent, layer);
                }
                return Ok(Done::new(key, parent));
            }
        }
        let layer = make(&parent)?;
        let diff = layer.as_ref().map(|layer| layer.diff_id.to_string());
        let now = inner.nanos();
        inner
            .db
            .write(|tx| tx.remember_build(&name, &diff.unwrap_or_default(), now))?;
        if let Some(layer) = layer {
            push(&mut parent, layer);
        }
        Ok(Done::new(key, parent))
    }
}

fn found(build: &Build<'_>, diff: &str, parent: &Root) -> Result<Option<Layer>> {
    let Ok(diff) = diff.parse::<DiffId>() else {
        return Ok(None);
    };
    Ok(build.engine.0.store()?.find_layer(&diff, &parent.ids())?)
}

fn push(root: &mut Root, layer: Layer) {
    root.layers.push((layer.id, layer.diff_id));
    root.size += layer.size;
}
