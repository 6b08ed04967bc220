//! Networks: the two that need nothing built.

use api::network::{Ipam, Network};
use axum::extract::Path;
use axum::response::IntoResponse as _;
use http::StatusCode;

use crate::error::{Answer, Refusal};
use crate::request::Params;

/// Name and driver.
const NETWORKS: [(&str, &str); 2] = [("host", "host"), ("none", "null")];

pub(crate) async fn list(params: Params) -> Answer {
    let filters = params.filters()?;
    filters
        .only(&["dangling", "driver", "id", "label", "name", "scope", "type"])
        .map_err(Refusal::bad)?;
    let any = |key: &str, test: &dyn Fn(&str) -> bool| {
        let terms = filters.get(key);
        terms.is_empty() || terms.iter().any(|term| test(term))
    };
    let matches = |network: &Network| {
        any("name", &|term| network.name.contains(term))
            && any("id", &|term| network.id.starts_with(term))
            && any("driver", &|term| network.driver == term)
            && any("scope", &|term| network.scope == term)
            && any("type", &|term| term == "builtin")
            && filters.get("label").is_empty()
            && filters
                .flag("dangling")
                .is_ok_and(|dangling| dangling != Some(true))
    };
    let networks: Vec<_> = all().filter(matches).collect();
    Ok(axum::Json(networks).into_response())
}

pub(crate) async fn inspect(Path(name): Path<String>) -> Answer {
    let named = |network: &Network| {
        network.name == name || (!name.is_empty() && network.id.starts_with(&name))
    };
    match all().find(named) {
        Some(network) => Ok(axum::Json(network).into_response()),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("network {name} not found"),
        )),
    }
}

/// The id of a network that is always there.
pub(crate) fn id(name: &str) -> String {
    spec::Digest::of(name.as_bytes()).hex()
}

fn all() -> impl Iterator<Item = Network> {
    NETWORKS.into_iter().map(|(name, driver)| Network {
        name: name.to_owned(),
        id: id(name),
        scope: "local".to_owned(),
        driver: driver.to_owned(),
        enable_ipv4: true,
        ipam: Ipam {
            driver: "default".to_owned(),
            options: None,
            config: Some(Vec::new()),
        },
        ..Network::default()
    })
}
