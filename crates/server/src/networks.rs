//! Networks.

use api::network::{
    NetworkConnectRequest, NetworkCreateRequest, NetworkCreateResponse, NetworkDisconnectRequest,
    NetworkPruneReport, PortsRequest, PortsResponse,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use engine::network::{NetworkFilters, Origin, PruneNetworks, Republished};
use http::StatusCode;

use crate::error::{Answer, Refusal};
use crate::request::{Json, Params, finish};
use crate::router::App;
use crate::shape::{endpoint, host, network, unless_empty};

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer {
    let filters = params.filters()?;
    filters
        .only(&["dangling", "driver", "id", "label", "name", "scope", "type"])
        .map_err(Refusal::bad)?;
    let origin = |text: &String| match text.as_str() {
        "custom" => Ok(Origin::Custom),
        "builtin" => Ok(Origin::Builtin),
        other => Err(Refusal::bad(format!("invalid filter: 'type'='{other}'"))),
    };
    let list = |key: &str| filters.get(key).to_vec();
    let filters = NetworkFilters {
        name: list("name"),
        id: list("id"),
        driver: list("driver"),
        scope: list("scope"),
        label: list("label"),
        origin: filters
            .get("type")
            .iter()
            .map(origin)
            .collect::<Answer<_>>()?,
        dangling: filters.flag("dangling").map_err(Refusal::bad)?,
    };
    let networks = app.engine.networks().list(filters).await?;
    let networks: Vec<_> = networks.iter().map(network::encode).collect();
    Ok(axum::Json(networks).into_response())
}

pub(crate) async fn inspect(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let scope = params.0.get("scope").unwrap_or_default();
    if !matches!(scope, "" | "local") {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("network {name} not found in scope {scope}"),
        ));
    }
    let view = app.engine.networks().inspect(&name).await?;
    Ok(axum::Json(network::encode_view(&view)).into_response())
}

pub(crate) async fn create(
    State(app): State<App>,
    Json(request): Json<NetworkCreateRequest>,
) -> Answer {
    let request = network::decode(request)?;
    let networks = app.engine.networks();
    let made = finish(async move { networks.create(request).await }).await?;
    let body = NetworkCreateResponse {
        id: made.id.to_string(),
        warning: made.warnings.join("\n"),
    };
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

pub(crate) async fn remove(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let networks = app.engine.networks();
    finish(async move { networks.remove(&name).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn prune(State(app): State<App>, params: Params) -> Answer {
    let filters = params.filters()?;
    filters
        .only(&["label", "label!", "until"])
        .map_err(Refusal::bad)?;
    let until = match filters.get("until") {
        [] => None,
        [one] => Some(
            api::time::parse_moment(one, (app.now)())
                .ok_or_else(|| Refusal::bad(format!("invalid filter 'until={one}'")))?,
        ),
        _ => return Err(Refusal::bad("more than one until filter specified")),
    };
    let which = PruneNetworks {
        until,
        with: filters.get("label").to_vec(),
        without: filters.get("label!").to_vec(),
    };
    let networks = app.engine.networks();
    let gone = finish(async move { networks.prune(which).await }).await?;
    let body = NetworkPruneReport {
        networks_deleted: unless_empty(gone),
    };
    Ok(axum::Json(body).into_response())
}

pub(crate) async fn connect(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(request): Json<NetworkConnectRequest>,
) -> Answer {
    let settings = endpoint::decode(request.endpoint_config)?;
    let networks = app.engine.networks();
    let connect = async move { networks.connect(&name, &request.container, settings).await };
    finish(connect).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn disconnect(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(request): Json<NetworkDisconnectRequest>,
) -> Answer {
    let networks = app.engine.networks();
    finish(async move { networks.disconnect(&name, &request.container).await }).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn publish(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(request): Json<PortsRequest>,
) -> Answer {
    let asked = host::decode_ports(request.port_bindings);
    let networks = app.engine.networks();
    let done = finish(async move { networks.publish(&name, asked).await }).await?;
    Ok(axum::Json(encode_ports(done)).into_response())
}

pub(crate) async fn unpublish(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(request): Json<PortsRequest>,
) -> Answer {
    let asked = host::decode_ports(request.port_bindings);
    let networks = app.engine.networks();
    let done = finish(async move { networks.unpublish(&name, asked).await }).await?;
    Ok(axum::Json(encode_ports(done)).into_response())
}

fn encode_ports(done: Republished) -> PortsResponse {
    PortsResponse {
        ports: endpoint::encode_ports(&done.ports),
        warnings: done.warnings,
    }
}
