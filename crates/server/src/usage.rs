//! What takes how much of the disk.

use api::container::ContainerSummary;
use api::usage as wire;
use api::volume::UsageData;
use axum::extract::State;
use axum::response::IntoResponse as _;
use engine::usage::{BuildUsage, ImageUsage, UsageRequest, VolumeUsage};

use crate::error::{Answer, Refusal};
use crate::request::{Params, Speaks};
use crate::router::App;
use crate::{shape, volumes};

/// `GET /system/df`.
pub(crate) async fn df(State(app): State<App>, params: Params, speaks: Speaks) -> Answer {
    let types: Vec<&str> = params.0.all("type").collect();
    let known = ["build-cache", "container", "image", "volume"];
    if let Some(other) = types.iter().find(|kind| !known.contains(kind)) {
        return Err(Refusal::bad(format!("unknown object type: {other}")));
    }
    let wanted = |kind: &str| types.is_empty() || types.contains(&kind);
    let request = UsageRequest {
        images: wanted("image"),
        containers: wanted("container"),
        volumes: wanted("volume"),
        builds: wanted("build-cache"),
    };
    let usage = app.engine.system().usage(request).await?;
    let now = (app.now)();
    let containers: Vec<ContainerSummary> = usage
        .containers
        .into_iter()
        .map(|container| shape::summary::encode(container, now))
        .collect();
    let images = usage.images.into_iter().map(|usage| image(usage, speaks));
    let answer = wire::DiskUsage {
        layers_size: shape::bytes(usage.layers),
        images: request.images.then(|| images.collect()),
        containers: request.containers.then_some(containers),
        volumes: request
            .volumes
            .then(|| usage.volumes.into_iter().map(volume).collect()),
        build_cache: request
            .builds
            .then(|| usage.builds.into_iter().map(build).collect()),
    };
    Ok(axum::Json(answer).into_response())
}

fn image(usage: ImageUsage, speaks: Speaks) -> api::image::ImageSummary {
    let containers = i64::try_from(usage.image.containers).unwrap_or(i64::MAX);
    api::image::ImageSummary {
        containers,
        shared_size: shape::bytes(usage.shared),
        ..shape::image::summary(usage.image, speaks)
    }
}

fn volume(usage: VolumeUsage) -> api::volume::Volume {
    api::volume::Volume {
        usage: Some(UsageData {
            size: shape::bytes(usage.size),
            ref_count: i64::try_from(usage.users).unwrap_or(i64::MAX),
        }),
        ..volumes::encode(usage.volume)
    }
}

fn build(usage: BuildUsage) -> wire::BuildCache {
    wire::BuildCache {
        id: usage.layer.to_string(),
        kind: "regular".to_owned(),
        size: shape::bytes(usage.size),
        created_at: usage.created.into(),
        ..wire::BuildCache::default()
    }
}
