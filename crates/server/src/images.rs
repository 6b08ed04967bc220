//! Images.

use api::image::{HistoryItem, ImageDeleted};
use api::progress::Message;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use engine::image::{HistoryEntry, ImageRemove, ImportRequest, Removed};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use spec::Reference;

use crate::body;
use crate::error::{Answer, Refusal};
use crate::request::{Params, Speaks, finish};
use crate::router::App;
use crate::{pull, push, shape};

pub(crate) async fn list(State(app): State<App>, params: Params, speaks: Speaks) -> Answer {
    let filters = shape::filters::images(&params)?;
    let images = app.engine.images().list(filters).await?;
    let lines: Vec<_> = images
        .into_iter()
        .map(|image| shape::image::summary(image, speaks))
        .collect();
    Ok(axum::Json(lines).into_response())
}

/// `GET /images/NAME/json`, `GET /images/NAME/history` and `GET /images/NAME/get`.
pub(crate) async fn get(
    State(app): State<App>,
    Path(rest): Path<String>,
    params: Params,
    speaks: Speaks,
) -> Answer {
    let images = app.engine.images();
    if let Some(name) = rest.strip_suffix("/json") {
        let image = images.inspect(name).await?;
        return Ok(axum::Json(shape::image::inspect(image, speaks)).into_response());
    }
    if let Some(name) = rest.strip_suffix("/history") {
        let history = images.history(name).await?;
        let history: Vec<_> = history.into_iter().map(step).collect();
        return Ok(axum::Json(history).into_response());
    }
    if let Some(name) = rest.strip_suffix("/get") {
        return crate::archives::save_named(&app, vec![name.to_owned()], &params).await;
    }
    Err(Refusal::page_not_found())
}

/// `POST /images/NAME/tag` and `POST /images/NAME/push`.
pub(crate) async fn post(
    State(app): State<App>,
    Path(rest): Path<String>,
    params: Params,
    request: Request,
) -> Answer {
    if let Some(name) = rest.strip_suffix("/push") {
        return push::push(app, &params, request.headers(), name).await;
    }
    let name = rest
        .strip_suffix("/tag")
        .ok_or_else(Refusal::page_not_found)?;
    let target = reference(&params)?.ok_or_else(|| Refusal::bad("repository name must be set"))?;
    let (images, name) = (app.engine.images(), name.to_owned());
    finish(async move { images.tag(&name, &target).await }).await?;
    Ok(StatusCode::CREATED.into_response())
}

pub(crate) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let request = ImageRemove {
        force: params.0.flag("force"),
    };
    let images = app.engine.images();
    let removed = finish(async move { images.remove(&name, request).await }).await?;
    let removed: Vec<_> = removed.into_iter().map(deleted).collect();
    Ok(axum::Json(removed).into_response())
}

/// Import, or pull.
pub(crate) async fn create(State(app): State<App>, params: Params, request: Request) -> Answer {
    if let Some(image) = params.0.text("fromImage") {
        return pull::pull(app, &params, request.headers(), image).await;
    }
    match params.0.text("fromSrc") {
        Some("-") => {}
        Some(source) => {
            let text = format!("import from {source}: importing from an address is not supported");
            return Err(Refusal {
                hint: Some("download it and import the file".to_owned()),
                ..Refusal::unsupported(text)
            });
        }
        None => return Err(Refusal::bad("fromImage or fromSrc must be set")),
    }
    let platform = params.0.text("platform").map(str::parse).transpose();
    let import = ImportRequest {
        reference: reference(&params)?,
        message: params.0.text("message").unwrap_or_default().to_owned(),
        changes: params
            .0
            .all("changes")
            .filter(|c| !c.is_empty())
            .map(str::to_owned)
            .collect(),
        platform: platform.map_err(|error: spec::Error| Refusal::bad(error.to_string()))?,
    };
    let tar = body::Reader::new(request.into_body());
    let id = app.engine.images().import(import, tar).await?;
    Ok(progress(Message::status(id.to_string()).line()))
}

/// What `repo` and `tag` name together.
pub(crate) fn reference(params: &Params) -> Answer<Option<Reference>> {
    let Some(repository) = params.0.text("repo") else {
        return Ok(None);
    };
    let parsed = match params.0.text("tag") {
        Some(tag) => Reference::parse_name(repository).and_then(|name| name.with_tag(tag)),
        None => Reference::parse(repository),
    };
    parsed
        .map(Some)
        .map_err(|error| Refusal::bad(error.to_string()))
}

pub(crate) fn progress(lines: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], Body::from(lines)).into_response()
}

fn step(entry: HistoryEntry) -> HistoryItem {
    HistoryItem {
        comment: entry.comment,
        created: entry.created.map_or(0, jiff::Timestamp::as_second),
        created_by: entry.created_by,
        id: entry
            .id
            .map_or_else(|| "<missing>".to_owned(), |id| id.to_string()),
        size: shape::bytes(entry.size),
        tags: (!entry.tags.is_empty()).then_some(entry.tags),
    }
}

pub(crate) fn deleted(removed: Removed) -> ImageDeleted {
    match removed {
        Removed::Untagged(name) => ImageDeleted {
            untagged: Some(name),
            deleted: None,
        },
        Removed::Deleted(id) => ImageDeleted {
            untagged: None,
            deleted: Some(id),
        },
    }
}
