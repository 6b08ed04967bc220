//! Programs run in containers.

use api::IdResponse;
use api::exec::{ExecConfig, ExecInspect, ExecStart, ProcessConfig};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::IntoResponse as _;
use futures_util::future::FutureExt as _;
use http::StatusCode;

use crate::body;
use crate::detach::Keys;
use crate::error::{Answer, Refusal};
use crate::hijack::{self, Hijack, Program, Session};
use crate::request::{Json, Params, Speaks, finish, json};
use crate::router::App;

pub(crate) async fn create(
    State(app): State<App>,
    Path(container): Path<String>,
    Json(config): Json<ExecConfig>,
) -> Answer {
    Keys::parse(&config.detach_keys).map_err(Refusal::bad)?;
    let cmd = config.cmd.unwrap_or_default();
    if cmd.is_empty() {
        return Err(Refusal::bad("No exec command specified"));
    }
    let config = engine::exec::ExecConfig {
        cmd,
        env: config.env.unwrap_or_default(),
        user: config.user,
        working_dir: config.working_dir,
        tty: config.tty,
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        privileged: config.privileged,
        detach_keys: config.detach_keys,
        console_size: config.console_size.filter(|size| *size != (0, 0)),
    };
    let execs = app.engine.execs();
    let id = finish(async move { execs.create(&container, config).await }).await?;
    Ok((StatusCode::CREATED, axum::Json(IdResponse { id })).into_response())
}

pub(crate) async fn start(
    State(app): State<App>,
    Path(id): Path<String>,
    speaks: Speaks,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let start: ExecStart = json(&parts.headers, &body::collect(body).await?)?;
    let execs = app.engine.execs();
    let request = engine::exec::ExecStart {
        detach: start.detach,
        tty: start.tty,
        console_size: start.console_size.filter(|size| *size != (0, 0)),
    };
    if start.detach {
        finish(async move { execs.start(&id, request).await }).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let hijack = Hijack::new(Request::from_parts(parts, Body::empty()))?;
    let known = execs.inspect(&id).await?;
    if known.running || known.exit_code.is_some() {
        let text = format!("exec {id} has already been started");
        return Err(Refusal::new(StatusCode::CONFLICT, text));
    }
    let config = known.config;
    let keys = Keys::parse(&config.detach_keys).map_err(Refusal::bad)?;
    let program = async move {
        let io = execs.start(&id, request).await?;
        let io = io.ok_or_else(|| Refusal::bad("the program has no streams"))?;
        Ok(Program {
            stdout: config.attach_stdout || io.tty,
            stderr: config.attach_stderr,
            output: hijack::records(io.output),
            stdin: hijack::input(io.stdin),
            keys,
        })
    };
    hijack.answer(
        speaks,
        Session {
            tty: config.tty,
            program: program.boxed(),
        },
    )
}

pub(crate) async fn inspect(State(app): State<App>, Path(id): Path<String>) -> Answer {
    let known = app.engine.execs().inspect(&id).await?;
    let mut words = known.config.cmd.into_iter();
    let inspect = ExecInspect {
        id: known.id,
        running: known.running,
        exit_code: known.exit_code,
        process_config: ProcessConfig {
            tty: known.config.tty,
            entrypoint: words.next().unwrap_or_default(),
            arguments: words.collect(),
            privileged: known.config.privileged,
            user: known.config.user,
        },
        open_stdin: known.config.attach_stdin,
        open_stderr: known.config.attach_stderr,
        open_stdout: known.config.attach_stdout,
        can_remove: !known.running,
        container_id: known.container,
        detach_keys: known.config.detach_keys,
        pid: known.pid,
    };
    Ok(axum::Json(inspect).into_response())
}

pub(crate) async fn resize(
    State(app): State<App>,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let (rows, columns) = size(&params)?;
    app.engine.execs().resize(&id, rows, columns).await?;
    Ok(StatusCode::OK.into_response())
}

/// A terminal's size.
pub(crate) fn size(params: &Params) -> Answer<(u16, u16)> {
    let missing = || Refusal::bad("invalid resize: h and w must be numbers");
    let rows = params.number("h")?.ok_or_else(missing)?;
    let columns = params.number("w")?.ok_or_else(missing)?;
    Ok((rows, columns))
}
