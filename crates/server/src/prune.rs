//! Removing what nobody uses.

use api::prune as wire;
use api::time::parse_moment;
use axum::extract::State;
use axum::response::IntoResponse as _;
use engine::PruneFilters;
use engine::image::ImagePrune;

use crate::error::{Answer, Refusal};
use crate::images::deleted;
use crate::request::{Params, Speaks, finish};
use crate::router::App;
use crate::shape::bytes;

/// `POST /containers/prune`.
pub(crate) async fn containers(State(app): State<App>, params: Params) -> Answer {
    let (filters, _) = filters(&app, &params, &["until"])?;
    let containers = app.engine.containers();
    let pruned = finish(async move { containers.prune(filters).await }).await?;
    let gone: Vec<_> = pruned.gone.iter().map(ToString::to_string).collect();
    Ok(axum::Json(wire::ContainersPruned {
        containers: some(gone),
        space: bytes(pruned.reclaimed),
    })
    .into_response())
}

/// `POST /images/prune`.
pub(crate) async fn images(State(app): State<App>, params: Params) -> Answer {
    let (filters, asked) = filters(&app, &params, &["dangling", "until"])?;
    let dangling = asked.flag("dangling").map_err(Refusal::bad)?;
    let request = ImagePrune {
        all: dangling == Some(false),
        filters,
    };
    let images = app.engine.images();
    let pruned = finish(async move { images.prune(request).await }).await?;
    let gone: Vec<_> = pruned.gone.into_iter().map(deleted).collect();
    Ok(axum::Json(wire::ImagesPruned {
        images: some(gone),
        space: bytes(pruned.reclaimed),
    })
    .into_response())
}

/// `POST /volumes/prune`.
pub(crate) async fn volumes(State(app): State<App>, params: Params, speaks: Speaks) -> Answer {
    let (filters, asked) = filters(&app, &params, &["all"])?;
    // Before 1.42 those that have a name went too.
    let all = asked.flag("all").map_err(Refusal::bad)?;
    let all = all.unwrap_or(speaks.before(42));
    let volumes = app.engine.volumes();
    let pruned = finish(async move { volumes.prune(all, filters).await }).await?;
    Ok(axum::Json(wire::VolumesPruned {
        volumes: some(pruned.gone),
        space: bytes(pruned.reclaimed),
    })
    .into_response())
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// The conditions that all kinds have, and what else is asked.
fn filters(
    app: &App,
    params: &Params,
    more: &[&str],
) -> Result<(PruneFilters, api::Filters), Refusal> {
    let asked = params.filters()?;
    let known = [&["label", "label!"], more].concat();
    asked.only(&known).map_err(Refusal::bad)?;
    let until = match asked.get("until") {
        [] => None,
        [until] => Some(parse_moment(until, (app.now)()).ok_or_else(|| {
            Refusal::bad(format!("failed to parse {until} as a time or duration"))
        })?),
        _ => return Err(Refusal::bad("more than one until filter specified")),
    };
    let filters = PruneFilters {
        until,
        label: asked.get("label").to_vec(),
        without: asked.get("label!").to_vec(),
    };
    Ok((filters, asked))
}
