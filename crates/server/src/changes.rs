//! What changes containers that are there: pausing, other limits, other names.

use api::container::{TopResponse, UpdateRequest, UpdateResponse};
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use engine::container as domain;
use http::StatusCode;

use crate::error::Answer;
use crate::request::{Json, Params, finish};
use crate::router::App;

pub(crate) async fn pause(State(app): State<App>, Path(name): Path<String>) -> Answer<StatusCode> {
    let containers = app.engine.containers();
    finish(async move { containers.pause(&name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn unpause(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    let containers = app.engine.containers();
    finish(async move { containers.resume(&name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn rename(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<StatusCode> {
    let containers = app.engine.containers();
    let new = params.0.get("name").unwrap_or_default().to_owned();
    finish(async move { containers.rename(&name, &new).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(request): Json<UpdateRequest>,
) -> Answer {
    let containers = app.engine.containers();
    let request = decode(request);
    finish(async move { containers.update(&name, request).await }).await?;
    Ok(axum::Json(UpdateResponse::default()).into_response())
}

fn decode(request: UpdateRequest) -> domain::UpdateRequest {
    let policy = request.restart_policy;
    domain::UpdateRequest {
        memory: request.memory,
        memory_reservation: request.memory_reservation,
        memory_swap: request.memory_swap,
        nano_cpus: request.nano_cpus,
        cpu_shares: request.cpu_shares,
        cpu_quota: request.cpu_quota,
        cpu_period: request.cpu_period,
        cpu_realtime_runtime: request.cpu_realtime_runtime,
        cpu_realtime_period: request.cpu_realtime_period,
        cpuset_cpus: request.cpuset_cpus,
        cpuset_mems: request.cpuset_mems,
        pids_limit: request.pids_limit,
        blkio_weight: request.blkio_weight,
        restart_policy: (!policy.name.is_empty()).then_some(domain::RestartPolicy {
            name: policy.name,
            maximum_retry_count: policy.maximum_retry_count,
        }),
    }
}

pub(crate) async fn top(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let options = params.0.get("ps_args").unwrap_or_default();
    let processes = app.engine.containers().top(&name, options).await?;
    let table = TopResponse {
        titles: processes.titles,
        processes: processes.rows,
    };
    Ok(axum::Json(table).into_response())
}
