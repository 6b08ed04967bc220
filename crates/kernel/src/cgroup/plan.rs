//! From limits to writes.

use super::{Controller, DeviceRule, Layout, Resources, Throttle, Version};
use crate::{Error, Result};

mod traffic;

/// The period where only a quota was asked for: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// Files that decide about processes and not about what they may use.
const RESERVED: [&str; 6] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.kill",
    "cgroup.freeze",
    "cgroup.type",
    "cgroup.subtree_control",
];

/// What is written into one file of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// In the hierarchy of this controller.
    pub controller: Controller,
    /// The file.
    pub file: String,
    /// Its content.
    pub value: String,
    /// Whether it may be missing.
    pub need: Need,
}

/// What it means if the file of a write does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The limit can't be had, which is an error.
    Must,
    /// The kernel was built or booted without it, as Docker accepts of swap accounting.
    MayLack,
}

/// All writes for a group on one host, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The writes.
    pub writes: Vec<Write>,
    /// The rules of the BPF program that takes the place of version 1's `devices`; `None` where that is, or without rules.
    pub device_program: Option<Vec<DeviceRule>>,
    /// Controllers that must be enabled for the writes.
    pub controllers: Vec<Controller>,
}

impl Plan {
    /// The writes that make `resources` so on a host with `layout`.
    ///
    /// # Errors
    /// A limit was asked whose controller the host does not have, or limits contradict each other.
    pub fn new(resources: &Resources, layout: &Layout) -> Result<Self> {
        let mut planner = Planner {
            layout,
            writes: Vec::new(),
        };
        planner.memory(resources)?;
        planner.cpu(resources)?;
        planner.cpuset(resources)?;
        planner.pids(resources)?;
        planner.io(resources)?;
        planner.huge_pages(resources)?;
        planner.traffic(resources)?;
        let device_program = planner.devices(&resources.devices)?;
        planner.unified(&resources.unified)?;
        let mut controllers: Vec<_> = planner
            .writes
            .iter()
            .map(|write| write.controller)
            .collect();
        controllers.sort_unstable();
        controllers.dedup();
        Ok(Self {
            writes: planner.writes,
            device_program,
            controllers,
        })
    }
}

struct Planner<'a> {
    layout: &'a Layout,
    writes: Vec<Write>,
}

impl Planner<'_> {
    fn write(&mut self, controller: Controller, file: &str, value: impl ToString) {
        self.write_need(controller, file, value, Need::Must);
    }

    fn write_need(&mut self, controller: Controller, file: &str, value: impl ToString, need: Need) {
        let (file, value) = (file.to_owned(), value.to_string());
        self.writes.push(Write {
            controller,
            file,
            value,
            need,
        });
    }

    /// The version that has the controller of a limit that was asked for.
    fn version(&self, controller: Controller, what: &'static str) -> Result<Version> {
        self.layout.version_of(controller).ok_or_else(|| {
            let why = format!("this host has no {controller} cgroup controller");
            Error::unsupported("set", what, why)
        })
    }

    fn memory(&mut self, resources: &Resources) -> Result<()> {
        const MEMORY: Controller = Controller::Memory;
        let positive = |value: Option<i64>| value.filter(|value| *value != 0);
        let limit = positive(resources.memory_limit);
        let mut swap = positive(resources.memory_swap);
        if limit == Some(-1) && swap.is_none() {
            // Without memory limit a swap limit has no meaning; what was set before goes too.
            swap = resources.memory_limit;
        }
        let limited = |value: Option<i64>| value.is_some_and(|value| value > 0);
        let reservation = positive(resources.memory_reservation);
        let asked = limited(limit) || limited(swap) || limited(reservation);
        let version = match self.layout.version_of(MEMORY) {
            Some(version) => version,
            None if !asked => return Ok(()),
            None => self.version(MEMORY, "memory limit")?,
        };
        match version {
            Version::V1 => {
                if let Some(limit) = limit {
                    self.write(MEMORY, "memory.limit_in_bytes", limit);
                }
                if let Some(swap) = swap {
                    self.write_need(MEMORY, "memory.memsw.limit_in_bytes", swap, Need::MayLack);
                }
                if let Some(reservation) = reservation {
                    self.write(MEMORY, "memory.soft_limit_in_bytes", reservation);
                }
                if let Some(swappiness) = resources.memory_swappiness {
                    self.write(MEMORY, "memory.swappiness", swappiness);
                }
                if let Some(limit) = positive(resources.memory_kernel_tcp) {
                    self.write(MEMORY, "memory.kmem.tcp.limit_in_bytes", limit);
                }
                if resources.disable_oom_killer == Some(true) {
                    self.write(MEMORY, "memory.oom_control", 1);
                }
            }
            Version::V2 => {
                if let Some(only) = swap_only(limit, swap)? {
                    self.write_need(MEMORY, "memory.swap.max", only, Need::MayLack);
                }
                if let Some(limit) = limit {
                    self.write(MEMORY, "memory.max", or_max(limit));
                }
                if let Some(reservation) = reservation {
                    self.write(MEMORY, "memory.low", or_max(reservation));
                }
            }
        }
        Ok(())
    }

    fn cpu(&mut self, resources: &Resources) -> Result<()> {
        const CPU: Controller = Controller::Cpu;
        let shares = resources.cpu_shares.filter(|shares| *shares != 0);
        let quota = resources.cpu_quota.filter(|quota| *quota != 0);
        let period = resources.cpu_period.filter(|period| *period != 0);
        let realtime = (
            resources.cpu_realtime_period,
            resources.cpu_realtime_runtime,
        );
        let asked = shares.is_some()
            || quota.is_some_and(|quota| quota > 0)
            || resources.cpu_burst.is_some()
            || resources.cpu_idle.is_some()
            || realtime != (None, None);
        let version = match self.layout.version_of(CPU) {
            Some(version) => version,
            None if !asked => return Ok(()),
            None => self.version(CPU, "cpu limit")?,
        };
        let idle = resources.cpu_idle;
        match version {
            Version::V1 => {
                for (file, value) in [
                    ("cpu.idle", idle.map(|idle| idle.to_string())),
                    // An idle group's shares can't be set.
                    (
                        "cpu.shares",
                        shares.filter(|_| idle != Some(1)).map(|it| it.to_string()),
                    ),
                    ("cpu.rt_period_us", realtime.0.map(|it| it.to_string())),
                    ("cpu.rt_runtime_us", realtime.1.map(|it| it.to_string())),
                    ("cpu.cfs_period_us", period.map(|it| it.to_string())),
                    ("cpu.cfs_quota_us", quota.map(|it| it.to_string())),
                    (
                        "cpu.cfs_burst_us",
                        resources.cpu_burst.map(|it| it.to_string()),
                    ),
                ] {
                    if let Some(value) = value {
                        self.write(CPU, file, value);
                    }
                }
            }
            Version::V2 => {
                if realtime != (None, None) {
                    let why = "cgroup version 2 has no real-time limits";
                    return Err(Error::unsupported("set", "cpu real-time limit", why));
                }
                if let Some(idle) = idle {
                    self.write(CPU, "cpu.idle", idle);
                }
                if let Some(shares) = shares.filter(|_| idle != Some(1)) {
                    self.write(CPU, "cpu.weight", weight_of_shares(shares));
                }
                if quota.is_some() || period.is_some() {
                    let quota = quota.filter(|quota| *quota > 0);
                    let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
                    let period = period.unwrap_or(CPU_PERIOD);
                    self.write(CPU, "cpu.max", format!("{quota} {period}"));
                }
                if let Some(burst) = resources.cpu_burst {
                    self.write(CPU, "cpu.max.burst", burst);
                }
            }
        }
        Ok(())
    }

    fn cpuset(&mut self, resources: &Resources) -> Result<()> {
        let files = [
            ("cpuset.cpus", &resources.cpuset_cpus),
            ("cpuset.mems", &resources.cpuset_mems),
        ];
        for (file, value) in files.into_iter().filter(|(_, value)| !value.is_empty()) {
            let set = value
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b",-".contains(&byte));
            if !set {
                return Err(Error::invalid(
                    "set",
                    format!("{file} {value}"),
                    "not a list of ranges",
                ));
            }
            self.version(Controller::CpuSet, "cpuset")?;
            self.write(Controller::CpuSet, file, value);
        }
        Ok(())
    }

    fn pids(&mut self, resources: &Resources) -> Result<()> {
        let Some(limit) = resources.pids_limit else {
            return Ok(());
        };
        if limit <= 0 && self.layout.version_of(Controller::Pids).is_none() {
            return Ok(());
        }
        self.version(Controller::Pids, "pids limit")?;
        let value = if limit > 0 {
            limit.to_string()
        } else {
            "max".to_owned()
        };
        self.write(Controller::Pids, "pids.max", value);
        Ok(())
    }

    fn io(&mut self, resources: &Resources) -> Result<()> {
        const IO: Controller = Controller::Io;
        let weight = resources.io_weight.filter(|weight| *weight != 0);
        let throttles = [
            (&resources.io_read_bps, "read_bps", "rbps"),
            (&resources.io_write_bps, "write_bps", "wbps"),
            (&resources.io_read_iops, "read_iops", "riops"),
            (&resources.io_write_iops, "write_iops", "wiops"),
        ];
        let leaf = resources.io_leaf_weight.filter(|weight| *weight != 0);
        let any = weight.is_some()
            || leaf.is_some()
            || !resources.io_weight_device.is_empty()
            || throttles.iter().any(|(list, _, _)| !list.is_empty());
        if !any {
            return Ok(());
        }
        let version = self.version(IO, "block device limit")?;
        // Weights are the BFQ scheduler's, else CFQ's (version 1) or iocost's (version 2). Without any of them Docker goes on with a warning.
        if let Some(weight) = weight {
            let (other, converted) = match version {
                Version::V1 => ("blkio.weight", u64::from(weight)),
                Version::V2 => ("io.weight", io_weight(weight)),
            };
            let bfq = if version == Version::V1 {
                "blkio.bfq.weight"
            } else {
                "io.bfq.weight"
            };
            self.write_need(IO, bfq, weight, Need::MayLack);
            self.write_need(IO, other, converted, Need::MayLack);
        }
        self.leaf_weights(version, leaf, &resources.io_weight_device)?;
        for device in &resources.io_weight_device {
            let Some(weight) = device.weight else {
                continue;
            };
            let file = match version {
                Version::V1 => "blkio.bfq.weight_device",
                Version::V2 => "io.bfq.weight",
            };
            let value = format!("{}:{} {weight}", device.major, device.minor);
            self.write_need(IO, file, value, Need::MayLack);
        }
        for (list, old, new) in throttles {
            for Throttle { major, minor, rate } in list {
                if version == Version::V1 {
                    let file = format!("blkio.throttle.{old}_device");
                    self.write(IO, &file, format!("{major}:{minor} {rate}"));
                    continue;
                }
                // Version 1 lifts a limit by 0, version 2 by this word.
                let rate = rate.to_string();
                let rate = if rate == "0" { "max" } else { &rate };
                self.write(IO, "io.max", format!("{major}:{minor} {new}={rate}"));
            }
        }
        Ok(())
    }

    fn huge_pages(&mut self, resources: &Resources) -> Result<()> {
        for limit in &resources.huge_pages {
            let size = &limit.page_size;
            if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(Error::invalid(
                    "set",
                    format!("huge pages of {size}"),
                    "not a size",
                ));
            }
            let (plain, reserved) = match self.version(Controller::HugeTlb, "huge page limit")? {
                Version::V1 => ("limit_in_bytes", "rsvd.limit_in_bytes"),
                Version::V2 => ("max", "rsvd.max"),
            };
            self.write(
                Controller::HugeTlb,
                &format!("hugetlb.{size}.{plain}"),
                limit.limit,
            );
            // Reservations are counted since Linux 5.7.
            let file = format!("hugetlb.{size}.{reserved}");
            self.write_need(Controller::HugeTlb, &file, limit.limit, Need::MayLack);
        }
        Ok(())
    }

    fn devices(&mut self, rules: &[DeviceRule]) -> Result<Option<Vec<DeviceRule>>> {
        if rules.is_empty() {
            return Ok(None);
        }
        match self.version(Controller::Devices, "device rules")? {
            Version::V2 => Ok(Some(rules.to_vec())),
            Version::V1 => {
                for rule in rules {
                    for text in rule.texts() {
                        self.write(Controller::Devices, rule.permit.file(), text);
                    }
                }
                Ok(None)
            }
        }
    }

    fn unified(&mut self, files: &[(String, String)]) -> Result<()> {
        for (file, value) in files {
            let shown = || format!("unified {file}");
            let prefix = file.split('.').next().unwrap_or_default();
            let plain = file.contains('.')
                && file
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
            // The files of the hierarchy itself are where freezing is.
            let controller = match prefix {
                "cgroup" => Some(Controller::Freezer),
                _ => Controller::parse(prefix),
            };
            let controller = controller.filter(|_| plain && !RESERVED.contains(&file.as_str()));
            let Some(controller) = controller else {
                return Err(Error::invalid("set", shown(), "not a file of a controller"));
            };
            if self.layout.version_of(controller) != Some(Version::V2) {
                let why = format!("this host has no {controller} controller of cgroup version 2");
                return Err(Error::unsupported("set", shown(), why));
            }
            self.write(controller, file, value);
        }
        Ok(())
    }
}

fn or_max(value: i64) -> String {
    if value < 0 {
        "max".to_owned()
    } else {
        value.to_string()
    }
}

/// Version 2 counts swap alone, the specification memory and swap together.
fn swap_only(limit: Option<i64>, swap: Option<i64>) -> Result<Option<String>> {
    const OP: &str = "set";
    let Some(swap) = swap else {
        return Ok(None);
    };
    if swap < 0 {
        return Ok(Some("max".to_owned()));
    }
    match limit {
        Some(limit) if limit > 0 && swap >= limit => Ok(Some((swap - limit).to_string())),
        Some(limit) if limit > 0 => Err(Error::invalid(
            OP,
            "swap limit",
            "memory and swap together are below the memory limit",
        )),
        _ => Err(Error::invalid(OP, "swap limit", "needs a memory limit")),
    }
}

/// From shares (2 to 262144, default 1024) to a weight (1 to 10000, default 100): runc's curve, on which both ends and both defaults lie.
pub(super) fn weight_of_shares(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    // Below 2^53, so exact.
    #[expect(clippy::cast_precision_loss, reason = "at most 262144")]
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 10000"
    )]
    let weight = 10_f64.powf(exponent).ceil() as u64;
    weight
}

/// From 10–1000 to 1–10000, as runc.
pub(super) fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight).saturating_sub(10)) * 9999 / 990
}
