//! Memory.

use std::collections::BTreeMap;

use kernel::Result;
use kernel::cgroup::{Controller, Version};
use serde::Serialize;

use super::{Files, Psi, is_zero};

const MEMORY: Controller = Controller::Memory;

#[derive(Debug, Default, Serialize)]
pub(super) struct Memory {
    #[serde(skip_serializing_if = "is_zero")]
    cache: u64,
    usage: Entry,
    swap: Entry,
    kernel: Entry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: Entry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
    event_count: EventCount,
}

#[derive(Debug, Default, Serialize)]
struct Entry {
    limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

/// How often limits were met; version 2 alone counts.
#[derive(Debug, Default, Serialize)]
struct EventCount {
    #[serde(skip_serializing_if = "is_zero")]
    low: u64,
    #[serde(skip_serializing_if = "is_zero")]
    high: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    #[serde(skip_serializing_if = "is_zero")]
    oom: u64,
    #[serde(skip_serializing_if = "is_zero")]
    oom_kill: u64,
}

impl Memory {
    pub(super) fn of(files: &Files<'_>) -> Result<Self> {
        let raw = files.numbers(MEMORY, "memory.stat")?;
        match files.version(MEMORY) {
            None => Ok(Self::default()),
            Some(Version::V1) => Ok(Self {
                cache: raw.get("cache").copied().unwrap_or(0),
                usage: v1(files, "memory")?,
                swap: v1(files, "memory.memsw")?,
                kernel: v1(files, "memory.kmem")?,
                kernel_tcp: v1(files, "memory.kmem.tcp")?,
                raw,
                ..Self::default()
            }),
            Some(Version::V2) => Self::v2(files, raw),
        }
    }

    fn v2(files: &Files<'_>, raw: BTreeMap<String, u64>) -> Result<Self> {
        let usage = v2(files, "memory")?;
        let mut swap = v2(files, "memory.swap")?;
        // As version 1 counts: with memory.
        if swap.limit != u64::MAX {
            swap.limit = swap.limit.saturating_add(usage.limit);
        }
        swap.usage += usage.usage;
        let events = files.numbers(MEMORY, "memory.events")?;
        let count = |key: &str| events.get(key).copied().unwrap_or(0);
        Ok(Self {
            cache: raw.get("file").copied().unwrap_or(0),
            usage,
            swap,
            raw,
            psi: files.psi(MEMORY, "memory.pressure")?,
            event_count: EventCount {
                low: count("low"),
                high: count("high"),
                max: count("max"),
                oom: count("oom"),
                oom_kill: count("oom_kill"),
            },
            ..Self::default()
        })
    }
}

fn v1(files: &Files<'_>, of: &str) -> Result<Entry> {
    let number = |what: &str| files.number(MEMORY, &format!("{of}.{what}"));
    Ok(Entry {
        limit: number("limit_in_bytes")?,
        usage: number("usage_in_bytes")?,
        max: number("max_usage_in_bytes")?,
        failcnt: number("failcnt")?,
    })
}

fn v2(files: &Files<'_>, of: &str) -> Result<Entry> {
    let number = |what: &str| files.number(MEMORY, &format!("{of}.{what}"));
    Ok(Entry {
        limit: number("max")?,
        usage: number("current")?,
        max: number("peak")?,
        failcnt: 0,
    })
}
