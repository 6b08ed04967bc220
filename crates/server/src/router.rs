//! Which path leads where, and what all answers have in common.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, head, post};
use engine::Engine;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, ORIGIN, SERVER};
use http::uri::{PathAndQuery, Uri};
use jiff::Timestamp;
use tower_service::Service as _;

use crate::clock::Clock;
use crate::error::Refusal;
use crate::request::Speaks;
use crate::{
    archives, build, changes, containers, events, execs, files, images, networks, prune, stats,
    system, usage, volumes,
};

/// What every handler has.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) now: Clock,
}

/// The Engine API before an engine, with and without a version in the path. To be served by [`crate::serve_stream`] or
/// [`crate::Socket`]: only they let a client take its connection over.
pub fn router(engine: Engine) -> Router {
    let app = App {
        engine,
        now: Timestamp::now,
    };
    let routes = resources()
        .fallback(not_found)
        // As in Docker: a known path with another method is an unknown page.
        .method_not_allowed_fallback(not_found)
        .with_state(app);
    Router::new().fallback(front).with_state(routes)
}

fn resources() -> Router<App> {
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/version", get(system::version))
        .route("/info", get(system::info))
        .route("/events", get(events::events))
        .route("/tare/v1/check", get(system::check))
        .route("/tare/v1/repair", post(system::repair))
        .route(
            "/tare/v1/containers/{name}/publish",
            post(networks::publish),
        )
        .route(
            "/tare/v1/containers/{name}/unpublish",
            post(networks::unpublish),
        )
        .route("/containers/json", get(containers::list))
        .route("/containers/create", post(containers::create))
        .route("/containers/{name}", delete(containers::remove))
        .route("/containers/{name}/json", get(containers::inspect))
        .route("/containers/{name}/start", post(containers::start))
        .route("/containers/{name}/stop", post(containers::stop))
        .route("/containers/{name}/restart", post(containers::restart))
        .route("/containers/{name}/kill", post(containers::kill))
        .route("/containers/{name}/pause", post(changes::pause))
        .route("/containers/{name}/unpause", post(changes::unpause))
        .route("/containers/{name}/rename", post(changes::rename))
        .route("/containers/{name}/update", post(changes::update))
        .route("/containers/{name}/top", get(changes::top))
        .route("/containers/{name}/stats", get(stats::stats))
        .route("/containers/{name}/wait", post(containers::wait))
        .route("/containers/{name}/resize", post(containers::resize))
        .route("/containers/{name}/attach", post(containers::attach))
        .route("/containers/{name}/logs", get(containers::logs))
        .route("/containers/{name}/exec", post(execs::create))
        .route("/containers/prune", post(prune::containers))
        .route("/containers/{name}/export", get(files::export))
        .route("/containers/{name}/changes", get(files::changes))
        .route(
            "/containers/{name}/archive",
            head(files::head).get(files::get).put(files::put),
        )
        .route("/commit", post(files::commit))
        .route("/system/df", get(usage::df))
        .route("/exec/{id}/start", post(execs::start))
        .route("/exec/{id}/json", get(execs::inspect))
        .route("/exec/{id}/resize", post(execs::resize))
        .route("/build", post(build::build))
        .route("/build/prune", post(build::prune))
        .route("/build/cancel", post(build::cancel))
        .route("/tare/v1/build", post(build::own))
        .route("/images/json", get(images::list))
        .route("/images/load", post(archives::load))
        .route("/images/get", get(archives::save))
        .route("/images/prune", post(prune::images))
        .route("/images/create", post(images::create))
        // An image's name may hold slashes, so what follows it is found by hand.
        .route(
            "/images/{*rest}",
            get(images::get).post(images::post).delete(images::remove),
        )
        .route("/volumes", get(volumes::list))
        .route("/volumes/prune", post(prune::volumes))
        .route("/volumes/create", post(volumes::create))
        .route(
            "/volumes/{name}",
            get(volumes::inspect).delete(volumes::remove),
        )
        .route("/networks", get(networks::list))
        .route("/networks/create", post(networks::create))
        .route("/networks/prune", post(networks::prune))
        .route(
            "/networks/{name}",
            get(networks::inspect).delete(networks::remove),
        )
        .route("/networks/{name}/connect", post(networks::connect))
        .route("/networks/{name}/disconnect", post(networks::disconnect))
}

async fn not_found() -> Refusal {
    Refusal::page_not_found()
}

/// Before all routes: who may ask, and in which version.
async fn front(State(mut routes): State<Router>, request: Request) -> Response {
    let mut response = match admit(request) {
        Ok(request) => match routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    };
    set("api-version", API_VERSION);
    set("docker-experimental", "false");
    set("ostype", "linux");
    headers.insert(
        SERVER,
        HeaderValue::from_static(concat!("Tare/", env!("CARGO_PKG_VERSION"))),
    );
    response
}

/// [`api::ApiVersion::MAX`] as a header has it; a test compares.
pub(crate) const API_VERSION: &str = "1.51";

fn admit(mut request: Request) -> Result<Request, Refusal> {
    // Browsers say where a page comes from; nothing that is meant to talk to an engine does. Refusing it keeps web pages
    // out, by whatever name they reach this address (CVE-2025-64443).
    if request.headers().contains_key(ORIGIN) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "requests from web pages are refused",
        ));
    }
    let (version, path) = api::version::split_path(request.uri().path());
    let version = version
        .map(|version| version.check().map_err(Refusal::bad))
        .transpose()?;
    // Docker's client asks for a container named `/web` in this way.
    let path = match path.strip_prefix("/containers//") {
        Some(rest) => format!("/containers/{rest}"),
        None => path.to_owned(),
    };
    let rest = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let rest: PathAndQuery = rest.parse().map_err(|_| Refusal::page_not_found())?;
    *request.uri_mut() = Uri::from(rest);
    if let Some(version) = version {
        request.extensions_mut().insert(Speaks(version));
    }
    Ok(request)
}

#[cfg(test)]
mod tests;
