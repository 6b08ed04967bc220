//! `events`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use kernel::cgroup::{Cgroup, Woken};
use serde::Serialize;

use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::container::{layout, must_group};
use crate::fault::{Fault, Result};
use crate::stats::Stats;
use crate::{Cx, log};

pub(crate) const COMMAND: Command = Command {
    name: "events",
    arguments: "ID",
    about: "tell what a container uses, and when it runs out of memory, as lines of JSON",
    details: "Until the container stops.",
    flags: &[
        Flag::switch("stats", "", "tell once what it uses"),
        Flag::option(
            "interval",
            "",
            "DURATION",
            "tell every 5s, 500ms, 1m30s (default: 5s)",
        ),
    ],
    order: Order::Anywhere,
    run: events,
};

/// One line.
#[derive(Debug, Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Stats>,
}

fn events(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let interval = match given.last("interval") {
        None => Duration::from_secs(5),
        Some(text) => duration(text)
            .ok_or_else(|| Fault::usage(format!("invalid value for --interval: {text:?}")))?,
    };
    if interval.is_zero() {
        return Err(Fault::usage("duration interval must be greater than 0"));
    }
    let id = given.id()?;
    let record = cx.store.load(id)?;
    let process = record
        .process()?
        .ok_or_else(|| Fault::new(format!("container with id {id} is not running")))?;
    let group = must_group(&layout()?, &record)?;
    if given.is_on("stats") {
        tell(id, &group)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut watch = group.watch_oom().map_err(Fault::at("watch container"))?;
    let mut next = Instant::now() + interval;
    loop {
        let left = next.saturating_duration_since(Instant::now());
        match watch
            .wait(&process, left)
            .map_err(Fault::at("watch container"))?
        {
            Woken::Oom => log::out_json(&Event {
                kind: "oom",
                id,
                data: None,
            })?,
            Woken::Ended => return Ok(ExitCode::SUCCESS),
            Woken::Late => {
                tell(id, &group)?;
                next += interval;
            }
        }
    }
}

fn tell(id: &str, group: &Cgroup) -> Result<()> {
    let stats = Stats::of(group).map_err(Fault::at("read statistics"))?;
    log::out_json(&Event {
        kind: "stats",
        id,
        data: Some(stats),
    })
}

/// A duration as Go writes it: numbers, each with its unit.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    match text {
        "" => None,
        _ => Duration::try_from_secs_f64(total).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (text, millis) in [
            ("5s", Some(5000)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5x", None),
            ("-5s", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
