//! RUN: a container like any other, whose changes become a layer.

use builder::graph::Run;
use dockerfile::instruction::mount::{Access, MountKind as Asked};
use failpoint::failpoint;
use spec::{ContainerId, ImageId};
use store::Layer;
use tokio::runtime::Handle;

use super::progress::{self, Stream, What};
use super::request::Failed;
use super::schedule::{Failure, Step};
use super::{Build, Root, finish};
use crate::container::step::Container;
use crate::container::{
    AttachRequest, Config, HostConfig, MountKind, MountRequest, TmpfsOptions, WaitCondition,
};
use crate::error::{Error, Result};

/// Runs a command above `parent` and makes a layer of what it changed.
pub(super) fn layer(
    step: &Step<'_>,
    command: &Run,
    parent: &Root,
    runtime: &Handle,
) -> Result<Layer, Failure> {
    let build = step.build;
    let engine = build.engine;
    let inner = &*engine.0;
    let config = Config {
        entrypoint: Some(command.args.clone()),
        env: [command.env.clone(), command.proxies.clone()].concat(),
        user: command.user.clone(),
        working_dir: command.cwd.clone(),
        ..Config::default()
    };
    let host = host(build, command)?;
    if command.script.is_some() {
        return Err(Error::unsupported(
            "RUN with a script of its own in a here-document is not supported yet",
        )
        .hint("write the script with COPY <<EOF and run it")
        .into());
    }
    let layers = parent.ids();
    let container = Container::create(engine, config, host, &layers)?;
    failpoint!("build.run.created");
    let ran = runtime.block_on(attend(step, container.id));
    let made = ran.map_err(Failure::from).and_then(|code| {
        failpoint!("build.run.ended");
        let store = inner.store()?;
        let snapshot = store.snapshot(&container.id, &layers);
        if code == 0 {
            return Ok(store.layer_from_snapshot(&snapshot)?);
        }
        let image = match build.request.failed {
            Failed::Dropped => None,
            Failed::Kept => {
                let layer = store.layer_from_snapshot(&snapshot)?;
                Some(Box::new(keep(step, command, parent, layer)?))
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
        return Err(Error::unsupported(
            "RUN --security=insecure needs an entitlement, which builds can't be given yet",
        )
        .hint("remove --security=insecure"));
    }
    for mount in &command.mounts {
        match &mount.mount.kind {
            Asked::Tmpfs { size } => host.mounts.push(MountRequest {
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
            }),
            Asked::Bind {
                writable: Access::ReadOnly | Access::Writable,
                ..
            } => return Err(later("bind")),
            Asked::Cache { .. } => return Err(later("cache")),
            Asked::Secret { .. } => return Err(later("secret")),
            Asked::Ssh { .. } => return Err(later("ssh")),
        }
    }
    Ok(host)
}

fn later(kind: &str) -> Error {
    Error::unsupported(format!("RUN --mount=type={kind} is not supported yet"))
}

/// Starts it, passes on what it writes, and waits for its end or for the build's.
async fn attend(step: &Step<'_>, id: ContainerId) -> Result<i64> {
    let build = step.build;
    let containers = build.engine.containers();
    let name = id.to_string();
    let streams = AttachRequest {
        stdin: false,
        stdout: true,
        stderr: true,
        logs: true,
        stream: true,
    };
    let mut attached = containers.attach(&name, streams).await?;
    containers.start(&name).await?;
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
