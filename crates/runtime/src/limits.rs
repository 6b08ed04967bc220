//! Limits: from the specification's words to the kernel's.

use kernel::cgroup::{
    self, Access, DeviceRule, HugePageLimit, InterfacePriority, Permit, RdmaLimit, Throttle,
};
use spec::runtime::{self, DeviceKind, Resources, ThrottleDevice};

use crate::error::{Error, Result};

/// `spec` as the kernel door takes it. Without rules about devices, everything but what every container needs is denied.
pub(crate) fn resources(spec: Option<&Resources>) -> Result<cgroup::Resources> {
    let nothing = Resources::default();
    let spec = spec.unwrap_or(&nothing);
    Ok(cgroup::Resources {
        devices: devices(&spec.devices)?,
        ..changes(spec)?
    })
}

/// The limits of `spec` alone: rules about devices only if it has some.
pub(crate) fn changes(spec: &Resources) -> Result<cgroup::Resources> {
    let mut limits = cgroup::Resources {
        pids_limit: spec.pids.as_ref().map(|p| p.limit),
        huge_pages: spec.hugepage_limits.iter().map(huge_pages).collect(),
        unified: spec
            .unified
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        devices: if spec.devices.is_empty() {
            Vec::new()
        } else {
            devices(&spec.devices)?
        },
        rdma: spec.rdma.iter().map(rdma).collect(),
        ..cgroup::Resources::default()
    };
    if let Some(network) = &spec.network {
        limits.net_class = network.class_id;
        limits.net_priorities = network.priorities.iter().map(priority).collect();
    }
    if let Some(memory) = &spec.memory {
        limits.memory_limit = memory.limit;
        limits.memory_swap = memory.swap;
        limits.memory_reservation = memory.reservation;
        limits.memory_swappiness = memory.swappiness;
        limits.disable_oom_killer = memory.disable_oom_killer;
        limits.memory_kernel_tcp = memory.kernel_tcp;
    }
    if let Some(cpu) = &spec.cpu {
        limits.cpu_shares = cpu.shares;
        limits.cpu_quota = cpu.quota;
        limits.cpu_period = cpu.period;
        limits.cpu_burst = cpu.burst;
        limits.cpu_realtime_runtime = cpu.realtime_runtime;
        limits.cpu_realtime_period = cpu.realtime_period;
        limits.cpu_idle = cpu.idle;
        limits.cpuset_cpus.clone_from(&cpu.cpus);
        limits.cpuset_mems.clone_from(&cpu.mems);
    }
    if let Some(io) = &spec.block_io {
        limits.io_weight = io.weight;
        limits.io_leaf_weight = io.leaf_weight;
        limits.io_read_bps = throttles(&io.throttle_read_bps_device)?;
        limits.io_write_bps = throttles(&io.throttle_write_bps_device)?;
        limits.io_read_iops = throttles(&io.throttle_read_iops_device)?;
        limits.io_write_iops = throttles(&io.throttle_write_iops_device)?;
        for device in &io.weight_device {
            limits.io_weight_device.push(cgroup::WeightDevice {
                major: number(device.major)?,
                minor: number(device.minor)?,
                weight: device.weight,
                leaf_weight: device.leaf_weight,
            });
        }
    }
    Ok(limits)
}

fn rdma((device, limit): (&String, &runtime::Rdma)) -> RdmaLimit {
    RdmaLimit {
        device: device.clone(),
        handles: limit.hca_handles,
        objects: limit.hca_objects,
    }
}

fn priority(priority: &runtime::InterfacePriority) -> InterfacePriority {
    InterfacePriority {
        interface: priority.name.clone(),
        priority: priority.priority,
    }
}

fn huge_pages(limit: &runtime::HugepageLimit) -> HugePageLimit {
    HugePageLimit {
        page_size: limit.page_size.clone(),
        limit: limit.limit,
    }
}

fn throttles(devices: &[ThrottleDevice]) -> Result<Vec<Throttle>> {
    let throttle = |d: &ThrottleDevice| {
        let (major, minor) = (number(d.major)?, number(d.minor)?);
        Ok(Throttle {
            major,
            minor,
            rate: d.rate,
        })
    };
    devices.iter().map(throttle).collect()
}

fn number(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::invalid("read number of device", number.to_string()))
}

/// The rules of the specification, then those for the nodes of every container, without which it wouldn't work.
fn devices(rules: &[runtime::DeviceRule]) -> Result<Vec<DeviceRule>> {
    let mut all = Vec::with_capacity(rules.len() + 16);
    let defaults = spec::profile::device_rules();
    // Rules are read in order from "everything denied": what a list doesn't speak of is not allowed.
    let begun = rules
        .first()
        .is_some_and(|r| r.kind.is_none_or(|k| k == DeviceKind::All) && r.major.is_none());
    if !begun {
        all.push(DeviceRule::everything(Permit::Deny));
    }
    for rule in rules {
        all.push(device(rule)?);
    }
    let open = all
        .iter()
        .rev()
        .find(|r| r.kind == cgroup::DeviceKind::All && r.major.is_none());
    if open.is_none_or(|r| r.permit == Permit::Deny) {
        // Those that the list itself allows last are not written again.
        let last = all.iter().rposition(|r| r.permit == Permit::Deny);
        let allowed = last.map_or(0, |at| at + 1)..all.len();
        for rule in defaults.iter().filter(|r| r.allow) {
            let rule = device(rule)?;
            if !all[allowed.clone()].contains(&rule) {
                all.push(rule);
            }
        }
    }
    Ok(all)
}

fn device(rule: &runtime::DeviceRule) -> Result<DeviceRule> {
    let any = |n: Option<i64>| n.filter(|&n| n != -1).map(number).transpose();
    let access = Access::parse(&rule.access)
        .ok_or_else(|| Error::invalid("allow access to device:", &rule.access))?;
    Ok(DeviceRule {
        permit: if rule.allow {
            Permit::Allow
        } else {
            Permit::Deny
        },
        kind: match rule.kind {
            None | Some(DeviceKind::All) => cgroup::DeviceKind::All,
            Some(DeviceKind::Block) => cgroup::DeviceKind::Block,
            Some(DeviceKind::Char) => cgroup::DeviceKind::Char,
            Some(DeviceKind::Fifo) => {
                return Err(Error::invalid("allow access to device of kind", "p"));
            }
        },
        major: any(rule.major)?,
        minor: any(rule.minor)?,
        access,
    })
}

#[cfg(test)]
mod tests;
