//! Which step runs when: each as soon as what it needs is there.

use std::sync::mpsc;
use std::thread;

use builder::{Op, Vertex, key};
use spec::{DiffId, Digest};
use store::Layer;
use tokio::runtime::Handle;

use super::{Build, BuildEvent, Root, copy, run};
use crate::error::{Error, Result};
use crate::image::lookup;

/// How many steps run at the same time.
const MOST: usize = 4;

/// A step's result.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) key: Digest,
    pub(super) root: Root,
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
    let say = |event| drop(build.events.send(event));
    say(BuildEvent::Step {
        number: index + 1,
        total: build.graph.vertices.len(),
        text: vertex.name.clone(),
    });
    let keys: Vec<Digest> = inputs.iter().map(|done| done.key).collect();
    let parent = inputs
        .first()
        .map(|done| done.root.clone())
        .unwrap_or_default();
    let result = match &vertex.op {
        Op::Scratch => Done {
            key: key::of(vertex, &keys, None),
            root: Root::default(),
        },
        Op::Image(image) => base(build, vertex, image)?,
        Op::Context { name } => {
            return Err(Error::unsupported(format!(
                "named context {name}: --build-context is not supported yet"
            )));
        }
        Op::Directory { path } => {
            let key = key::of(vertex, &keys, None);
            cached(build, vertex, key, parent, |parent| {
                copy::directory(build, parent, path)
            })?
        }
        Op::Copy(copy) => {
            let plan =
                copy::Plan::make(build, copy, &parent, inputs.get(1).map(|done| &done.root))?;
            let content = plan.digest()?;
            let key = key::of(vertex, &keys, Some(&content));
            cached(build, vertex, key, parent, |parent| {
                plan.layer(build, parent).map(Some)
            })?
        }
        Op::Run(command) => {
            let key = key::of(vertex, &keys, None);
            cached(build, vertex, key, parent, |parent| {
                run::layer(build, vertex, command, parent, runtime).map(Some)
            })?
        }
    };
    say(BuildEvent::Done(result.key.hex()));
    Ok(result)
}

fn base(build: &Build<'_>, vertex: &Vertex, image: &builder::graph::Image) -> Result<Done> {
    let inner = &*build.engine.0;
    let found = match build.bases.get(&image.reference) {
        Some(found) => found.clone(),
        None => lookup::find(inner, &image.reference).map_err(|mut error| {
            error.hint = image
                .hint
                .clone()
                .or(Some("load, import or pull the image first".to_owned()));
            error
        })?,
    };
    let config = spec::image::ImageConfig::parse(found.row.config.as_bytes())?;
    let layers = inner.db.read(|tx| tx.image_layers(&found.row.id))?;
    let identity = Digest::of(found.row.id.to_string());
    Ok(Done {
        key: key::of(vertex, &[], Some(&identity)),
        root: Root {
            layers: layers.into_iter().zip(config.rootfs.diff_ids).collect(),
            size: found.row.size,
        },
    })
}

/// Takes the result from before, or makes it and remembers it. Whatever is found is in the store as long as this build goes on:
/// nothing is collected meanwhile.
fn cached(
    build: &Build<'_>,
    vertex: &Vertex,
    key: Digest,
    mut parent: Root,
    make: impl FnOnce(&Root) -> Result<Option<Layer>>,
) -> Result<Done> {
    let inner = &*build.engine.0;
    let name = key.to_string();
    if vertex.cached == builder::graph::Reuse::Allowed
        && let Some(diff) = inner.db.read(|tx| tx.build_result(&name))?
    {
        match found(build, &diff, &parent)? {
            Some(layer) => {
                drop(build.events.send(BuildEvent::Cached));
                push(&mut parent, layer);
                return Ok(Done { key, root: parent });
            }
            None if diff.is_empty() => {
                drop(build.events.send(BuildEvent::Cached));
                return Ok(Done { key, root: parent });
            }
            None => {}
        }
    }
    let layer = make(&parent)?;
    let diff = layer
        .as_ref()
        .map(|l| l.diff_id.to_string())
        .unwrap_or_default();
    let now = inner.nanos();
    inner.db.write(|tx| tx.remember_build(&name, &diff, now))?;
    if let Some(layer) = layer {
        push(&mut parent, layer);
    }
    Ok(Done { key, root: parent })
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
