//! Everything about a container.

use std::collections::BTreeMap;

use api::Time;
use api::container as wire;
use api::image::DriverData;
use api::network::EndpointSettings;
use engine::container::{Health, HealthLook, Inspect, State, Status};

use super::{bytes, create, host, mount, unless_empty};
use crate::networks;
use crate::system::DRIVER;

pub(crate) fn encode(container: Inspect) -> wire::ContainerInspect {
    let path = |path: std::path::PathBuf| path.display().to_string();
    let networks = networks(&container.host.network_mode);
    let restarts = container.state.restarts;
    wire::ContainerInspect {
        id: container.id.to_string(),
        created: container.created.into(),
        path: container.path,
        args: container.args,
        state: state(container.state),
        image: container.image.to_string(),
        resolv_conf_path: path(container.resolv_conf_path),
        hostname_path: path(container.hostname_path),
        hosts_path: path(container.hosts_path),
        log_path: path(container.log_path),
        name: format!("/{}", container.name),
        restart_count: restarts.into(),
        driver: DRIVER.to_owned(),
        platform: container.os,
        exec_ids: unless_empty(container.execs),
        host_config: host::encode(container.host),
        graph_driver: DriverData {
            data: None,
            name: DRIVER.to_owned(),
        },
        size_rw: container.size_rw.map(bytes),
        size_root_fs: container.size_root.map(bytes),
        mounts: container
            .mounts
            .into_iter()
            .map(mount::encode_point)
            .collect(),
        config: create::encode_config(container.config),
        network_settings: wire::NetworkSettings {
            networks,
            ..wire::NetworkSettings::default()
        },
        ..wire::ContainerInspect::default()
    }
}

fn state(state: State) -> wire::ContainerState {
    wire::ContainerState {
        status: state.status.name().to_owned(),
        running: matches!(
            state.status,
            Status::Running | Status::Paused | Status::Restarting
        ),
        restarting: state.status == Status::Restarting,
        paused: state.status == Status::Paused,
        oom_killed: state.oom_killed,
        pid: state.pid,
        exit_code: state.exit_code,
        error: state.error,
        started_at: Time(state.started),
        finished_at: Time(state.finished),
        health: state.health.map(health),
        ..wire::ContainerState::default()
    }
}

fn health(health: Health) -> wire::Health {
    let look = |look: HealthLook| wire::HealthResult {
        start: Time(look.start),
        end: Time(look.end),
        exit_code: look.exit_code,
        output: look.output,
    };
    wire::Health {
        status: health.status.name().to_owned(),
        failing_streak: health.failing_streak.into(),
        log: Some(health.log.into_iter().map(look).collect()),
    }
}

/// A container's ends of networks.
pub(super) fn networks(mode: &str) -> BTreeMap<String, EndpointSettings> {
    let end = EndpointSettings {
        network_id: networks::id(mode),
        ..EndpointSettings::default()
    };
    BTreeMap::from([(mode.to_owned(), end)])
}
