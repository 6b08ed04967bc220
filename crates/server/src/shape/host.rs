//! What the host does for a container.

use api::container as wire;
use engine::container::{
    BlockRate, BlockWeight, Device, HostConfig, LogConfig, PortBinding, RestartPolicy, Ulimit,
};

use super::{mount, unless_empty};
use crate::error::{Answer, Refusal};

/// From the wire. Windows' fields are ignored, as Docker ignores them.
pub(super) fn decode(host: wire::HostConfig) -> Answer<HostConfig> {
    let mounts = host
        .mounts
        .unwrap_or_default()
        .into_iter()
        .map(mount::decode);
    Ok(HostConfig {
        binds: host.binds.unwrap_or_default(),
        mounts: mounts.collect::<Answer<_>>()?,
        tmpfs: host.tmpfs,
        volumes_from: host.volumes_from.unwrap_or_default(),
        volume_driver: host.volume_driver,
        network_mode: host.network_mode,
        port_bindings: decode_ports(host.port_bindings.unwrap_or_default()),
        publish_all_ports: host.publish_all_ports,
        links: host.links.unwrap_or_default(),
        dns: host.dns.unwrap_or_default(),
        dns_options: host.dns_options.unwrap_or_default(),
        dns_search: host.dns_search.unwrap_or_default(),
        extra_hosts: host.extra_hosts.unwrap_or_default(),
        memory: host.memory,
        memory_reservation: host.memory_reservation,
        memory_swap: host.memory_swap,
        // Docker's CLI always sends it; -1 says nothing.
        memory_swappiness: host
            .memory_swappiness
            .filter(|swappiness| *swappiness != -1),
        nano_cpus: host.nano_cpus,
        cpu_shares: host.cpu_shares,
        cpu_quota: host.cpu_quota,
        cpu_period: host.cpu_period,
        cpu_realtime_runtime: host.cpu_realtime_runtime,
        cpu_realtime_period: host.cpu_realtime_period,
        cpuset_cpus: host.cpuset_cpus,
        cpuset_mems: host.cpuset_mems,
        // The same of 0 and -1.
        pids_limit: host.pids_limit.filter(|limit| *limit > 0),
        blkio_weight: host.blkio_weight,
        blkio_weight_device: host
            .blkio_weight_device
            .unwrap_or_default()
            .into_iter()
            .map(|device| BlockWeight {
                path: device.path,
                weight: device.weight,
            })
            .collect(),
        blkio_read_bps: decode_rates(host.blkio_device_read_bps),
        blkio_write_bps: decode_rates(host.blkio_device_write_bps),
        blkio_read_iops: decode_rates(host.blkio_device_read_iops),
        blkio_write_iops: decode_rates(host.blkio_device_write_iops),
        oom_kill_disable: host.oom_kill_disable.unwrap_or_default(),
        oom_score_adj: host.oom_score_adj,
        ulimits: host
            .ulimits
            .unwrap_or_default()
            .into_iter()
            .map(decode_ulimit)
            .collect(),
        cgroup_parent: host.cgroup_parent,
        auto_remove: host.auto_remove,
        restart_policy: RestartPolicy {
            name: host.restart_policy.name,
            maximum_retry_count: host.restart_policy.maximum_retry_count,
        },
        log_config: LogConfig {
            driver: host.log_config.kind,
            options: host.log_config.config,
        },
        init: host.init,
        runtime: host.runtime,
        isolation: host.isolation,
        storage_opt: host.storage_opt,
        annotations: host.annotations,
        console_size: host.console_size,
        privileged: host.privileged,
        cap_add: host.cap_add.unwrap_or_default(),
        cap_drop: host.cap_drop.unwrap_or_default(),
        security_opt: host.security_opt.unwrap_or_default(),
        group_add: host.group_add.unwrap_or_default(),
        readonly_rootfs: host.readonly_rootfs,
        shm_size: host.shm_size,
        sysctls: host.sysctls,
        devices: host
            .devices
            .unwrap_or_default()
            .into_iter()
            .map(decode_device)
            .collect(),
        device_cgroup_rules: host.device_cgroup_rules.unwrap_or_default(),
        device_requests: host
            .device_requests
            .is_some_and(|requests| !requests.is_empty()),
        masked_paths: host.masked_paths,
        readonly_paths: host.readonly_paths,
        ipc_mode: host.ipc_mode,
        pid_mode: host.pid_mode,
        uts_mode: host.uts_mode,
        userns_mode: host.userns_mode,
        cgroupns_mode: check_cgroup(host.cgroup, host.cgroupns_mode)?,
    })
}

/// `Cgroup` named another container's, once.
fn check_cgroup(cgroup: String, namespace: String) -> Answer<String> {
    if cgroup.is_empty() {
        Ok(namespace)
    } else {
        Err(Refusal::bad(format!("invalid cgroup: {cgroup}")))
    }
}

pub(crate) fn decode_ports(
    ports: wire::PortBindings,
) -> std::collections::BTreeMap<String, Vec<PortBinding>> {
    let binding = |binding: wire::PortBinding| PortBinding {
        host_ip: binding.host_ip,
        host_port: binding.host_port,
    };
    let all = |bindings: Option<Vec<_>>| {
        bindings
            .unwrap_or_default()
            .into_iter()
            .map(binding)
            .collect()
    };
    ports
        .into_iter()
        .map(|(port, bindings)| (port, all(bindings)))
        .collect()
}

fn decode_rates(rates: Option<Vec<wire::BlkioLimit>>) -> Vec<BlockRate> {
    let rate = |rate: wire::BlkioLimit| BlockRate {
        path: rate.path,
        rate: rate.rate,
    };
    rates.unwrap_or_default().into_iter().map(rate).collect()
}

fn encode_rates(rates: Vec<BlockRate>) -> Option<Vec<wire::BlkioLimit>> {
    let rate = |rate: BlockRate| wire::BlkioLimit {
        path: rate.path,
        rate: rate.rate,
    };
    Some(rates.into_iter().map(rate).collect())
}

fn decode_ulimit(limit: wire::Ulimit) -> Ulimit {
    Ulimit {
        name: limit.name,
        soft: limit.soft,
        hard: limit.hard,
    }
}

fn decode_device(device: wire::Device) -> Device {
    Device {
        host_path: device.path_on_host,
        container_path: device.path_in_container,
        permissions: device.cgroup_permissions,
    }
}

/// To the wire: null and empty where Docker shows null and empty for a container of its own CLI.
pub(super) fn encode(host: HostConfig) -> wire::HostConfig {
    let mounts = host.mounts.into_iter().map(mount::encode).collect();
    wire::HostConfig {
        binds: unless_empty(host.binds),
        container_id_file: String::new(),
        log_config: encode_log(host.log_config),
        network_mode: host.network_mode,
        port_bindings: Some(encode_ports(host.port_bindings)),
        restart_policy: wire::RestartPolicy {
            name: host.restart_policy.name,
            maximum_retry_count: host.restart_policy.maximum_retry_count,
        },
        auto_remove: host.auto_remove,
        volume_driver: host.volume_driver,
        volumes_from: unless_empty(host.volumes_from),
        console_size: host.console_size,
        annotations: host.annotations,
        cap_add: unless_empty(host.cap_add),
        cap_drop: unless_empty(host.cap_drop),
        cgroupns_mode: host.cgroupns_mode,
        dns: Some(host.dns),
        dns_options: Some(host.dns_options),
        dns_search: Some(host.dns_search),
        extra_hosts: unless_empty(host.extra_hosts),
        group_add: unless_empty(host.group_add),
        ipc_mode: host.ipc_mode,
        links: unless_empty(host.links),
        oom_score_adj: host.oom_score_adj,
        pid_mode: host.pid_mode,
        privileged: host.privileged,
        publish_all_ports: host.publish_all_ports,
        readonly_rootfs: host.readonly_rootfs,
        security_opt: unless_empty(host.security_opt),
        storage_opt: host.storage_opt,
        tmpfs: host.tmpfs,
        uts_mode: host.uts_mode,
        userns_mode: host.userns_mode,
        shm_size: host.shm_size,
        sysctls: host.sysctls,
        runtime: host.runtime,
        isolation: host.isolation,
        cpu_shares: host.cpu_shares,
        memory: host.memory,
        nano_cpus: host.nano_cpus,
        cgroup_parent: host.cgroup_parent,
        blkio_weight: host.blkio_weight,
        blkio_weight_device: Some(
            host.blkio_weight_device
                .into_iter()
                .map(|device| wire::BlkioWeight {
                    path: device.path,
                    weight: device.weight,
                })
                .collect(),
        ),
        blkio_device_read_bps: encode_rates(host.blkio_read_bps),
        blkio_device_write_bps: encode_rates(host.blkio_write_bps),
        blkio_device_read_iops: encode_rates(host.blkio_read_iops),
        blkio_device_write_iops: encode_rates(host.blkio_write_iops),
        cpu_period: host.cpu_period,
        cpu_quota: host.cpu_quota,
        cpu_realtime_period: host.cpu_realtime_period,
        cpu_realtime_runtime: host.cpu_realtime_runtime,
        cpuset_cpus: host.cpuset_cpus,
        cpuset_mems: host.cpuset_mems,
        devices: Some(host.devices.into_iter().map(encode_device).collect()),
        device_cgroup_rules: unless_empty(host.device_cgroup_rules),
        memory_reservation: host.memory_reservation,
        memory_swap: host.memory_swap,
        memory_swappiness: host.memory_swappiness,
        oom_kill_disable: Some(host.oom_kill_disable),
        pids_limit: host.pids_limit,
        ulimits: Some(host.ulimits.into_iter().map(encode_ulimit).collect()),
        mounts: unless_empty(mounts),
        masked_paths: host.masked_paths,
        readonly_paths: host.readonly_paths,
        init: host.init,
        ..wire::HostConfig::default()
    }
}

/// Docker's own default is what clients look for: docker-py reads the log of no other driver.
fn encode_log(log: LogConfig) -> wire::LogConfig {
    let kind = if log.driver.is_empty() {
        "json-file".to_owned()
    } else {
        log.driver
    };
    wire::LogConfig {
        kind,
        config: log.options,
    }
}

fn encode_ports(ports: std::collections::BTreeMap<String, Vec<PortBinding>>) -> wire::PortBindings {
    let binding = |binding: PortBinding| wire::PortBinding {
        host_ip: binding.host_ip,
        host_port: binding.host_port,
    };
    let all = |bindings: Vec<_>| Some(bindings.into_iter().map(binding).collect());
    ports
        .into_iter()
        .map(|(port, bindings)| (port, all(bindings)))
        .collect()
}

fn encode_ulimit(limit: Ulimit) -> wire::Ulimit {
    wire::Ulimit {
        name: limit.name,
        hard: limit.hard,
        soft: limit.soft,
    }
}

fn encode_device(device: Device) -> wire::Device {
    wire::Device {
        path_on_host: device.host_path,
        path_in_container: device.container_path,
        cgroup_permissions: device.permissions,
    }
}
