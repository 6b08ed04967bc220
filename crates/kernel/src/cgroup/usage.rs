//! All that the controllers of a group count, of both versions.

use std::collections::BTreeMap;

use super::group::value_of;
use super::{Cgroup, Controller, Version};
use crate::Result;

/// What a group used, limit by limit. [`super::Stats`] is the short form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time.
    pub cpu: CpuUsage,
    /// Memory.
    pub memory: MemoryUsage,
    /// Processes and threads.
    pub pids: Counted,
    /// Block devices.
    pub io: IoUsage,
    /// Large pages, by size (`2MB`).
    pub huge_pages: BTreeMap<String, Counted>,
    /// Remote direct memory access, by device.
    pub rdma: BTreeMap<String, RdmaUsage>,
}

/// Processor time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUsage {
    /// All of it.
    pub total: u64,
    /// That in programs.
    pub user: u64,
    /// That in the kernel.
    pub kernel: u64,
    /// By processor: all, and that in the kernel and in programs where it is told (version 1 only).
    pub per_cpu: Vec<u64>,
    /// That in the kernel, by processor.
    pub per_cpu_kernel: Vec<u64>,
    /// That in programs, by processor.
    pub per_cpu_user: Vec<u64>,
    /// Periods that the quota counted.
    pub periods: u64,
    /// Those in which the quota stopped the group.
    pub throttled_periods: u64,
    /// How long it was stopped.
    pub throttled: u64,
    /// How long tasks waited for a processor (version 2, Linux 4.20 with PSI).
    pub pressure: Option<Pressure>,
}

/// Something that is counted and may be limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Now.
    pub usage: u64,
    /// The most that it was.
    pub peak: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// The limit; `None` for none.
    pub limit: Option<u64>,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryUsage {
    /// Memory.
    pub memory: Counted,
    /// Memory and swap together in version 1, swap alone in version 2.
    pub swap: Counted,
    /// The kernel's (version 1).
    pub kernel: Counted,
    /// That of TCP buffers (version 1).
    pub kernel_tcp: Counted,
    /// Page cache.
    pub cache: u64,
    /// The file `memory.stat`.
    pub details: BTreeMap<String, u64>,
    /// How long tasks waited for memory.
    pub pressure: Option<Pressure>,
}

/// What one block device did for the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoEntry {
    /// Its major number.
    pub major: u64,
    /// Its minor number.
    pub minor: u64,
    /// `Read`, `Write`, and in version 1 also `Sync`, `Async`, `Discard`, `Total`.
    pub op: String,
    /// How much.
    pub value: u64,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IoUsage {
    /// Bytes.
    pub bytes: Vec<IoEntry>,
    /// Requests.
    pub requests: Vec<IoEntry>,
    /// Requests that wait (version 1 with CFQ or BFQ).
    pub queued: Vec<IoEntry>,
    /// Nanoseconds of service (version 1 with CFQ or BFQ).
    pub service_time: Vec<IoEntry>,
    /// Nanoseconds of waiting (version 1 with CFQ or BFQ).
    pub wait_time: Vec<IoEntry>,
    /// Requests that were merged (version 1 with CFQ or BFQ).
    pub merged: Vec<IoEntry>,
    /// How long tasks waited for devices.
    pub pressure: Option<Pressure>,
}

/// Handles and objects of one device; `None` of a limit is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RdmaUsage {
    /// Handles in use.
    pub handles: u64,
    /// Objects in use.
    pub objects: u64,
    /// The limit of handles.
    pub handles_limit: Option<u64>,
    /// The limit of objects.
    pub objects_limit: Option<u64>,
}

/// Pressure stall information: Documentation/accounting/psi.rst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// When some tasks waited.
    pub some: Stall,
    /// When all did.
    pub full: Stall,
}

/// Shares of time in percent, and all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// Of the last ten seconds.
    pub avg10: f64,
    /// Of the last minute.
    pub avg60: f64,
    /// Of the last five minutes.
    pub avg300: f64,
    /// Microseconds since the group was made.
    pub total: u64,
}

impl Cgroup {
    /// All that the group used. What its controllers don't count is 0 or empty.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn usage(&self) -> Result<Usage> {
        let stats = self.stats()?;
        let mut usage = Usage {
            pids: self.counted(
                Controller::Pids,
                ["pids.current", "pids.peak", "", "pids.max"],
            )?,
            ..Usage::default()
        };
        usage.cpu = CpuUsage {
            total: stats.cpu_total,
            user: stats.cpu_user,
            kernel: stats.cpu_system,
            periods: stats.cpu_periods,
            throttled_periods: stats.cpu_throttled_periods,
            throttled: stats.cpu_throttled,
            pressure: self.pressure(Controller::Cpu, "cpu.pressure")?,
            ..self.per_cpu()?
        };
        usage.memory = self.memory_usage()?;
        usage.io = self.io_usage()?;
        usage.huge_pages = self.huge_page_usage()?;
        usage.rdma = self.rdma_usage()?;
        Ok(usage)
    }

    fn text(&self, controller: Controller, file: &str) -> Result<String> {
        Ok(self.read(controller, file)?.unwrap_or_default())
    }

    /// Usage, peak, failures and limit from the files that have them; an empty name is none.
    fn counted(&self, controller: Controller, files: [&str; 4]) -> Result<Counted> {
        let mut numbers = [None; 4];
        for (number, file) in numbers.iter_mut().zip(files) {
            if !file.is_empty() {
                *number = self.text(controller, file)?.trim().parse::<u64>().ok();
            }
        }
        let [usage, peak, failures, limit] = numbers;
        Ok(Counted {
            usage: usage.unwrap_or(0),
            peak: peak.unwrap_or(0),
            failures: failures.unwrap_or(0),
            // Version 1 writes "no limit" as the largest multiple of a page.
            limit: limit.filter(|limit| *limit < i64::MAX.unsigned_abs() / 2),
        })
    }

    fn per_cpu(&self) -> Result<CpuUsage> {
        let numbers = |text: &str| -> Vec<u64> {
            text.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        };
        if self.version_of(Controller::CpuAcct) != Some(Version::V1) {
            return Ok(CpuUsage::default());
        }
        let all = self.text(Controller::CpuAcct, "cpuacct.usage_percpu")?;
        let mut usage = CpuUsage {
            per_cpu: numbers(&all),
            ..CpuUsage::default()
        };
        // "cpu user system", then a line for each.
        let each = self.text(Controller::CpuAcct, "cpuacct.usage_all")?;
        for line in each.lines().skip(1) {
            if let [_, user, system] = numbers(line)[..] {
                usage.per_cpu_user.push(user);
                usage.per_cpu_kernel.push(system);
            }
        }
        Ok(usage)
    }

    fn memory_usage(&self) -> Result<MemoryUsage> {
        const MEMORY: Controller = Controller::Memory;
        let details = pairs(&self.text(MEMORY, "memory.stat")?);
        let detail = |key: &str| details.get(key).copied().unwrap_or(0);
        let mut usage = match self.version_of(MEMORY) {
            None => return Ok(MemoryUsage::default()),
            Some(Version::V1) => {
                let files = |kind: &str| {
                    let file = |name| format!("memory.{kind}{name}");
                    [
                        file("usage_in_bytes"),
                        file("max_usage_in_bytes"),
                        file("failcnt"),
                        file("limit_in_bytes"),
                    ]
                };
                let counted = |kind| self.counted(MEMORY, files(kind).each_ref().map(|f| &**f));
                MemoryUsage {
                    memory: counted("")?,
                    swap: counted("memsw.")?,
                    kernel: counted("kmem.")?,
                    kernel_tcp: counted("kmem.tcp.")?,
                    cache: detail("cache"),
                    ..MemoryUsage::default()
                }
            }
            Some(Version::V2) => {
                let events = self.text(MEMORY, "memory.events")?;
                let swap_events = self.text(MEMORY, "memory.swap.events")?;
                let files = ["memory.current", "memory.peak", "", "memory.max"];
                let swap = [
                    "memory.swap.current",
                    "memory.swap.peak",
                    "",
                    "memory.swap.max",
                ];
                MemoryUsage {
                    memory: Counted {
                        failures: value_of(&events, "max").unwrap_or(0),
                        ..self.counted(MEMORY, files)?
                    },
                    swap: Counted {
                        failures: value_of(&swap_events, "max").unwrap_or(0),
                        ..self.counted(MEMORY, swap)?
                    },
                    cache: detail("file"),
                    pressure: self.pressure(MEMORY, "memory.pressure")?,
                    ..MemoryUsage::default()
                }
            }
        };
        usage.details = details;
        Ok(usage)
    }

    fn io_usage(&self) -> Result<IoUsage> {
        const IO: Controller = Controller::Io;
        if self.version_of(IO) == Some(Version::V1) {
            // BFQ's files where it is in use, else the throttler's.
            let first = |files: &[&str]| -> Result<Vec<IoEntry>> {
                let read = |file: &&str| self.text(IO, file).map(|text| io_lines(&text));
                let found = files.iter().map(read);
                let mut found = found.skip_while(|it| it.as_ref().is_ok_and(Vec::is_empty));
                found.next().unwrap_or_else(|| Ok(Vec::new()))
            };
            return Ok(IoUsage {
                bytes: first(&[
                    "blkio.bfq.io_service_bytes_recursive",
                    "blkio.throttle.io_service_bytes_recursive",
                    "blkio.throttle.io_service_bytes",
                ])?,
                requests: first(&[
                    "blkio.bfq.io_serviced_recursive",
                    "blkio.throttle.io_serviced_recursive",
                    "blkio.throttle.io_serviced",
                ])?,
                queued: first(&["blkio.bfq.io_queued_recursive"])?,
                service_time: first(&["blkio.bfq.io_service_time_recursive"])?,
                wait_time: first(&["blkio.bfq.io_wait_time_recursive"])?,
                merged: first(&["blkio.bfq.io_merged_recursive"])?,
                pressure: None,
            });
        }
        let mut usage = IoUsage {
            pressure: self.pressure(IO, "io.pressure")?,
            ..IoUsage::default()
        };
        // "8:0 rbytes=4096 wbytes=0 rios=1 …"
        for line in self.text(IO, "io.stat")?.lines() {
            let mut words = line.split(' ');
            let Some((major, minor)) = words.next().and_then(device) else {
                continue;
            };
            for (key, value) in words.filter_map(|word| word.split_once('=')) {
                let (list, op) = match key {
                    "rbytes" => (&mut usage.bytes, "Read"),
                    "wbytes" => (&mut usage.bytes, "Write"),
                    "rios" => (&mut usage.requests, "Read"),
                    "wios" => (&mut usage.requests, "Write"),
                    _ => continue,
                };
                list.push(IoEntry {
                    major,
                    minor,
                    op: op.to_owned(),
                    value: value.parse().unwrap_or(0),
                });
            }
        }
        Ok(usage)
    }

    fn huge_page_usage(&self) -> Result<BTreeMap<String, Counted>> {
        const HUGE: Controller = Controller::HugeTlb;
        let mut all = BTreeMap::new();
        let Some(version) = self.version_of(HUGE) else {
            return Ok(all);
        };
        for size in page_sizes() {
            let name = |file: &str| format!("hugetlb.{size}.{file}");
            let names = match version {
                Version::V1 => [
                    "usage_in_bytes",
                    "max_usage_in_bytes",
                    "failcnt",
                    "limit_in_bytes",
                ]
                .map(name),
                Version::V2 => ["current", "", "", "max"].map(name),
            };
            let mut counted = self.counted(HUGE, names.each_ref().map(|name| &**name))?;
            if version == Version::V2 {
                let events = self.text(HUGE, &name("events"))?;
                counted.failures = value_of(&events, "max").unwrap_or(0);
            }
            all.insert(size, counted);
        }
        Ok(all)
    }

    fn rdma_usage(&self) -> Result<BTreeMap<String, RdmaUsage>> {
        const RDMA: Controller = Controller::Rdma;
        let mut all: BTreeMap<String, RdmaUsage> = BTreeMap::new();
        for (name, [handles, objects]) in rdma_lines(&self.text(RDMA, "rdma.current")?) {
            let one = all.entry(name).or_default();
            one.handles = handles.unwrap_or(0);
            one.objects = objects.unwrap_or(0);
        }
        for (name, [handles, objects]) in rdma_lines(&self.text(RDMA, "rdma.max")?) {
            let one = all.entry(name).or_default();
            one.handles_limit = handles;
            one.objects_limit = objects;
        }
        Ok(all)
    }

    fn pressure(&self, controller: Controller, file: &str) -> Result<Option<Pressure>> {
        if self.version_of(controller) != Some(Version::V2) {
            return Ok(None);
        }
        match self.read(controller, file) {
            Ok(text) => Ok(text.as_deref().and_then(pressure)),
            // Switched off at boot: psi=0.
            Err(error) if error.errno() == rustix::io::Errno::OPNOTSUPP => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Sizes of large pages that the machine has, as cgroup files name them.
fn page_sizes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else {
        return Vec::new();
    };
    let kilobytes = |name: &str| -> Option<u64> {
        name.strip_prefix("hugepages-")?
            .strip_suffix("kB")?
            .parse()
            .ok()
    };
    entries
        .filter_map(|entry| kilobytes(entry.ok()?.file_name().to_str()?))
        .map(|kilobytes| match kilobytes {
            k if k >= 1 << 20 => format!("{}GB", k >> 20),
            k if k >= 1 << 10 => format!("{}MB", k >> 10),
            k => format!("{k}KB"),
        })
        .collect()
}

fn pairs(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// "8:0 Read 4096"; the last line is a total without device.
fn io_lines(text: &str) -> Vec<IoEntry> {
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let (major, minor) = device(words.next()?)?;
        let op = words.next()?.to_owned();
        let value = words.next()?.trim().parse().ok()?;
        Some(IoEntry {
            major,
            minor,
            op,
            value,
        })
    };
    text.lines().filter_map(entry).collect()
}

/// "mlx4_0 hca_handle=2 hca_object=max"
fn rdma_lines(text: &str) -> Vec<(String, [Option<u64>; 2])> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let value = |key: &str| {
            let word = rest
                .split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))?;
            word.parse().ok()
        };
        Some((name.to_owned(), [value("hca_handle"), value("hca_object")]))
    };
    text.lines().filter_map(line).collect()
}

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full".
fn pressure(text: &str) -> Option<Pressure> {
    let stall = |kind: &str| -> Option<Stall> {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let value = |key: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        };
        Some(Stall {
            avg10: value("avg10")?.parse().ok()?,
            avg60: value("avg60")?.parse().ok()?,
            avg300: value("avg300")?.parse().ok()?,
            total: value("total")?.parse().ok()?,
        })
    };
    Some(Pressure {
        some: stall("some")?,
        // Linux before 5.13 has none for processors.
        full: stall("full").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::{io_lines, pairs, pressure, rdma_lines};

    #[test]
    fn files_of_both_versions_are_read() {
        let lines = io_lines("8:0 Read 4096\n8:0 Write 1\nTotal 4097\n");
        let values: Vec<_> = lines.iter().map(|l| (l.major, &*l.op, l.value)).collect();
        assert_eq!(values, [(8, "Read", 4096), (8, "Write", 1)]);
        let rdma = rdma_lines("mlx4_0 hca_handle=2 hca_object=max\n");
        assert_eq!(rdma, [("mlx4_0".to_owned(), [Some(2), None])]);
        assert_eq!(pairs("anon 5\nbad\nfile x\n").get("anon"), Some(&5));
        let text = "some avg10=1.50 avg60=0.00 avg300=0.25 total=77\n";
        let read = pressure(text).unwrap();
        assert!((read.some.avg10 - 1.5).abs() < 1e-9);
        assert_eq!((read.some.total, read.full.total), (77, 0));
        assert_eq!(pressure("nonsense"), None);
    }
}
