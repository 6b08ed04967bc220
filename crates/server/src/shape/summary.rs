//! A line in the list of containers.

use api::container as wire;
use engine::container::{HealthStatus, State, Status, Summary};
use jiff::Timestamp;

use super::{bytes, endpoint, mount};
use crate::clock::human;

pub(crate) fn encode(container: Summary, now: Timestamp) -> wire::ContainerSummary {
    let networks = endpoint::encode_all(&container.ends);
    wire::ContainerSummary {
        id: container.id.to_string(),
        names: vec![format!("/{}", container.name)],
        image: container.image,
        image_id: container.image_id.to_string(),
        command: container.command,
        created: container.created.as_second(),
        ports: container.ports.iter().map(endpoint::encode_port).collect(),
        size_rw: container.size_rw.map(bytes),
        size_root_fs: container.size_root.map(bytes),
        labels: container.labels,
        state: container.state.status.name().to_owned(),
        status: status(&container.state, now),
        host_config: wire::SummaryHostConfig {
            network_mode: container.network_mode,
            ..wire::SummaryHostConfig::default()
        },
        health: None,
        network_settings: wire::SummaryNetworks { networks },
        mounts: container
            .mounts
            .into_iter()
            .map(mount::encode_point)
            .collect(),
    }
}

/// The state in Docker's words for people.
fn status(state: &State, now: Timestamp) -> String {
    let ago = |time: Option<Timestamp>| human(time.unwrap_or(now), now);
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}{}", ago(state.started), well(state)),
        Status::Restarting => format!(
            "Restarting ({}) {} ago",
            state.exit_code,
            ago(state.finished)
        ),
        Status::Paused => format!("Up {} (Paused)", ago(state.started)),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, ago(state.finished)),
        Status::Removing => "Removal In Progress".to_owned(),
    }
}

/// ` (healthy)`, if somebody looks.
fn well(state: &State) -> &'static str {
    match state.health.as_ref().map(|health| health.status) {
        None | Some(HealthStatus::None) => "",
        Some(HealthStatus::Starting) => " (health: starting)",
        Some(HealthStatus::Healthy) => " (healthy)",
        Some(HealthStatus::Unhealthy) => " (unhealthy)",
    }
}

#[cfg(test)]
mod tests;
