//! Names of units, and limits as their properties: pure.

use kernel::cgroup::{Controller, Layout, Version};
use kernel::scheduling::parse_list;
use spec::runtime::Resources;

use super::Scope;
use super::message::Value;
use crate::error::{Error, Result};

const DEFAULT_SLICE: &str = "system.slice";

/// See [`Scope::parse`]; without its bus.
pub(super) fn parse(text: &str, id: &str) -> Result<Scope> {
    let refused = |why| Err(Error::invalid(why, text.escape_default().to_string()));
    let (slice, prefix, name) = if text.is_empty() {
        (DEFAULT_SLICE, "tare", id)
    } else {
        let parts: Vec<&str> = text.split(':').collect();
        let &[slice, prefix, name] = parts.as_slice() else {
            return refused("read cgroupsPath, which is to be slice:prefix:name for systemd:");
        };
        (slice, prefix, name)
    };
    let slice = if slice.is_empty() {
        DEFAULT_SLICE
    } else {
        slice
    };
    let plain = |part: &str| {
        part.len() <= 200
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b":-_.\\@+".contains(&b))
    };
    if name.is_empty() || ![slice, prefix, name].iter().all(|part| plain(part)) {
        return refused("use as names of units:");
    }
    let unit = if name.ends_with(".slice") {
        return refused("put a container into a slice that is its own:");
    } else if prefix.is_empty() {
        format!("{name}.scope")
    } else {
        format!("{prefix}-{name}.scope")
    };
    let Some(directory) = expand(slice) else {
        return refused("use as a slice:");
    };
    Ok(Scope {
        path: format!("{directory}/{unit}"),
        unit,
        slice: slice.to_owned(),
        bus: std::path::PathBuf::new(),
        private: None,
    })
}

/// `a-b.slice` is `/a.slice/a-b.slice`, and `-.slice` is the root: systemd.slice(5).
fn expand(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(String::new());
    }
    let mut path = String::new();
    let mut whole = String::new();
    for part in name.split('-') {
        if part.is_empty() || part.starts_with('.') {
            return None;
        }
        whole = if whole.is_empty() {
            part.to_owned()
        } else {
            format!("{whole}-{part}")
        };
        path += &format!("/{whole}.slice");
    }
    Some(path)
}

/// The properties that systemd knows of the limits of `resources`.
pub(crate) fn properties(resources: &Resources, layout: &Layout) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let v2 = |controller| layout.version_of(controller) == Some(Version::V2);
    let bytes = |value: i64| Value::U64(u64::try_from(value).unwrap_or(u64::MAX));
    if let Some(memory) = &resources.memory {
        let limit = memory.limit.filter(|limit| *limit != 0);
        if let Some(limit) = limit {
            let name = if v2(Controller::Memory) {
                "MemoryMax"
            } else {
                "MemoryLimit"
            };
            all.push((name, bytes(limit)));
        }
        if let Some(low) = memory
            .reservation
            .filter(|it| *it != 0 && v2(Controller::Memory))
        {
            all.push(("MemoryLow", bytes(low)));
        }
        if let (Some(swap), true) = (memory.swap.filter(|it| *it != 0), v2(Controller::Memory)) {
            // Of both together here, of swap alone there.
            let own = match (swap, limit) {
                (swap, Some(limit)) if swap > 0 && limit > 0 => Some(swap - limit),
                (swap, _) if swap < 0 => Some(-1),
                _ => None,
            };
            all.extend(own.map(|own| ("MemorySwapMax", bytes(own))));
        }
    }
    if let Some(cpu) = &resources.cpu {
        if let Some(shares) = cpu.shares.filter(|it| *it != 0) {
            all.push(if v2(Controller::Cpu) {
                // The range of shares, 2 to 262144, onto that of weights, 1 to 10000.
                let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142;
                ("CPUWeight", Value::U64(weight))
            } else {
                ("CPUShares", Value::U64(shares))
            });
        }
        let period = cpu.period.filter(|it| *it != 0);
        if let Some(quota) = cpu.quota.filter(|it| *it != 0) {
            // Microseconds of processor time a second, which systemd rounds to 10 ms.
            let period = u128::from(period.unwrap_or(100_000));
            let second = u128::try_from(quota).map_or(u128::from(u64::MAX), |quota| {
                (quota * 1_000_000 / period).div_ceil(10_000) * 10_000
            });
            let second = u64::try_from(second).unwrap_or(u64::MAX);
            all.push(("CPUQuotaPerSecUSec", Value::U64(second)));
        }
        if let (Some(period), true) = (period, v2(Controller::Cpu)) {
            all.push(("CPUQuotaPeriodUSec", Value::U64(period)));
        }
        if v2(Controller::CpuSet) {
            all.extend(bits(&cpu.cpus).map(|bits| ("AllowedCPUs", Value::Bytes(bits))));
            all.extend(bits(&cpu.mems).map(|bits| ("AllowedMemoryNodes", Value::Bytes(bits))));
        }
    }
    if let Some(pids) = &resources.pids {
        let most = u64::try_from(pids.limit).ok().filter(|limit| *limit > 0);
        all.push(("TasksMax", Value::U64(most.unwrap_or(u64::MAX))));
    }
    all
}

/// A list of processors or nodes as a bit mask, the lowest byte first.
fn bits(list: &str) -> Option<Vec<u8>> {
    let numbers = parse_list(list, 8192).filter(|_| !list.is_empty())?;
    let mut mask = Vec::new();
    for number in numbers {
        let byte = usize::try_from(number / 8).ok()?;
        if mask.len() <= byte {
            mask.resize(byte + 1, 0);
        }
        mask[byte] |= 1 << (number % 8);
    }
    Some(mask)
}
