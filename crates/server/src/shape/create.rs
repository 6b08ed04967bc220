//! A container to make.

use api::container as wire;
use engine::container::{Config, CreateRequest, Healthcheck};

use super::{endpoint, host};
use crate::error::{Answer, Refusal};

/// What the host does for the commands of a build.
pub(crate) fn host(host: wire::HostConfig) -> Answer<engine::container::HostConfig> {
    super::host::decode(host)
}

/// From the query and the body.
pub(crate) fn decode(
    name: Option<String>,
    platform: Option<&str>,
    request: wire::CreateRequest,
) -> Answer<CreateRequest> {
    let platform = platform.map(str::parse).transpose();
    let platform = platform.map_err(|error: spec::Error| Refusal::bad(error.to_string()))?;
    let wire::CreateRequest {
        config,
        host_config,
        networking_config,
    } = request;
    let mut host = host::decode(host_config)?;
    let asked = networking_config.endpoints_config;
    if let (true, 1, Some(only)) = (
        host.network_mode.is_empty(),
        asked.len(),
        asked.keys().next(),
    ) {
        // Old clients name the network only here.
        host.network_mode.clone_from(only);
    }
    let networks = asked
        .into_iter()
        .map(|(name, settings)| Ok((name, endpoint::decode(settings)?)))
        .collect::<Answer<_>>()?;
    if host.volume_driver == "local" {
        host.volume_driver.clear();
    }
    Ok(CreateRequest {
        name,
        platform,
        config: decode_config(config),
        host,
        networks,
    })
}

pub(crate) fn decode_config(config: wire::ContainerConfig) -> Config {
    Config {
        image: config.image,
        cmd: config.cmd.map(|words| words.0),
        entrypoint: config.entrypoint.map(|words| words.0),
        env: config.env.unwrap_or_default(),
        user: config.user,
        working_dir: config.working_dir,
        hostname: config.hostname,
        domainname: config.domainname,
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        labels: config.labels,
        stop_signal: Some(config.stop_signal).filter(|signal| !signal.is_empty()),
        stop_timeout: config.stop_timeout,
        volumes: config.volumes.unwrap_or_default().into_keys().collect(),
        exposed_ports: config.exposed_ports.into_keys().collect(),
        healthcheck: config.healthcheck.map(|check| Healthcheck {
            test: check.test,
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }),
        shell: config.shell,
        network_disabled: config.network_disabled,
        mac_address: config.mac_address,
    }
}

/// A container's configuration as the wire has it.
pub(super) fn encode_config(config: Config) -> wire::ContainerConfig {
    let set = |keys: std::collections::BTreeSet<String>| {
        keys.into_iter()
            .map(|key| (key, api::Empty))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let volumes = set(config.volumes);
    wire::ContainerConfig {
        hostname: config.hostname,
        domainname: config.domainname,
        user: config.user,
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        exposed_ports: set(config.exposed_ports),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: Some(config.env),
        cmd: config.cmd.map(wire::Words),
        healthcheck: config.healthcheck.map(|check| wire::Healthcheck {
            test: check.test,
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }),
        args_escaped: false,
        image: config.image,
        volumes: (!volumes.is_empty()).then_some(volumes),
        working_dir: config.working_dir,
        entrypoint: config.entrypoint.map(wire::Words),
        network_disabled: config.network_disabled,
        mac_address: config.mac_address,
        on_build: None,
        labels: config.labels,
        stop_signal: config.stop_signal.unwrap_or_default(),
        stop_timeout: config.stop_timeout,
        shell: config.shell,
    }
}

#[cfg(test)]
mod tests;
