//! What a container uses, in the words of runc's `events`: the files of both versions, as version 1 would tell them.

use std::collections::BTreeMap;

use kernel::Result;
use kernel::cgroup::{Cgroup, Controller, Version};
use serde::Serialize;

mod block;
mod memory;
mod processor;

use block::Blkio;
use memory::Memory;
use processor::{Cpu, CpuSet};

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    cpu: Cpu,
    cpuset: CpuSet,
    memory: Memory,
    pids: Pids,
    blkio: Blkio,
    hugetlb: BTreeMap<String, Hugetlb>,
    intel_rdt: BTreeMap<String, String>,
    /// The runtime makes none.
    network_interfaces: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize)]
struct Pids {
    #[serde(skip_serializing_if = "is_zero")]
    current: u64,
    /// 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    limit: u64,
}

#[derive(Debug, Default, Serialize)]
struct Hugetlb {
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

/// Pressure: how long tasks waited for a resource.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Psi {
    some: PsiLine,
    full: PsiLine,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct PsiLine {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

impl Stats {
    pub(crate) fn of(group: &Cgroup) -> Result<Self> {
        let files = Files(group);
        Ok(Self {
            cpu: Cpu::of(&files)?,
            cpuset: CpuSet::of(&files)?,
            memory: Memory::of(&files)?,
            pids: Pids {
                current: files.number(Controller::Pids, "pids.current")?,
                limit: match files.text(Controller::Pids, "pids.max")?.trim() {
                    "max" => 0,
                    other => other.parse().unwrap_or(0),
                },
            },
            blkio: Blkio::of(&files)?,
            hugetlb: hugetlb(&files)?,
            intel_rdt: BTreeMap::new(),
            network_interfaces: None,
        })
    }
}

/// The files of a group. What isn't there reads as nothing.
struct Files<'a>(&'a Cgroup);

impl Files<'_> {
    fn version(&self, controller: Controller) -> Option<Version> {
        self.0.version_of(controller)
    }

    fn text(&self, controller: Controller, file: &str) -> Result<String> {
        Ok(self.0.read(controller, file)?.unwrap_or_default())
    }

    /// A file with one number; "max" is the largest there is.
    fn number(&self, controller: Controller, file: &str) -> Result<u64> {
        Ok(number(&self.text(controller, file)?))
    }

    /// A file of lines `key number`.
    fn numbers(&self, controller: Controller, file: &str) -> Result<BTreeMap<String, u64>> {
        let text = self.text(controller, file)?;
        let pairs = text.lines().filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        });
        Ok(pairs.collect())
    }

    fn psi(&self, controller: Controller, file: &str) -> Result<Option<Psi>> {
        if self.version(controller) != Some(Version::V2) {
            return Ok(None);
        }
        // EOPNOTSUPP where the kernel was booted without.
        let text = self.0.read(controller, file).ok().flatten();
        Ok(text.as_deref().and_then(psi))
    }
}

fn number(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        other => other.parse().unwrap_or(0),
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and a line `full` likewise.
fn psi(text: &str) -> Option<Psi> {
    let mut psi = Psi::default();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ')?;
        let mut read = PsiLine::default();
        for word in rest.split(' ') {
            match word.split_once('=')? {
                ("avg10", value) => read.avg10 = value.parse().ok()?,
                ("avg60", value) => read.avg60 = value.parse().ok()?,
                ("avg300", value) => read.avg300 = value.parse().ok()?,
                ("total", value) => read.total = value.parse().ok()?,
                _ => {}
            }
        }
        match kind {
            "some" => psi.some = read,
            "full" => psi.full = read,
            _ => {}
        }
    }
    (!text.is_empty()).then_some(psi)
}

fn hugetlb(files: &Files<'_>) -> Result<BTreeMap<String, Hugetlb>> {
    const HUGE: Controller = Controller::HugeTlb;
    let Some(version) = files.version(HUGE) else {
        return Ok(BTreeMap::new());
    };
    let mut all = BTreeMap::new();
    for size in page_sizes() {
        let stats = match version {
            Version::V1 => Hugetlb {
                usage: files.number(HUGE, &format!("hugetlb.{size}.usage_in_bytes"))?,
                max: files.number(HUGE, &format!("hugetlb.{size}.max_usage_in_bytes"))?,
                failcnt: files.number(HUGE, &format!("hugetlb.{size}.failcnt"))?,
            },
            Version::V2 => Hugetlb {
                usage: files.number(HUGE, &format!("hugetlb.{size}.current"))?,
                max: 0,
                failcnt: files
                    .numbers(HUGE, &format!("hugetlb.{size}.events"))?
                    .remove("max")
                    .unwrap_or(0),
            },
        };
        all.insert(size, stats);
    }
    Ok(all)
}

/// The sizes of large pages as cgroups name them: `2MB`, `1GB`.
fn page_sizes() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/kernel/mm/hugepages");
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| page_size(&entry.file_name().to_string_lossy()))
        .collect()
}

/// `hugepages-2048kB` is `2MB`.
fn page_size(name: &str) -> Option<String> {
    let kib: u64 = name
        .strip_prefix("hugepages-")?
        .strip_suffix("kB")?
        .parse()
        .ok()?;
    Some(match kib {
        _ if kib.is_multiple_of(1 << 20) => format!("{}GB", kib >> 20),
        _ if kib.is_multiple_of(1 << 10) => format!("{}MB", kib >> 10),
        _ => format!("{kib}KB"),
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_and_page_sizes_are_read() {
        let text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.25 total=7\n";
        let psi = psi(text).unwrap();
        assert_eq!((psi.some.avg10, psi.some.total), (1.5, 12));
        assert_eq!((psi.full.avg300, psi.full.total), (0.25, 7));
        assert_eq!(super::psi(""), None);
        assert_eq!(page_size("hugepages-2048kB").unwrap(), "2MB");
        assert_eq!(page_size("hugepages-1048576kB").unwrap(), "1GB");
        assert_eq!(page_size("hugepages-64kB").unwrap(), "64KB");
        assert_eq!(number("max\n"), u64::MAX);
    }
}
