//! RUN: a container like any other, whose changes become a layer.

mod agent;
pub(crate) mod cache;
mod mounts;
mod stubs;

use builder::graph::Run;
use dockerfile::instruction::mount::MountKind as Asked;
use failpoint::failpoint;
use spec::ImageId;
use store::Layer;
use tokio::runtime::Handle;

use super::progress::{self, Stream, What};
use super::request::Failed;
use super::schedule::{Done, Failure, Step};
use super::source::Tree;
use super::{Build, Root, finish};
use crate::container::step::Container;
use crate::container::stored::StoredMount;
use crate::container::{
    AttachRequest, Config, HostConfig, MountKind, MountRequest, TmpfsOptions, WaitCondition,
};
use crate::error::{Error, Result};
use stubs::Stubs;

/// Runs a command above the first input and makes a layer of what it changed.
pub(super) fn layer(
    step: &Step<'_>,
    command: &Run,
    inputs: &[Done],
    runtime: &Handle,
) -> Result<Layer, Failure> {
    let build = step.build;
    let parent = inputs
        .first()
        .map(|done| done.root.clone())
        .unwrap_or_default();
    let engine = build.engine;
    let config = Config {
        entrypoint: Some(command.args.clone()),
        env: [command.env.clone(), command.proxies.clone()].concat(),
        user: command.user.clone(),
        working_dir: command.cwd.clone(),
        ..Config::default()
    };
    let layers = parent.ids();
    let container = Container::create(engine, config, host(build, command)?, &layers)?;
    failpoint!("build.run.created");
    let made = run(step, command, inputs, &container, runtime);
    let made = made.map_err(Failure::from).and_then(|code| {
        failpoint!("build.run.ended");
        let store = engine.0.store()?;
        let snapshot = store.snapshot(&container.id, &layers);
        if code == 0 {
            return Ok(store.layer_from_snapshot(&snapshot)?);
        }
        let image = match build.request.failed {
            Failed::Dropped => None,
            Failed::Kept => {
                let layer = store.layer_from_snapshot(&snapshot)?;
                Some(Box::new(keep(step, command, &parent, layer)?))
            }
        };
        Err(Failure {
            image,
            code: Some(code),
            error: failure(command, code),
        })
    });
    failpoint!("build.run.layered");
    let removed = runtime.block_on(container.remove());
    let layer = made?;
    removed?;
    Ok(layer)
}

/// From what it is shown to its exit code. What was made to mount things on is gone afterwards.
fn run(
    step: &Step<'_>,
    command: &Run,
    inputs: &[Done],
    container: &Container,
    runtime: &Handle,
) -> Result<i64> {
    let inner = &*step.build.engine.0;
    let mut shown = mounts::show(step, command, inputs, &container.id)?;
    let targets: Vec<String> = shown
        .mounts
        .iter()
        .map(|mount| mount.destination.clone())
        .chain(
            command
                .mounts
                .iter()
                .map(|mount| mount.mount.target.clone()),
        )
        .collect();
    let layers = inputs
        .first()
        .map(|done| done.root.ids())
        .unwrap_or_default();
    let stubs = Stubs::before(&Tree::of(inner, &layers)?, &targets)?;
    let given = (
        std::mem::take(&mut shown.mounts),
        std::mem::take(&mut shown.env),
    );
    let code = runtime.block_on(attend(step, container, given))?;
    drop(shown);
    stubs.clear(inner, &container.id)?;
    Ok(code)
}

fn failure(command: &Run, code: i64) -> Error {
    // Docker's own text: clients look for it.
    Error::invalid(format!(
        "The command '{}' returned a non-zero code: {code}",
        command.args.join(" ")
    ))
}

/// The file system of a step that failed, as an image that starts where it stopped.
fn keep(step: &Step<'_>, command: &Run, parent: &Root, layer: Layer) -> Result<ImageId> {
    let mut root = parent.clone();
    root.layers.push((layer.id, layer.diff_id));
    root.size += layer.size;
    let config = spec::image::Config {
        env: command.env.clone(),
        user: command.user.clone(),
        working_dir: command.cwd.clone(),
        cmd: Some(vec!["/bin/sh".to_owned()]),
        ..spec::image::Config::default()
    };
    finish::unnamed(step.build, &root, config)
}

fn host(build: &Build<'_>, command: &Run) -> Result<HostConfig> {
    let mut host = build.request.run.clone();
    if command.network != "default" {
        host.network_mode.clone_from(&command.network);
    }
    if command.security == "insecure" {
        if !build
            .request
            .allow
            .iter()
            .any(|allowed| allowed == "security.insecure")
        {
            return Err(Error::invalid(
                "granting entitlement security.insecure is not allowed by build daemon configuration",
            )
            .hint("add --allow security.insecure"));
        }
        host.privileged = true;
    }
    for mount in &command.mounts {
        if let Asked::Tmpfs { size } = &mount.mount.kind {
            host.mounts.push(MountRequest {
                kind: MountKind::Tmpfs,
                source: String::new(),
                target: mount.mount.target.clone(),
                read_only: false,
                consistency: String::new(),
                bind: None,
                volume: None,
                tmpfs: Some(TmpfsOptions {
                    size: size.and_then(|s| i64::try_from(s).ok()).unwrap_or(0),
                    mode: 0,
                }),
            });
        }
    }
    Ok(host)
}

/// Starts it, passes on what it writes, and waits for its end or for the build's.
async fn attend(
    step: &Step<'_>,
    container: &Container,
    (mounts, env): (Vec<StoredMount>, Vec<String>),
) -> Result<i64> {
    let build = step.build;
    let containers = build.engine.containers();
    let name = container.id.to_string();
    let streams = AttachRequest {
        stdin: false,
        stdout: true,
        stderr: true,
        logs: true,
        stream: true,
    };
    let mut attached = containers.attach(&name, streams).await?;
    container.start(mounts, env)?;
    let mut stopped = std::pin::pin!(build.voice.stopped());
    loop {
        let record = tokio::select! {
            record = attached.output.next() => record,
            () = &mut stopped => return Err(progress::canceled()),
        };
        let Some(record) = record else { break };
        let record = record?;
        build.voice.say(What::Output {
            step: step.index,
            stream: match record.stream {
                crate::log::Stream::Stderr => Stream::Err,
                crate::log::Stream::Stdout => Stream::Out,
            },
            bytes: record.bytes.to_vec(),
        });
    }
    let ended = containers.wait(&name, WaitCondition::NotRunning).await?;
    tokio::select! {
        exit = ended.exit() => Ok(exit?.code),
        () = &mut stopped => Err(progress::canceled()),
    }
}
