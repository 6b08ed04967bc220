//! A container's files: as archives, as a list of changes, as an image.

use api::IdResponse;
use api::container::ContainerConfig;
use api::files as wire;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::container::{ChangeKind, CommitRequest, PathStat, Pause, PutRequest};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use spec::Reference;

use crate::archives;
use crate::body;
use crate::error::{Answer, Refusal};
use crate::request::{Params, finish, json};
use crate::router::App;
use crate::shape;

const STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");

/// `GET /containers/NAME/export`.
pub(crate) async fn export(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let mut answer = archives::tar(app.engine.containers().export(&name).await?);
    let kind = HeaderValue::from_static("application/octet-stream");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    Ok(answer)
}

/// `GET /containers/NAME/changes`.
pub(crate) async fn changes(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let changes = app.engine.containers().changes(&name).await?;
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| wire::Change {
            path: String::from_utf8_lossy(&change.path).into_owned(),
            kind: match change.kind {
                ChangeKind::Modified => 0,
                ChangeKind::Added => 1,
                ChangeKind::Deleted => 2,
            },
        })
        .collect();
    Ok(axum::Json(Some(changes).filter(|changes| !changes.is_empty())).into_response())
}

/// `HEAD /containers/NAME/archive?path=…`.
pub(crate) async fn head(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let path = path(&params)?;
    let stat = app.engine.containers().stat(&name, path).await?;
    told(&stat, StatusCode::OK.into_response())
}

/// `GET /containers/NAME/archive?path=…`.
pub(crate) async fn get(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let path = path(&params)?;
    let containers = app.engine.containers();
    let stat = containers.stat(&name, path).await?;
    let tar = containers.get_files(&name, path).await?;
    told(&stat, archives::tar(tar))
}

/// `PUT /containers/NAME/archive?path=…`.
pub(crate) async fn put(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
    request: Request,
) -> Answer {
    let path = path(&params)?;
    let put = PutRequest {
        keep_kinds: params.0.flag("noOverwriteDirNonDir"),
        own: params.0.flag("copyUIDGID"),
    };
    let tar = body::Reader::new(request.into_body());
    app.engine
        .containers()
        .put_files(&name, path, put, tar)
        .await?;
    Ok(StatusCode::OK.into_response())
}

fn path(params: &Params) -> Result<&str, Refusal> {
    let path = params.0.text("path");
    path.ok_or_else(|| Refusal::bad("bad parameter: path cannot be empty"))
}

fn told(stat: &PathStat, mut answer: Response) -> Answer {
    let stat = wire::PathStat {
        name: stat.name.clone(),
        size: shape::bytes(stat.size),
        mode: wire::go_mode(stat.mode),
        mtime: stat.modified.into(),
        link_target: stat.link_target.clone(),
    };
    let text = serde_json::to_vec(&stat).map_err(|e| Refusal::bad(e.to_string()))?;
    let value =
        HeaderValue::from_str(&STANDARD.encode(text)).map_err(|e| Refusal::bad(e.to_string()))?;
    answer.headers_mut().insert(STAT, value);
    Ok(answer)
}

/// `POST /commit?container=NAME`.
pub(crate) async fn commit(
    State(app): State<App>,
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let name = params
        .0
        .text("container")
        .ok_or_else(|| Refusal::bad("bad parameter: container cannot be empty"))?
        .to_owned();
    let body = body::collect(request.into_body()).await?;
    let config: Option<ContainerConfig> = if body.iter().all(u8::is_ascii_whitespace) {
        None
    } else {
        json(&headers, &body)?
    };
    let pause = match params.0.text("pause") {
        Some("0" | "false" | "False") => Pause::No,
        _ => Pause::Yes,
    };
    let text = |name: &str| params.0.text(name).unwrap_or_default().to_owned();
    let commit = CommitRequest {
        reference: reference(&params)?,
        author: text("author"),
        comment: text("comment"),
        pause,
        changes: params
            .0
            .all("changes")
            .filter(|change| !change.is_empty())
            .map(str::to_owned)
            .collect(),
        config: config.map(shape::create::decode_config).unwrap_or_default(),
    };
    let containers = app.engine.containers();
    let id = finish(async move { containers.commit(&name, commit).await }).await?;
    let answer = IdResponse { id: id.to_string() };
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

fn reference(params: &Params) -> Answer<Option<Reference>> {
    crate::images::reference(params)
}
