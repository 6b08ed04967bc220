//! Everything about a container.

use api::Time;
use api::container as wire;
use api::image::DriverData;
use engine::container::{Health, HealthLook, Inspect, State, Status};
use engine::network::DEFAULT;

use super::{bytes, create, endpoint, host, mount, unless_empty};
use crate::system::DRIVER;

pub(crate) fn encode(container: Inspect) -> wire::ContainerInspect {
    let path = |path: std::path::PathBuf| path.display().to_string();
    let networks = network_settings(&container);
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
        network_settings: networks,
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

/// The networks; the default one's fields also where they were before there were others.
fn network_settings(container: &Inspect) -> wire::NetworkSettings {
    let networks = endpoint::encode_all(&container.ends);
    let first = networks.get(DEFAULT).cloned().unwrap_or_default();
    let runs = container.state.status == Status::Running;
    wire::NetworkSettings {
        sandbox_id: if runs && container.host.network_mode != "host" {
            container.id.to_string()
        } else {
            String::new()
        },
        sandbox_key: if runs {
            format!("/proc/{}/ns/net", container.state.pid)
        } else {
            String::new()
        },
        ports: endpoint::encode_ports(&container.ports),
        endpoint_id: first.endpoint_id,
        gateway: first.gateway,
        global_ipv6_address: first.global_ipv6_address,
        global_ipv6_prefix_len: first.global_ipv6_prefix_len,
        ip_address: first.ip_address,
        ip_prefix_len: first.ip_prefix_len,
        ipv6_gateway: first.ipv6_gateway,
        mac_address: first.mac_address,
        networks,
        ..wire::NetworkSettings::default()
    }
}
