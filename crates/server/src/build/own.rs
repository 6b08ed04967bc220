//! This engine's own door: what is asked is one line of JSON, what follows it is the context if it is to be streamed, and the
//! answer is one line of JSON for each thing that happens.

use std::collections::BTreeSet;
use std::convert::Infallible;

use api::build::{BuildOptions, ContextSource};
use api::container::HostConfig;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::build::request::{Failed, Secret};
use engine::build::{BuildRequest, CacheUse, Context, File, NamedContext, PlanRequest, Purpose};
use futures_util::stream;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::io::AsyncReadExt as _;

use super::status::Encoder;
use super::{UnderWay, begin, platform, tags};
use crate::body;
use crate::error::{Answer, Refusal};
use crate::peer::Peer;
use crate::router::App;
use crate::shape;

/// What is asked is not longer: a Dockerfile, and secrets.
const MAX_OPTIONS: usize = 32 << 20;

/// `POST /tare/v1/build`.
pub(crate) async fn own(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer {
    let mut reader = body::Reader::new(request.into_body());
    let line = first_line(&mut reader).await?;
    let options: BuildOptions =
        api::decode(&line).map_err(|error| Refusal::bad(error.to_string()))?;
    let context = match options.context.kind.as_str() {
        "" => Context::Nothing,
        "directory" => Context::Directory(taken(peer, &options.context)?),
        "stream" => Context::Stream {
            tar: Box::new(reader),
            prefix: options.context.prefix.clone(),
        },
        other => return Err(Refusal::bad(format!("a context can't be of kind {other}"))),
    };
    let request = asked(peer, options)?;
    let encoder = Encoder::new(&request.tags);
    Ok(answer(begin(&app, request, context), encoder))
}

async fn first_line(reader: &mut body::Reader) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::new();
    loop {
        let byte = reader.read_u8().await;
        match byte {
            Ok(b'\n') => return Ok(line),
            Ok(byte) if line.len() < MAX_OPTIONS => line.push(byte),
            Ok(_) => {
                return Err(Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the build's options are too long",
                ));
            }
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(line),
            Err(e) => return Err(Refusal::bad(format!("read request body: {e}"))),
        }
    }
}

/// Something that the client holds open. It sends the files instead if that fails.
fn taken(peer: Peer, source: &ContextSource) -> Result<std::os::fd::OwnedFd, Refusal> {
    let refuse = |why: String| Refusal::new(StatusCode::PRECONDITION_FAILED, why);
    let held = peer.held(source).ok_or_else(|| {
        refuse("the client is not on this machine: its files can't be read in place".to_owned())
    })?;
    held.take().map_err(|error| refuse(error.chain()))
}

fn asked(peer: Peer, options: BuildOptions) -> Result<BuildRequest, Refusal> {
    if options.pull {
        return Err(Refusal::unsupported(
            "pulling is not supported in builds yet",
        ));
    }
    let known = ["network.host", "security.insecure"];
    if let Some(other) = options
        .allow
        .iter()
        .find(|allow| !known.contains(&allow.as_str()))
    {
        return Err(Refusal::bad(format!("invalid entitlement: {other}")));
    }
    let mut secrets = std::collections::BTreeMap::new();
    for secret in &options.secrets {
        let bytes = STANDARD
            .decode(&secret.data)
            .map_err(|e| Refusal::bad(format!("secret {}: {e}", secret.id)))?;
        secrets.insert(secret.id.clone(), Secret::new(bytes));
    }
    let mut agents = std::collections::BTreeMap::new();
    for agent in &options.agents {
        let socket = taken(peer, &agent.socket).map_err(|refusal| {
            // There is no other way to send it.
            Refusal::unsupported(format!("SSH agent {}: {}", agent.id, refusal.message))
        })?;
        agents.insert(agent.id.clone(), socket);
    }
    let mut contexts = std::collections::BTreeMap::new();
    for (name, source) in &options.contexts {
        let context = match source.kind.as_str() {
            "directory" => NamedContext::Directory(taken(peer, source)?),
            "stream" => NamedContext::Streamed(source.prefix.clone()),
            "image" => NamedContext::Image(source.reference.clone()),
            other => return Err(Refusal::bad(format!("a context can't be of kind {other}"))),
        };
        contexts.insert(name.clone(), context);
    }
    let directories = contexts
        .iter()
        .filter(|(_, context)| !matches!(context, NamedContext::Image(_)))
        .map(|(name, _)| name.clone());
    let mut plan = PlanRequest {
        target: Some(options.target.clone()).filter(|target| !target.is_empty()),
        build_args: options.build_args.clone(),
        labels: options.labels.clone(),
        contexts: directories.collect(),
        cache: match (options.no_cache, options.no_cache_filter.is_empty()) {
            (true, _) => CacheUse::None,
            (false, true) => CacheUse::All,
            (false, false) => CacheUse::Except(
                options
                    .no_cache_filter
                    .iter()
                    .cloned()
                    .collect::<BTreeSet<_>>(),
            ),
        },
        ..PlanRequest::default()
    };
    if !options.platform.is_empty() {
        plan.platform = platform(&options.platform)?;
    }
    let tags = tags(options.tags.iter().map(String::as_str))?;
    let file = match options.text.clone() {
        Some(text) => File::Given {
            name: options.dockerfile.clone(),
            text,
            ignore: options.ignore.clone().unwrap_or_default(),
        },
        None => File::InContext(options.dockerfile.clone()),
    };
    Ok(BuildRequest {
        name: options.id.clone(),
        file,
        plan,
        tags,
        contexts,
        secrets,
        agents,
        allow: options.allow.clone(),
        purpose: if options.check {
            Purpose::Check
        } else {
            Purpose::Image
        },
        failed: if options.keep_failed {
            Failed::Kept
        } else {
            Failed::Dropped
        },
        run: shape::create::host(run(options))?,
    })
}

fn run(options: BuildOptions) -> HostConfig {
    let network = match options.network.as_str() {
        "default" => String::new(),
        _ => options.network,
    };
    HostConfig {
        network_mode: network,
        extra_hosts: Some(options.extra_hosts),
        shm_size: options.shm_size,
        memory: options.memory,
        memory_swap: options.memory_swap,
        cpu_shares: options.cpu_shares,
        cpu_period: options.cpu_period,
        cpu_quota: options.cpu_quota,
        cpuset_cpus: options.cpuset_cpus,
        cpuset_mems: options.cpuset_mems,
        ulimits: Some(options.ulimits),
        cgroup_parent: options.cgroup_parent,
        security_opt: Some(options.security_opt),
        ..HostConfig::default()
    }
}

fn answer(build: UnderWay, encoder: Encoder) -> Response {
    let lines = stream::unfold((build, encoder), |(mut build, mut encoder)| async move {
        let line = match build.events.recv().await {
            Some(event) => encoder.event(event),
            None => encoder.end(build.ended.take()?.await.ok()),
        };
        Some((Ok::<_, Infallible>(line), (build, encoder)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    response
}
