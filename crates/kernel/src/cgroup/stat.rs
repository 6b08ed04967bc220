//! What a group uses now.

use super::group::value_of;
use super::{Cgroup, Controller, Version};
use crate::Result;

/// What a group uses, and used. What the host does not count is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time in nanoseconds.
    pub cpu_total: u64,
    /// That in programs.
    pub cpu_user: u64,
    /// That in the kernel.
    pub cpu_system: u64,
    /// Periods that the quota counted.
    pub cpu_periods: u64,
    /// Those in which the quota stopped the group.
    pub cpu_throttled_periods: u64,
    /// How long it was stopped, in nanoseconds.
    pub cpu_throttled: u64,
    /// Memory in bytes, caches included.
    pub memory: u64,
    /// The caches that could go at once: Docker subtracts them.
    pub memory_inactive_file: u64,
    /// The limit in bytes; `u64::MAX` for none.
    pub memory_limit: u64,
    /// The most that it was.
    pub memory_peak: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Their limit; `u64::MAX` for none.
    pub pids_limit: u64,
    /// Bytes read from block devices.
    pub io_read: u64,
    /// Bytes written to block devices.
    pub io_written: u64,
}

/// Clock ticks a second, in which version 1 tells times: USER_HZ, 100 on all machines of ours.
const TICK: u64 = 1_000_000_000 / 100;

impl Cgroup {
    /// What the group uses now.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats {
            memory_limit: u64::MAX,
            pids_limit: u64::MAX,
            ..Stats::default()
        };
        self.cpu_stats(&mut stats)?;
        self.memory_stats(&mut stats)?;
        stats.pids = self.number(Controller::Pids, "pids.current")?.unwrap_or(0);
        stats.pids_limit = self
            .number(Controller::Pids, "pids.max")?
            .unwrap_or(u64::MAX);
        self.io_stats(&mut stats)?;
        Ok(stats)
    }

    fn number(&self, controller: Controller, file: &str) -> Result<Option<u64>> {
        Ok(self
            .read(controller, file)?
            .and_then(|text| text.trim().parse().ok()))
    }

    fn cpu_stats(&self, stats: &mut Stats) -> Result<()> {
        let throttling = self.read(Controller::Cpu, "cpu.stat")?.unwrap_or_default();
        stats.cpu_periods = value_of(&throttling, "nr_periods").unwrap_or(0);
        stats.cpu_throttled_periods = value_of(&throttling, "nr_throttled").unwrap_or(0);
        stats.cpu_throttled = value_of(&throttling, "throttled_time")
            .or_else(|| value_of(&throttling, "throttled_usec").map(|micros| micros * 1000))
            .unwrap_or(0);
        if self.version_of(Controller::CpuAcct) == Some(Version::V1) {
            stats.cpu_total = self
                .number(Controller::CpuAcct, "cpuacct.usage")?
                .unwrap_or(0);
            let times = self
                .read(Controller::CpuAcct, "cpuacct.stat")?
                .unwrap_or_default();
            stats.cpu_user = value_of(&times, "user").unwrap_or(0) * TICK;
            stats.cpu_system = value_of(&times, "system").unwrap_or(0) * TICK;
            return Ok(());
        }
        let times = self
            .read(Controller::CpuAcct, "cpu.stat")?
            .unwrap_or_default();
        let nanos = |key| value_of(&times, key).unwrap_or(0) * 1000;
        stats.cpu_total = nanos("usage_usec");
        stats.cpu_user = nanos("user_usec");
        stats.cpu_system = nanos("system_usec");
        Ok(())
    }

    fn memory_stats(&self, stats: &mut Stats) -> Result<()> {
        const MEMORY: Controller = Controller::Memory;
        let (usage, limit, peak, inactive) = match self.version_of(MEMORY) {
            Some(Version::V1) => (
                "memory.usage_in_bytes",
                "memory.limit_in_bytes",
                "memory.max_usage_in_bytes",
                "total_inactive_file",
            ),
            Some(Version::V2) => (
                "memory.current",
                "memory.max",
                "memory.peak",
                "inactive_file",
            ),
            None => return Ok(()),
        };
        stats.memory = self.number(MEMORY, usage)?.unwrap_or(0);
        // Version 1 writes "no limit" as the largest multiple of a page.
        let limit = self
            .number(MEMORY, limit)?
            .filter(|limit| *limit < i64::MAX as u64 / 2);
        stats.memory_limit = limit.unwrap_or(u64::MAX);
        stats.memory_peak = self.number(MEMORY, peak)?.unwrap_or(0);
        let details = self.read(MEMORY, "memory.stat")?.unwrap_or_default();
        stats.memory_inactive_file = value_of(&details, inactive).unwrap_or(0);
        Ok(())
    }

    fn io_stats(&self, stats: &mut Stats) -> Result<()> {
        if self.version_of(Controller::Io) == Some(Version::V1) {
            let file = "blkio.throttle.io_service_bytes_recursive";
            let text = self.read(Controller::Io, file)?.unwrap_or_default();
            // "8:0 Read 4096"
            for line in text.lines() {
                let mut words = line.split(' ').skip(1);
                let kind = words.next();
                let bytes: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                match kind {
                    Some("Read") => stats.io_read += bytes,
                    Some("Write") => stats.io_written += bytes,
                    _ => {}
                }
            }
            return Ok(());
        }
        // "8:0 rbytes=4096 wbytes=0 rios=1 …"
        let text = self.read(Controller::Io, "io.stat")?.unwrap_or_default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("rbytes", bytes)) => stats.io_read += bytes.parse::<u64>().unwrap_or(0),
                Some(("wbytes", bytes)) => stats.io_written += bytes.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
        Ok(())
    }
}
