//! Containers.

use api::container::{CreateRequest, CreateResponse, WaitError, WaitResponse};
use api::time::{log_stamp, parse_query};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use engine::Kind;
use engine::container::{AttachRequest, RemoveRequest, StopRequest, WaitCondition, Waiting};
use engine::log::{LogRequest, Record};
use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::io;

use crate::detach::Keys;
use crate::error::{Answer, Refusal};
use crate::execs::size;
use crate::hijack::{self, Hijack, Program, Session};
use crate::request::{Json, Params, Speaks, finish};
use crate::router::App;
use crate::shape;

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer {
    let Some(request) = shape::filters::containers(&params)? else {
        return Ok(axum::Json([(); 0]).into_response());
    };
    let now = (app.now)();
    let containers = app.engine.containers().list(request).await?;
    let lines: Vec<_> = containers
        .into_iter()
        .map(|container| shape::summary::encode(container, now))
        .collect();
    Ok(axum::Json(lines).into_response())
}

pub(crate) async fn create(
    State(app): State<App>,
    params: Params,
    Json(request): Json<CreateRequest>,
) -> Answer {
    let name = params.0.text("name").map(str::to_owned);
    let request = shape::create::decode(name, params.0.text("platform"), request)?;
    let containers = app.engine.containers();
    let created = finish(async move { containers.create(request).await }).await?;
    let created = CreateResponse {
        id: created.id.to_string(),
        warnings: created.warnings,
    };
    Ok((StatusCode::CREATED, axum::Json(created)).into_response())
}

pub(crate) async fn inspect(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let container = app
        .engine
        .containers()
        .inspect(&name, params.0.flag("size"))
        .await?;
    Ok(axum::Json(shape::inspect::encode(container)).into_response())
}

pub(crate) async fn start(State(app): State<App>, Path(name): Path<String>) -> Answer<StatusCode> {
    let containers = app.engine.containers();
    finish(async move { containers.start(&name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn stop(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    let (containers, request) = (app.engine.containers(), stopping(&params)?);
    finish(async move { containers.stop(&name, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn restart(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    let (containers, request) = (app.engine.containers(), stopping(&params)?);
    finish(async move { containers.restart(&name, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn stopping(params: &Params) -> Answer<StopRequest> {
    Ok(StopRequest {
        signal: params.0.text("signal").map(str::to_owned),
        timeout: params.number("t")?,
    })
}

pub(crate) async fn kill(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    let containers = app.engine.containers();
    let kill = async move { containers.kill(&name, params.0.text("signal")).await };
    finish(kill).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    if params.0.flag("link") {
        app.engine.containers().remove_link(&name).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let request = RemoveRequest {
        force: params.0.flag("force"),
        volumes: params.0.flag("v"),
    };
    let containers = app.engine.containers();
    finish(async move { containers.remove(&name, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn resize(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    let (rows, columns) = size(&params)?;
    app.engine.containers().resize(&name, rows, columns).await?;
    Ok(StatusCode::OK)
}

pub(crate) async fn wait(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let condition = match params.0.get("condition").unwrap_or_default() {
        "" | "not-running" => WaitCondition::NotRunning,
        "next-exit" => WaitCondition::NextExit,
        "removed" => WaitCondition::Removed,
        other => return Err(Refusal::bad(format!("invalid condition: {other:?}"))),
    };
    let waiting = app.engine.containers().wait(&name, condition).await?;
    // The head goes out now: `docker run` starts the container only when it knows that somebody waits for it.
    let body = Body::from_stream(stream::once(ended(waiting)));
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], body).into_response())
}

/// An exit code that says that the engine, not the program, is the reason.
const ENGINE_FAILED: i64 = 125;

async fn ended(waiting: Waiting) -> io::Result<Bytes> {
    let (status_code, error) = match waiting.exit().await {
        // Why it could not be started is told to whoever started it; here it would count as a failure to wait.
        Ok(exit) => (exit.code, None),
        // Removed before it ever ran: that, too, was waited for.
        Err(error) if error.kind == Kind::NotFound => (ENGINE_FAILED, None),
        Err(error) => (
            ENGINE_FAILED,
            Some(WaitError {
                message: error.chain(),
            }),
        ),
    };
    let response = WaitResponse { error, status_code };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    Ok(line.into())
}

pub(crate) async fn attach(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
    speaks: Speaks,
    request: Request,
) -> Answer {
    let keys = params.0.get("detachKeys").unwrap_or_default();
    let keys = Keys::parse(keys).map_err(Refusal::bad)?;
    let wanted = AttachRequest {
        stdin: params.0.flag("stdin"),
        stdout: params.0.flag("stdout"),
        stderr: params.0.flag("stderr"),
        logs: params.0.flag("logs"),
        stream: params.0.flag("stream"),
    };
    let hijack = Hijack::new(request)?;
    let attached = app
        .engine
        .containers()
        .attach(&name, wanted.clone())
        .await?;
    let tty = attached.tty;
    let program = Program {
        // A terminal has one stream.
        stdout: wanted.stdout || (tty && wanted.stderr),
        stderr: wanted.stderr,
        output: hijack::records(attached.output),
        stdin: hijack::input(attached.stdin),
        keys,
    };
    let program = async { Ok(program) }.boxed();
    hijack.answer(speaks, Session { tty, program })
}

pub(crate) async fn logs(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
    speaks: Speaks,
) -> Answer {
    let (stdout, stderr) = (params.0.flag("stdout"), params.0.flag("stderr"));
    if !stdout && !stderr {
        return Err(Refusal::bad(
            "Bad parameters: you must choose at least one stream",
        ));
    }
    let moment = |name: &str| params.0.text(name).and_then(parse_query);
    let request = LogRequest {
        stdout,
        stderr,
        since: moment("since"),
        until: moment("until"),
        // As in Docker, what is no number means all.
        tail: params.0.text("tail").and_then(|tail| tail.parse().ok()),
        follow: params.0.flag("follow"),
    };
    let stamped = params.0.flag("timestamps");
    let logs = app.engine.containers().logs(&name, request).await?;
    let tty = logs.tty;
    let lines = hijack::records(logs.lines).map(move |line| {
        io::Result::Ok(match line {
            Ok(line) if stamped => hijack::encode(&stamp(line), tty),
            Ok(line) => hijack::encode(&line, tty),
            Err(error) => hijack::encode_error(&error.chain(), tty),
        })
    });
    let mut response = Response::new(Body::from_stream(lines));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hijack::media_type(tty, speaks));
    Ok(response)
}

fn stamp(line: Record) -> Record {
    let stamp = log_stamp(line.time);
    let mut bytes = BytesMut::with_capacity(stamp.len() + 1 + line.bytes.len());
    bytes.put_slice(stamp.as_bytes());
    bytes.put_u8(b' ');
    bytes.put_slice(&line.bytes);
    Record {
        bytes: bytes.freeze(),
        ..line
    }
}
