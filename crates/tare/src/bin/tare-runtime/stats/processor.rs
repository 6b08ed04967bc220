//! Processor time.

use kernel::Result;
use kernel::cgroup::{Controller, Version};
use serde::Serialize;

use super::{Files, Psi, is_zero};

#[derive(Debug, Default, Serialize)]
pub(super) struct Cpu {
    usage: Usage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
}

/// In nanoseconds.
#[derive(Debug, Default, Serialize)]
struct Usage {
    #[serde(skip_serializing_if = "is_zero")]
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_kernel: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_user: Vec<u64>,
    kernel: u64,
    user: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "is_zero")]
    periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_time: u64,
}

/// Clock ticks in which version 1 tells times: USER_HZ, 100 on all machines of ours.
const TICK: u64 = 1_000_000_000 / 100;

impl Cpu {
    pub(super) fn of(files: &Files<'_>) -> Result<Self> {
        const ACCT: Controller = Controller::CpuAcct;
        let mut cpu = Self {
            psi: files.psi(Controller::Cpu, "cpu.pressure")?,
            ..Self::default()
        };
        let limited = files.numbers(Controller::Cpu, "cpu.stat")?;
        let value = |key: &str| limited.get(key).copied();
        cpu.throttling = Throttling {
            periods: value("nr_periods").unwrap_or(0),
            throttled_periods: value("nr_throttled").unwrap_or(0),
            throttled_time: value("throttled_time")
                .or_else(|| value("throttled_usec").map(|micros| micros * 1000))
                .unwrap_or(0),
        };
        if files.version(ACCT) == Some(Version::V2) {
            let times = files.numbers(ACCT, "cpu.stat")?;
            let nanos = |key: &str| times.get(key).map_or(0, |micros| micros * 1000);
            cpu.usage.total = nanos("usage_usec");
            cpu.usage.user = nanos("user_usec");
            cpu.usage.kernel = nanos("system_usec");
            return Ok(cpu);
        }
        let times = files.numbers(ACCT, "cpuacct.stat")?;
        let ticks = |key: &str| times.get(key).map_or(0, |ticks| ticks * TICK);
        cpu.usage = Usage {
            total: files.number(ACCT, "cpuacct.usage")?,
            user: ticks("user"),
            kernel: ticks("system"),
            ..Usage::default()
        };
        let each = files.text(ACCT, "cpuacct.usage_percpu")?;
        cpu.usage.percpu = each
            .split_whitespace()
            .filter_map(|w| w.parse().ok())
            .collect();
        (cpu.usage.percpu_kernel, cpu.usage.percpu_user) =
            breakdown(&files.text(ACCT, "cpuacct.usage_all")?);
        Ok(cpu)
    }
}

/// Kernel and user time of each processor: lines `cpu user system`, below a title.
fn breakdown(text: &str) -> (Vec<u64>, Vec<u64>) {
    let lines = text.lines().skip(1).filter_map(|line| {
        let mut words = line.split(' ').skip(1).map(str::parse::<u64>);
        let user = words.next()?.ok()?;
        let kernel = words.next()?.ok()?;
        Some((kernel, user))
    });
    lines.unzip()
}

#[derive(Debug, Default, Serialize)]
pub(super) struct CpuSet {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<u16>,
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<u16>,
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

impl CpuSet {
    pub(super) fn of(files: &Files<'_>) -> Result<Self> {
        const SET: Controller = Controller::CpuSet;
        if files.version(SET) != Some(Version::V1) {
            return Ok(Self::default());
        }
        let number = |name: &str| files.number(SET, &format!("cpuset.{name}"));
        let level = files.text(SET, "cpuset.sched_relax_domain_level")?;
        Ok(Self {
            cpus: list(&files.text(SET, "cpuset.cpus")?),
            cpu_exclusive: number("cpu_exclusive")?,
            mems: list(&files.text(SET, "cpuset.mems")?),
            mem_hardwall: number("mem_hardwall")?,
            mem_exclusive: number("mem_exclusive")?,
            memory_migrate: number("memory_migrate")?,
            memory_spread_page: number("memory_spread_page")?,
            memory_spread_slab: number("memory_spread_slab")?,
            memory_pressure: number("memory_pressure")?,
            sched_load_balance: number("sched_load_balance")?,
            sched_relax_domain_level: level.trim().parse().unwrap_or(0),
        })
    }
}

/// `0-2,7`, each by itself.
fn list(text: &str) -> Vec<u16> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_and_breakdowns_are_read() {
        assert_eq!(super::list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(super::list("\n"), [0_u16; 0]);
        let text = "cpu user system\n0 10 20\n1 11 21\n";
        assert_eq!(super::breakdown(text), (vec![20, 21], vec![10, 11]));
    }
}
