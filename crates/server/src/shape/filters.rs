//! What to list.

use engine::container::{Filters, HealthStatus, ListRequest, Status};
use engine::image::ImageFilters;

use crate::error::{Answer, Refusal};
use crate::request::Params;

/// The filters of containers that are understood.
const CONTAINERS: [&str; 12] = [
    "is-task", "ancestor", "before", "exited", "health", "id", "label", "name", "network", "since",
    "status", "volume",
];
/// Those that Docker has besides.
const CONTAINERS_LATER: [&str; 3] = ["expose", "isolation", "publish"];

/// What containers to list; none if nothing can match.
pub(crate) fn containers(params: &Params) -> Answer<Option<ListRequest>> {
    let filters = params.filters()?;
    for later in CONTAINERS_LATER {
        if !filters.get(later).is_empty() {
            return Err(Refusal::unsupported(format!(
                "the filter '{later}' is not supported yet"
            )));
        }
    }
    let known = [&CONTAINERS[..], &CONTAINERS_LATER[..]].concat();
    filters.only(&known).map_err(Refusal::bad)?;
    // No container is a task of a swarm.
    if filters.flag("is-task").map_err(Refusal::bad)? == Some(true) {
        return Ok(None);
    }
    let list = |key: &str| filters.get(key).to_vec();
    let exited = |text: &String| {
        text.parse()
            .map_err(|_| Refusal::bad(format!("invalid filter 'exited={text}'")))
    };
    let health = |text: &String| {
        HealthStatus::parse(text)
            .ok_or_else(|| Refusal::bad(format!("invalid filter 'health={text}'")))
    };
    let mut status = Vec::new();
    for name in filters.get("status") {
        match name.as_str() {
            "created" => status.push(Status::Created),
            "running" => status.push(Status::Running),
            "paused" => status.push(Status::Paused),
            "restarting" => status.push(Status::Restarting),
            "exited" => status.push(Status::Exited),
            "removing" => status.push(Status::Removing),
            // Docker's, which no container of ours is in.
            "dead" => {}
            other => return Err(Refusal::bad(format!("invalid filter 'status={other}'"))),
        }
    }
    if status.is_empty() && !filters.get("status").is_empty() {
        return Ok(None);
    }
    let limit = params.number::<i64>("limit")?;
    Ok(Some(ListRequest {
        all: params.0.flag("all"),
        limit: limit
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0),
        size: params.0.flag("size"),
        filters: Filters {
            id: list("id"),
            name: list("name"),
            label: list("label"),
            status,
            exited: filters
                .get("exited")
                .iter()
                .map(exited)
                .collect::<Answer<_>>()?,
            ancestor: list("ancestor"),
            before: list("before"),
            since: list("since"),
            volume: list("volume"),
            network: list("network"),
            health: filters
                .get("health")
                .iter()
                .map(health)
                .collect::<Answer<_>>()?,
        },
    }))
}

/// What images to list.
pub(crate) fn images(params: &Params) -> Answer<ImageFilters> {
    let filters = params.filters()?;
    filters
        .only(&["before", "dangling", "label", "reference", "since"])
        .map_err(Refusal::bad)?;
    let first = |key: &str| filters.get(key).first().cloned();
    Ok(ImageFilters {
        reference: filters.get("reference").to_vec(),
        label: filters.get("label").to_vec(),
        dangling: filters.flag("dangling").map_err(Refusal::bad)?,
        before: first("before"),
        since: first("since"),
    })
}

#[cfg(test)]
mod tests;
