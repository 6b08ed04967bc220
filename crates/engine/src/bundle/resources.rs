//! Limits of the container's cgroup.

use spec::profile;
use spec::runtime::{Cpu, DeviceKind, DeviceRule, Memory, Pids, Resources};

use super::devices::HostDevice;
use crate::container::HostConfig;
use crate::error::{Error, Result};

/// Microseconds in which a share of a processor is counted.
const PERIOD: u64 = 100_000;

pub(super) fn resources(host: &HostConfig, devices: &[HostDevice]) -> Result<Resources> {
    let mut rules = if host.privileged {
        vec![DeviceRule {
            allow: true,
            kind: Some(DeviceKind::All),
            major: None,
            minor: None,
            access: "rwm".to_owned(),
        }]
    } else {
        profile::device_rules()
    };
    if !host.privileged {
        rules.extend(devices.iter().map(HostDevice::rule));
        rules.extend(device_rules(&host.device_cgroup_rules)?);
    }
    Ok(Resources {
        devices: rules,
        ..limits(host)
    })
}

/// All limits, but for those of devices.
pub(super) fn limits(host: &HostConfig) -> Resources {
    Resources {
        memory: memory(host),
        cpu: cpu(host),
        pids: host
            .pids_limit
            .filter(|limit| *limit > 0)
            .map(|limit| Pids { limit }),
        ..Resources::default()
    }
}

fn memory(host: &HostConfig) -> Option<Memory> {
    let set = |value: i64| (value != 0).then_some(value);
    let swap = match (host.memory, host.memory_swap) {
        // As much swap as memory.
        (memory, 0) if memory > 0 => Some(memory.saturating_mul(2)),
        (_, swap) => set(swap),
    };
    let memory = Memory {
        limit: set(host.memory),
        reservation: set(host.memory_reservation),
        swap,
        swappiness: host.memory_swappiness.and_then(|n| u64::try_from(n).ok()),
        disable_oom_killer: host.oom_kill_disable.then_some(true),
        ..Memory::default()
    };
    (memory != Memory::default()).then_some(memory)
}

fn cpu(host: &HostConfig) -> Option<Cpu> {
    let positive = |value: i64| u64::try_from(value).ok().filter(|n| *n > 0);
    let (quota, period) = if host.nano_cpus > 0 {
        let quota = i128::from(host.nano_cpus) * i128::from(PERIOD) / 1_000_000_000;
        (i64::try_from(quota).ok(), Some(PERIOD))
    } else {
        (
            (host.cpu_quota != 0).then_some(host.cpu_quota),
            positive(host.cpu_period),
        )
    };
    let cpu = Cpu {
        realtime_runtime: (host.cpu_realtime_runtime != 0).then_some(host.cpu_realtime_runtime),
        realtime_period: positive(host.cpu_realtime_period),
        shares: positive(host.cpu_shares),
        quota,
        period,
        cpus: host.cpuset_cpus.clone(),
        mems: host.cpuset_mems.clone(),
        ..Cpu::default()
    };
    (cpu != Cpu::default()).then_some(cpu)
}

/// `c 13:* rwm`.
pub(super) fn device_rules(texts: &[String]) -> Result<Vec<DeviceRule>> {
    texts.iter().map(|text| device_rule(text)).collect()
}

fn device_rule(text: &str) -> Result<DeviceRule> {
    let invalid = || Error::invalid(format!("invalid device cgroup rule format: '{text}'"));
    let words: Vec<&str> = text.split(' ').collect();
    let [kind, numbers, access] = words[..] else {
        return Err(invalid());
    };
    let kind = match kind {
        "a" => DeviceKind::All,
        "b" => DeviceKind::Block,
        "c" => DeviceKind::Char,
        _ => return Err(invalid()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
    let number = |text: &str| match text {
        "*" => Ok(None),
        _ => text
            .parse::<u32>()
            .map(|n| Some(i64::from(n)))
            .map_err(|_| invalid()),
    };
    if access.is_empty() || access.len() > 3 || !access.chars().all(|c| "rwm".contains(c)) {
        return Err(invalid());
    }
    Ok(DeviceRule {
        allow: true,
        kind: Some(kind),
        major: number(major)?,
        minor: number(minor)?,
        access: access.to_owned(),
    })
}
