//! Other limits for a container, running or not.

#[cfg(test)]
mod tests;

use failpoint::failpoint;
use protocol::Request;

use super::check;
use super::config::{HostConfig, RestartPolicy};
use super::create;
use super::lookup;
use super::stored::Stored;
use crate::bundle;
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::launch;
use crate::link;
use crate::open::Engine;

/// What is to change; what is zero, empty or none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateRequest {
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; -1 for no limit.
    pub memory_swap: i64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Weight.
    pub cpu_shares: i64,
    /// Microseconds.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// Microseconds.
    pub cpu_realtime_runtime: i64,
    /// Microseconds.
    pub cpu_realtime_period: i64,
    /// `0-2,4`.
    pub cpuset_cpus: String,
    /// `0-2,4`.
    pub cpuset_mems: String,
    /// How many tasks; 0 and -1 for no limit.
    pub pids_limit: Option<i64>,
    /// 10 to 1000.
    pub blkio_weight: u16,
    /// When it is started again.
    pub restart_policy: Option<RestartPolicy>,
}

pub(super) fn update(engine: &Engine, name: &str, request: &UpdateRequest) -> Result<()> {
    let inner = &*engine.0;
    let found = lookup::find(inner, name)?;
    let lock = inner.lock_container(&found.id)?;
    let row = lookup::again(inner, &found)?;
    let failed = |error: Error| error.context(&format!("Cannot update container {}", row.id));
    let mut stored = Stored::parse(&row.id, &row.config)?;
    stored.host = changed(&stored.host, request).map_err(failed)?;
    check::limits(&stored.host, create::machine()).map_err(failed)?;
    // The kernel first: what it refuses is not written down.
    let told = Request::Update {
        limits: Box::new(bundle::limits(&stored.host)),
        restart: launch::restart(&stored.host.restart_policy),
    };
    link::ask(inner, &row.id, &told).map_err(failed)?;
    failpoint!("container.update.applied");
    let config = stored.to_json()?;
    inner
        .db
        .write(|tx| tx.configure_container(&row.id, &config))?;
    drop(lock);
    inner.record(Happened::to_container(&row, "update"));
    Ok(())
}

/// What is asked of the host after a change. Pure.
fn changed(before: &HostConfig, request: &UpdateRequest) -> Result<HostConfig> {
    conflicts(before, request)?;
    let mut host = before.clone();
    let number = |field: &mut i64, value: i64| {
        if value != 0 {
            *field = value;
        }
    };
    number(&mut host.nano_cpus, request.nano_cpus);
    number(&mut host.cpu_shares, request.cpu_shares);
    number(&mut host.cpu_quota, request.cpu_quota);
    number(&mut host.cpu_period, request.cpu_period);
    number(&mut host.cpu_realtime_runtime, request.cpu_realtime_runtime);
    number(&mut host.cpu_realtime_period, request.cpu_realtime_period);
    number(&mut host.memory_reservation, request.memory_reservation);
    // What followed from the memory when the container was made does not follow any more.
    host.memory_swap = swap(before);
    number(&mut host.memory, request.memory);
    number(&mut host.memory_swap, request.memory_swap);
    if !request.cpuset_cpus.is_empty() {
        host.cpuset_cpus.clone_from(&request.cpuset_cpus);
    }
    if !request.cpuset_mems.is_empty() {
        host.cpuset_mems.clone_from(&request.cpuset_mems);
    }
    if request.pids_limit.is_some() {
        host.pids_limit = request.pids_limit;
    }
    if request.blkio_weight != 0 {
        host.blkio_weight = request.blkio_weight;
    }
    if let Some(policy) = &request.restart_policy {
        host.restart_policy = policy.clone();
    }
    Ok(host)
}

/// The limit of memory and swap that a container has.
fn swap(host: &HostConfig) -> i64 {
    match (host.memory, host.memory_swap) {
        (memory, 0) if memory > 0 => memory.saturating_mul(2),
        (_, swap) => swap,
    }
}

fn conflicts(host: &HostConfig, request: &UpdateRequest) -> Result<()> {
    let say = |text: &str| Err(Error::conflict(format!("Conflicting options: {text}")));
    match () {
        () if request.nano_cpus > 0 && host.cpu_period > 0 => {
            say("Nano CPUs cannot be updated as CPU Period has already been set")
        }
        () if request.nano_cpus > 0 && host.cpu_quota > 0 => {
            say("Nano CPUs cannot be updated as CPU Quota has already been set")
        }
        () if request.cpu_period > 0 && host.nano_cpus > 0 => {
            say("CPU Period cannot be updated as NanoCPUs has already been set")
        }
        () if request.cpu_quota > 0 && host.nano_cpus > 0 => {
            say("CPU Quota cannot be updated as NanoCPUs has already been set")
        }
        () => {
            let limit = swap(host);
            if request.memory > 0 && request.memory_swap == 0 && limit > 0 && request.memory > limit
            {
                return Err(Error::conflict(
                    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
                ));
            }
            let restarts = |p: &RestartPolicy| !matches!(p.name.as_str(), "" | "no");
            if host.auto_remove && request.restart_policy.as_ref().is_some_and(restarts) {
                return Err(Error::conflict(
                    "Restart policy cannot be updated because AutoRemove is enabled for the container",
                ));
            }
            Ok(())
        }
    }
}
