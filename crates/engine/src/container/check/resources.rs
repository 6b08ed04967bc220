//! Limits.

use super::Machine;
use crate::container::config::HostConfig;
use crate::error::{Error, Result};

pub(super) fn check(host: &HostConfig, machine: Machine) -> Result<()> {
    memory(host, machine)?;
    cpu(host, machine)?;
    let weights = host.blkio_weight_device.iter().map(|device| device.weight);
    for weight in weights.chain([host.blkio_weight]) {
        if weight != 0 && !(10..=1000).contains(&weight) {
            return Err(Error::invalid("Range of blkio weight is from 10 to 1000"));
        }
    }
    if host.device_requests {
        return Err(Error::unsupported(
            "could not select device driver: requests for devices (--gpus) are not supported",
        ));
    }
    if host.shm_size < 0 {
        return Err(Error::invalid("SHM size can not be less than 0"));
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(Error::invalid(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            host.oom_score_adj
        )));
    }
    for limit in &host.ulimits {
        let more = |a: i64, b: i64| b != -1 && (a == -1 || a > b);
        if more(limit.soft, limit.hard) {
            return Err(Error::invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                limit.soft, limit.hard
            )));
        }
    }
    Ok(())
}

fn memory(host: &HostConfig, machine: Machine) -> Result<()> {
    let say = |text: &str| Err(Error::invalid(text));
    if host.memory < 0 || host.memory_reservation < 0 {
        return say("invalid memory limit: it can't be negative");
    }
    if host.memory != 0 && host.memory < spec::profile::MIN_MEMORY {
        return say("Minimum memory limit allowed is 6MB");
    }
    if host.memory > 0 && host.memory_swap > 0 && host.memory_swap < host.memory {
        return say("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return say(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        );
    }
    if host.memory > 0 && host.memory_reservation > host.memory {
        return say(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        );
    }
    match host.memory_swappiness {
        None | Some(-1) => {}
        Some(_) if machine.unified => {
            return say("memory swappiness can't be set: the cgroup hierarchy is the unified one");
        }
        Some(0..=100) => {}
        Some(other) => {
            return Err(Error::invalid(format!(
                "Invalid value: {other}, valid memory swappiness range is 0-100"
            )));
        }
    }
    if host.oom_kill_disable && machine.unified {
        return say("the OOM killer can't be disabled: the cgroup hierarchy is the unified one");
    }
    Ok(())
}

fn cpu(host: &HostConfig, machine: Machine) -> Result<()> {
    let say = |text: &str| Err(Error::invalid(text));
    if host.nano_cpus != 0 && host.cpu_period != 0 {
        return say("Conflicting options: Nano CPUs and CPU Period cannot both be set.");
    }
    if host.nano_cpus != 0 && host.cpu_quota != 0 {
        return say("Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
    }
    let most = i64::try_from(machine.cpus).unwrap_or(i64::MAX);
    if host.nano_cpus < 0 || host.nano_cpus > most.saturating_mul(1_000_000_000) {
        return Err(Error::invalid(format!(
            "range of CPUs is from 0.01 to {most}.00, as there are only {most} CPUs available"
        )));
    }
    if host.nano_cpus != 0 && host.nano_cpus < 10_000_000 {
        return say("range of CPUs begins at 0.01");
    }
    if host.cpu_period != 0 && !(1_000..=1_000_000).contains(&host.cpu_period) {
        return say(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if host.cpu_quota > 0 && host.cpu_quota < 1_000 {
        return say("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    if host.cpu_shares < 0 {
        return say("invalid CPU shares: they can't be negative");
    }
    if (host.cpu_realtime_period != 0 || host.cpu_realtime_runtime != 0) && !machine.realtime {
        return say("Your kernel does not support CPU real-time scheduler");
    }
    if host.cpu_realtime_runtime > host.cpu_realtime_period && host.cpu_realtime_period != 0 {
        return say("cpu real-time runtime cannot be higher than cpu real-time period");
    }
    for (what, list) in [
        ("cpuset cpus", &host.cpuset_cpus),
        ("cpuset mems", &host.cpuset_mems),
    ] {
        if !list.is_empty() && !is_list(list) {
            return Err(Error::invalid(format!("Invalid value {list} for {what}")));
        }
    }
    Ok(())
}

/// `0-2,4`.
fn is_list(text: &str) -> bool {
    let number = |n: &str| n.parse::<u32>().ok();
    text.split(',').all(|part| match part.split_once('-') {
        None => number(part).is_some(),
        Some((from, to)) => matches!((number(from), number(to)), (Some(a), Some(b)) if a <= b),
    })
}
