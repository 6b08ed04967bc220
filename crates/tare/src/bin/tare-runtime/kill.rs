//! `kill`.

use std::process::ExitCode;

use kernel::cgroup::{Cgroup, Controller, Version};
use kernel::process::PidFd;
use kernel::signal::SIGKILL;

use crate::Cx;
use crate::args::{Flag, Given, Order, too_many};
use crate::commands::Command;
use crate::container::find_group;
use crate::fault::{Fault, Result};

pub(crate) const COMMAND: Command = Command {
    name: "kill",
    arguments: "ID [SIGNAL]",
    about: "send a signal, SIGTERM if none is named, to a container's first process",
    details: "SIGNAL is a name, with or without SIG, or a number. SIGKILL of a container without a pid namespace of its own takes all\nits processes.",
    flags: &[Flag::switch(
        "all",
        "a",
        "send it to every process of the container, also when the first one has ended",
    )],
    order: Order::Anywhere,
    run: kill,
};

fn kill(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let (id, rest) = given.id_and_rest()?;
    let name = match rest {
        [] => "SIGTERM",
        [name] => name.as_str(),
        [_, more, ..] => return Err(too_many(more)),
    };
    let signal = kernel::signal::parse(name)
        .ok_or_else(|| Fault::usage(format!("unknown signal {name:?}")))?;
    let record = cx.store.load(id)?;
    let process = record.process()?;
    // Without a pid namespace nobody ends with the first process.
    if given.is_on("all") || (signal == SIGKILL && !record.own_pids && process.is_some()) {
        if let Some(group) = find_group(&record)? {
            signal_all(&group, signal)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let process = process.ok_or_else(|| Fault::new("container not running"))?;
    process
        .signal(signal)
        .map_err(Fault::at("kill container"))?;
    if signal == SIGKILL
        && let Some(group) = find_group(&record)?
    {
        thaw(&group)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn signal_all(group: &Cgroup, signal: i32) -> Result<()> {
    if signal == SIGKILL {
        return group.kill_all().map_err(Fault::at("kill container"));
    }
    let pids = group.pids().map_err(Fault::at("read processes"))?;
    for process in pids.into_iter().filter_map(|pid| PidFd::open(pid).ok()) {
        // One that ended meanwhile needs no signal.
        drop(process.signal(signal));
    }
    Ok(())
}

/// Frozen by version 1 a process doesn't die before it is thawed.
fn thaw(group: &Cgroup) -> Result<()> {
    let frozen = group.version_of(Controller::Freezer) == Some(Version::V1)
        && group.is_frozen().map_err(Fault::at("look at cgroup"))?;
    if frozen {
        group.thaw().map_err(Fault::at("resume container"))?;
    }
    Ok(())
}
