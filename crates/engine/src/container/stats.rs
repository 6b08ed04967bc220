//! What a container uses, sample by sample.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;

use jiff::Timestamp;
use kernel::cgroup::{Controller, IoEntry, Usage, Version};
use protocol::Phase;
use state::ContainerRow;

use super::lookup;
use super::top;
use crate::error::Result;
use crate::open::{Engine, Inner};
use crate::truth::{self, Now};

/// What a container used until a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// When; none of a container that does not run.
    pub time: Option<Timestamp>,
    /// Whether the cgroup hierarchy is the unified one: it counts less.
    pub unified: bool,
    /// Processors.
    pub cpu: CpuUsage,
    /// Memory.
    pub memory: MemoryUsage,
    /// Tasks now.
    pub pids: u64,
    /// Their limit; none for no limit.
    pub pids_limit: Option<u64>,
    /// Block devices: bytes.
    pub io_bytes: Vec<IoCount>,
    /// Block devices: requests.
    pub io_requests: Vec<IoCount>,
    /// By interface; none of a container without a network of its own.
    pub networks: BTreeMap<String, NetworkUsage>,
}

/// Times in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All of it.
    pub total: u64,
    /// By processor, where the kernel tells.
    pub per_cpu: Vec<u64>,
    /// That in the kernel.
    pub kernel: u64,
    /// That in programs.
    pub user: u64,
    /// The whole machine's.
    pub system: u64,
    /// How many processors the machine has.
    pub online: u32,
    /// Periods that the quota counted.
    pub periods: u64,
    /// Those in which it stopped the container.
    pub throttled_periods: u64,
    /// For how long.
    pub throttled: u64,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Caches included.
    pub usage: u64,
    /// The most that it was.
    pub peak: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// The limit; the machine's memory if there is none.
    pub limit: u64,
    /// All that the kernel tells.
    pub details: BTreeMap<String, u64>,
}

/// What one block device did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoCount {
    /// Its major number.
    pub major: u64,
    /// Its minor number.
    pub minor: u64,
    /// `Read`, `Write`, …
    pub op: String,
    /// How much.
    pub value: u64,
}

/// What went over one interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkUsage {
    /// Bytes in.
    pub rx_bytes: u64,
    /// Packets in.
    pub rx_packets: u64,
    /// Those that were broken.
    pub rx_errors: u64,
    /// Those that were dropped.
    pub rx_dropped: u64,
    /// Bytes out.
    pub tx_bytes: u64,
    /// Packets out.
    pub tx_packets: u64,
    /// Those that were broken.
    pub tx_errors: u64,
    /// Those that were dropped.
    pub tx_dropped: u64,
}

/// A container whose use is read again and again.
#[derive(Debug, Clone)]
pub struct Meter {
    engine: Engine,
    row: ContainerRow,
}

pub(super) fn meter(engine: &Engine, name: &str) -> Result<Meter> {
    Ok(Meter {
        engine: engine.clone(),
        row: lookup::find(&engine.0, name)?,
    })
}

impl Meter {
    /// The container's id.
    #[must_use]
    pub fn id(&self) -> spec::ContainerId {
        self.row.id
    }

    /// The container's name when it was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// What it used until now: nothing if it does not run. None when it is gone.
    ///
    /// # Errors
    /// The kernel's files can't be read.
    pub async fn sample(&self) -> Result<Option<Sample>> {
        let row = self.row.clone();
        let step = move |engine: &Engine| sample(&engine.0, &row);
        self.engine.step(step).await
    }
}

fn sample(inner: &Inner, row: &ContainerRow) -> Result<Option<Sample>> {
    if inner.db.read(|tx| tx.container(&row.id))?.is_none() {
        return Ok(None);
    }
    let alive = match truth::look(inner, row)? {
        Now::Running(alive) if !matches!(alive.condition.phase, Phase::Restarting(_)) => alive,
        _ => return Ok(Some(Sample::default())),
    };
    let Some(group) = top::cgroup(inner, row)? else {
        return Ok(Some(Sample::default()));
    };
    let usage = match group.usage() {
        Ok(usage) => usage,
        // It ended while it was read.
        Err(_) if !truth::look(inner, row)?.is_alive() => return Ok(Some(Sample::default())),
        Err(error) => return Err(error.into()),
    };
    let unified = group.version_of(Controller::Memory) == Some(Version::V2);
    let stored = super::stored::Stored::parse(&row.id, &row.config)?;
    let networks = if stored.host.network_mode == "host" {
        BTreeMap::new()
    } else {
        // Of a process that has ended there is nothing to read.
        let text = fs::read_to_string(format!("/proc/{}/net/dev", alive.pid));
        interfaces(&text.unwrap_or_default())
    };
    let machine = Machine::read();
    Ok(Some(Sample {
        time: Some(inner.now()),
        unified,
        networks,
        ..shaped(usage, &machine)
    }))
}

/// What the whole machine did and has.
#[derive(Debug, Default)]
struct Machine {
    cpu: u64,
    online: u32,
    memory: u64,
}

impl Machine {
    fn read() -> Self {
        let (cpu, online) = processors(&fs::read_to_string("/proc/stat").unwrap_or_default());
        let info = rustix::system::sysinfo();
        Self {
            cpu,
            online,
            memory: u64::from(info.mem_unit).saturating_mul(info.totalram),
        }
    }
}

/// Nanoseconds of all processors, and how many there are, from `/proc/stat`.
fn processors(stat: &str) -> (u64, u32) {
    /// USER_HZ is 100 on all machines of ours.
    const TICK: u64 = 1_000_000_000 / 100;
    let mut total = 0;
    let mut online = 0;
    for line in stat.lines().take_while(|line| line.starts_with("cpu")) {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("cpu") {
            // Time of guests, which comes after these, is in that of programs already.
            let times = words.take(8).filter_map(|word| word.parse::<u64>().ok());
            total = times.sum::<u64>() * TICK;
        } else {
            online += 1;
        }
    }
    (total, online)
}

fn shaped(usage: Usage, machine: &Machine) -> Sample {
    let count = |entry: IoEntry| IoCount {
        major: entry.major,
        minor: entry.minor,
        op: entry.op,
        value: entry.value,
    };
    let Usage {
        cpu, memory, io, ..
    } = usage;
    Sample {
        cpu: CpuUsage {
            total: cpu.total,
            per_cpu: cpu.per_cpu,
            kernel: cpu.kernel,
            user: cpu.user,
            system: machine.cpu,
            online: machine.online,
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled: cpu.throttled,
        },
        memory: MemoryUsage {
            usage: memory.memory.usage,
            peak: memory.memory.peak,
            failures: memory.memory.failures,
            limit: memory
                .memory
                .limit
                .filter(|limit| *limit < machine.memory)
                .unwrap_or(machine.memory),
            details: memory.details,
        },
        pids: usage.pids.usage,
        pids_limit: usage.pids.limit,
        io_bytes: io.bytes.into_iter().map(count).collect(),
        io_requests: io.requests.into_iter().map(count).collect(),
        ..Sample::default()
    }
}

/// The interfaces of `/proc/net/dev`, without the one that leads nowhere.
fn interfaces(text: &str) -> BTreeMap<String, NetworkUsage> {
    let interface = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let counts: Vec<u64> = counts
            .split_ascii_whitespace()
            .map(|word| word.parse().unwrap_or(0))
            .collect();
        let at = |index: usize| counts.get(index).copied().unwrap_or(0);
        let usage = NetworkUsage {
            rx_bytes: at(0),
            rx_packets: at(1),
            rx_errors: at(2),
            rx_dropped: at(3),
            tx_bytes: at(8),
            tx_packets: at(9),
            tx_errors: at(10),
            tx_dropped: at(11),
        };
        Some((name.trim().to_owned(), usage))
    };
    let all = text.lines().skip(2).filter_map(interface);
    all.filter(|(name, _)| name != "lo").collect()
}
