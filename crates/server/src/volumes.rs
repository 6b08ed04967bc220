//! Volumes.

use api::volume::{Volume, VolumeCreateRequest, VolumeList};
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use engine::volume::{VolumeFilters, VolumeRequest};
use http::StatusCode;

use crate::error::{Answer, Refusal};
use crate::request::{Json, Params, finish};
use crate::router::App;

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer {
    let filters = params.filters()?;
    filters
        .only(&["dangling", "driver", "label", "name"])
        .map_err(Refusal::bad)?;
    let filters = VolumeFilters {
        name: filters.get("name").to_vec(),
        label: filters.get("label").to_vec(),
        dangling: filters.flag("dangling").map_err(Refusal::bad)?,
        driver: filters.get("driver").to_vec(),
    };
    let volumes = app.engine.volumes().list(filters).await?;
    let volumes = volumes.into_iter().map(encode).collect();
    Ok(axum::Json(VolumeList {
        volumes,
        warnings: None,
    })
    .into_response())
}

pub(crate) async fn create(
    State(app): State<App>,
    Json(request): Json<VolumeCreateRequest>,
) -> Answer {
    let request = VolumeRequest {
        name: Some(request.name).filter(|name| !name.is_empty()),
        driver: request.driver,
        options: request.driver_opts,
        labels: request.labels,
    };
    let volumes = app.engine.volumes();
    let volume = finish(async move { volumes.create(request).await }).await?;
    Ok((StatusCode::CREATED, axum::Json(encode(volume))).into_response())
}

pub(crate) async fn inspect(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let volume = app.engine.volumes().inspect(&name).await?;
    Ok(axum::Json(encode(volume)).into_response())
}

pub(crate) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let volumes = app.engine.volumes();
    finish(async move { volumes.remove(&name, params.0.flag("force")).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn encode(volume: engine::volume::Volume) -> Volume {
    Volume {
        // Docker gives whole seconds here.
        created_at: jiff::Timestamp::from_second(volume.created.as_second())
            .ok()
            .map(Into::into),
        driver: "local".to_owned(),
        labels: (!volume.labels.is_empty()).then_some(volume.labels),
        mountpoint: volume.mountpoint.display().to_string(),
        name: volume.name,
        options: None,
        scope: "local".to_owned(),
        usage: None,
    }
}
