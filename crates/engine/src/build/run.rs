//! RUN: a container like any other, whose changes become a layer.

use builder::Vertex;
use builder::graph::Run;
use dockerfile::instruction::mount::{Access, MountKind as Asked};
use spec::ContainerId;
use store::Layer;
use tokio::runtime::Handle;

use super::{Build, BuildEvent, Root};
use crate::container::{
    AttachRequest, Config, HostConfig, MountKind, MountRequest, RemoveRequest, TmpfsOptions,
    WaitCondition, step,
};
use crate::error::{Error, Result};

/// Runs a command above `parent` and makes a layer of what it changed.
pub(super) fn layer(
    build: &Build<'_>,
    vertex: &Vertex,
    command: &Run,
    parent: &Root,
    runtime: &Handle,
) -> Result<Layer> {
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
        .hint("write the script with COPY <<EOF and run it"));
    }
    let layers = parent.ids();
    let id = step::create(engine, config, host, &layers)?;
    let ran = runtime.block_on(attend(build, id));
    let made = ran.and_then(|code| match code {
        0 => {
            let store = inner.store()?;
            Ok(store.layer_from_snapshot(&store.snapshot(&id, &layers))?)
        }
        code => Err(failure(command, vertex, code)),
    });
    let remove = RemoveRequest {
        force: true,
        volumes: true,
    };
    let removed = runtime.block_on(engine.containers().remove(&id.to_string(), remove));
    let layer = made?;
    removed?;
    Ok(layer)
}

fn failure(command: &Run, vertex: &Vertex, code: i64) -> Error {
    // Docker's own text: clients look for it.
    Error::invalid(format!(
        "The command '{}' returned a non-zero code: {code}",
        command.args.join(" ")
    ))
    .hint(format!("step {}", vertex.name))
}

fn host(build: &Build<'_>, command: &Run) -> Result<HostConfig> {
    let request = build.request;
    let mut host = HostConfig {
        network_mode: match command.network.as_str() {
            "default" => request.network.clone(),
            other => other.to_owned(),
        },
        extra_hosts: request.extra_hosts.clone(),
        shm_size: request.shm_size,
        memory: request.memory,
        ..HostConfig::default()
    };
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

/// Starts it, passes on what it writes, and waits for its end.
async fn attend(build: &Build<'_>, id: ContainerId) -> Result<i64> {
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
    while let Some(record) = attached.output.next().await {
        drop(
            build
                .events
                .send(BuildEvent::Output(record?.bytes.to_vec())),
        );
    }
    let exit = containers
        .wait(&name, WaitCondition::NotRunning)
        .await?
        .exit()
        .await?;
    Ok(exit.code)
}
