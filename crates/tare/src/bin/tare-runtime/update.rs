//! `update`.

use std::io::Read;
use std::process::ExitCode;

use spec::runtime::{BlockIo, Cpu, Memory, Pids, Resources};

use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::container::{layout, must_group, scope};
use crate::fault::{Fault, Result};
use crate::{Cx, log};

pub(crate) const COMMAND: Command = Command {
    name: "update",
    arguments: "ID",
    about: "change the limits of a container",
    details: "What isn't named stays as it is. With --resources all other options are ignored.",
    flags: &[
        Flag::option(
            "resources",
            "r",
            "FILE",
            "limits as linux.resources of config.json has them; - is standard input",
        ),
        Flag::option(
            "memory",
            "",
            "BYTES",
            "memory, with a unit (b, k, m, g, t); -1 is no limit",
        ),
        Flag::option(
            "memory-reservation",
            "",
            "BYTES",
            "memory that it keeps when the host is short of it",
        ),
        Flag::option(
            "memory-swap",
            "",
            "BYTES",
            "memory and swap together; -1 is unlimited swap",
        ),
        Flag::option(
            "cpu-share",
            "",
            "WEIGHT",
            "share of processor time against other containers",
        ),
        Flag::option(
            "cpu-quota",
            "",
            "MICROSECONDS",
            "processor time in a period",
        ),
        Flag::option("cpu-period", "", "MICROSECONDS", "the period"),
        Flag::option(
            "cpu-burst",
            "",
            "MICROSECONDS",
            "processor time that may be saved up",
        ),
        Flag::option(
            "cpu-rt-period",
            "",
            "MICROSECONDS",
            "the period of real-time scheduling (v1)",
        ),
        Flag::option(
            "cpu-rt-runtime",
            "",
            "MICROSECONDS",
            "real-time scheduling in its period (v1)",
        ),
        Flag::option("cpu-idle", "", "0|1", "1: run only when nothing else does"),
        Flag::option("cpuset-cpus", "", "LIST", "processors: 0-3,7"),
        Flag::option("cpuset-mems", "", "LIST", "memory nodes"),
        Flag::option(
            "pids-limit",
            "",
            "N",
            "processes and threads; -1 is no limit",
        ),
        Flag::option(
            "blkio-weight",
            "",
            "WEIGHT",
            "share of block devices, 10 to 1000",
        ),
        Flag::option(
            "l3-cache-schema",
            "",
            "SCHEMA",
            "share of the third level cache (Intel RDT)",
        ),
        Flag::option(
            "mem-bw-schema",
            "",
            "SCHEMA",
            "share of memory bandwidth (Intel RDT)",
        ),
        Flag::option(
            "kernel-memory",
            "",
            "BYTES",
            "ignored: kernels have no such limit any more",
        ),
        Flag::option("kernel-memory-tcp", "", "BYTES", "ignored, likewise"),
    ],
    order: Order::Anywhere,
    run: update,
};

fn update(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let id = given.id()?;
    let record = cx.store.load(id)?;
    for flag in ["l3-cache-schema", "mem-bw-schema"] {
        if given.last(flag).is_some() {
            return Err(Fault::unsupported(format!("--{flag}")));
        }
    }
    let asked = match given.last("resources") {
        Some(file) => read(file)?,
        None => from_flags(cx, given)?,
    };
    let mut spec = cx.store.config(id)?;
    let kept = &mut spec.linux.get_or_insert_default().resources;
    let kept = kept.get_or_insert_default();
    let change = merge(kept, asked)?;
    let layout = layout()?;
    let group = must_group(&layout, &record)?;
    runtime::update(&group, &layout, &change).map_err(Fault::at("update container"))?;
    if let Some(scope) = scope(record.systemd, &spec, id)? {
        // Else systemd would set what it knows again.
        scope
            .update(&layout, &change)
            .map_err(Fault::at("update unit"))?;
    }
    failpoint::failpoint!("tare-runtime.update.applied");
    cx.store.replace_config(id, &spec)?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &str) -> Result<Resources> {
    let fault = || format!("read limits from {file}");
    let mut text = Vec::new();
    match file {
        "-" => std::io::stdin()
            .read_to_end(&mut text)
            .map_err(Fault::at(fault()))?,
        _ => std::fs::File::open(file)
            .and_then(|mut f| f.read_to_end(&mut text))
            .map_err(Fault::at(fault()))?,
    };
    serde_json::from_slice(&text).map_err(Fault::at(fault()))
}

fn from_flags(cx: &Cx, given: &Given) -> Result<Resources> {
    for flag in ["kernel-memory", "kernel-memory-tcp"] {
        if given.last(flag).is_some() {
            log::Log::warn(&cx.log, &format!("--{flag} is ignored"));
        }
    }
    let bytes = |flag| given.last(flag).map(|text| bytes(flag, text)).transpose();
    let text = |flag| given.last(flag).unwrap_or_default().to_owned();
    Ok(Resources {
        memory: Some(Memory {
            limit: bytes("memory")?,
            reservation: bytes("memory-reservation")?,
            swap: bytes("memory-swap")?,
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: given.number("cpu-share")?,
            quota: given.number("cpu-quota")?,
            burst: given.number("cpu-burst")?,
            period: given.number("cpu-period")?,
            realtime_runtime: given.number("cpu-rt-runtime")?,
            realtime_period: given.number("cpu-rt-period")?,
            cpus: text("cpuset-cpus"),
            mems: text("cpuset-mems"),
            idle: given.number("cpu-idle")?,
        }),
        pids: given.number("pids-limit")?.map(|limit| Pids { limit }),
        block_io: Some(BlockIo {
            weight: given.number("blkio-weight")?,
            ..BlockIo::default()
        }),
        ..Resources::default()
    })
}

/// A number of bytes as Docker's units have it: `512m`, `1.5g`, `2GiB`; `-1` is no limit.
fn bytes(flag: &str, text: &str) -> Result<i64> {
    if text == "-1" {
        return Ok(-1);
    }
    parse_bytes(text).ok_or_else(|| Fault::usage(format!("invalid value for --{flag}: {text:?}")))
}

fn parse_bytes(text: &str) -> Option<i64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let power = match unit.strip_suffix('i').unwrap_or(unit) {
        "" if unit.is_empty() => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().ok()?;
    let whole = whole.checked_mul(1 << power)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let digits = u32::try_from(fraction.len()).ok().filter(|n| *n <= 9)?;
    let part: i128 = fraction.parse().ok()?;
    let part = (part << power) / 10_i128.pow(digits);
    whole.checked_add(i64::try_from(part).ok()?)
}

/// Puts `asked` into what the container has; gives what is to be written: that, and what it means something only together with.
fn merge(kept: &mut Resources, asked: Resources) -> Result<Resources> {
    let mut change = Resources {
        unified: asked.unified.clone(),
        hugepage_limits: asked.hugepage_limits.clone(),
        rdma: asked.rdma.clone(),
        pids: asked.pids.clone().filter(|p| p.limit != 0),
        ..Resources::default()
    };
    if let Some(new) = asked.memory {
        let old = kept.memory.get_or_insert_default();
        change.memory = Some(memory(old, new)?);
    }
    if let Some(new) = asked.cpu {
        change.cpu = Some(cpu(kept.cpu.get_or_insert_default(), new));
    }
    if let Some(new) = asked.block_io {
        let old = kept.block_io.get_or_insert_default();
        old.weight = new.weight.or(old.weight);
        change.block_io = Some(new);
    }
    if change.pids.is_some() {
        kept.pids.clone_from(&change.pids);
    }
    kept.unified.extend(asked.unified);
    Ok(change)
}

fn memory(old: &mut Memory, mut new: Memory) -> Result<Memory> {
    if new.limit == Some(-1) && new.swap.is_none() {
        new.swap = Some(-1);
    }
    let swap = new.swap.or(old.swap);
    if let (Some(limit), Some(swap)) = (new.limit.or(old.limit), swap)
        && swap > 0
        && limit > swap
    {
        return Err(Fault::new(
            "memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ));
    }
    old.limit = new.limit.or(old.limit);
    old.swap = swap;
    old.reservation = new.reservation.or(old.reservation);
    if new.limit.is_some() || new.swap.is_some() {
        // Version 2 counts swap alone, which is their difference.
        new.limit = old.limit;
        new.swap = old.swap;
    }
    // Only version 1's creation has these.
    new.kernel = None;
    new.kernel_tcp = None;
    Ok(new)
}

fn cpu(old: &mut Cpu, mut new: Cpu) -> Cpu {
    old.shares = new.shares.or(old.shares);
    old.quota = new.quota.or(old.quota);
    old.burst = new.burst.or(old.burst);
    old.period = new.period.or(old.period);
    old.realtime_runtime = new.realtime_runtime.or(old.realtime_runtime);
    old.realtime_period = new.realtime_period.or(old.realtime_period);
    old.idle = new.idle.or(old.idle);
    for (old, new) in [(&mut old.cpus, &new.cpus), (&mut old.mems, &new.mems)] {
        if !new.is_empty() {
            old.clone_from(new);
        }
    }
    if new.quota.is_some() || new.period.is_some() {
        // One file in version 2.
        new.quota = old.quota;
        new.period = old.period;
    }
    new
}

#[cfg(test)]
mod tests;
