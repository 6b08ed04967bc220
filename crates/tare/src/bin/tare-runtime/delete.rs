//! `delete`.

use std::process::ExitCode;

use spec::runtime::Status;

use crate::Cx;
use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::container::{find_group, scope};
use crate::fault::{Fault, Result};
use crate::state::{name, status, told};
use crate::store::{Record, check};

pub(crate) const COMMAND: Command = Command {
    name: "delete",
    arguments: "ID",
    about: "remove a container that has stopped or was never started",
    details: "",
    flags: &[Flag::switch(
        "force",
        "f",
        "kill a container that runs, and remove what a killed command left; one that doesn't exist is no error",
    )],
    order: Order::Anywhere,
    run: delete,
};

fn delete(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let (id, force) = (given.id()?, given.is_on("force"));
    check(id)?;
    if force && !cx.store.path(id).exists() {
        return Ok(ExitCode::SUCCESS);
    }
    match cx.store.load(id) {
        Ok(record) => {
            let status = status(cx, &record)?;
            if !force && !matches!(status, Status::Stopped | Status::Created) {
                return Err(Fault::new(format!(
                    "cannot delete container {id} that is not stopped: {}",
                    name(status)
                )));
            }
            destroy(cx, &record)?;
        }
        // A command was killed before it had made anything.
        Err(_) if force => cx.store.remove(id)?,
        Err(fault) => return Err(fault),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends a container and removes all of it, its state last.
pub(crate) fn destroy(cx: &Cx, record: &Record) -> Result<()> {
    if let Some(process) = record.process()? {
        process
            .signal(kernel::signal::SIGKILL)
            .map_err(Fault::at("kill container"))?;
    }
    if let Some(group) = find_group(record)? {
        group.kill_all().map_err(Fault::at("kill container"))?;
        failpoint::failpoint!("tare-runtime.delete.killed");
        group.remove().map_err(Fault::at("remove cgroup"))?;
    }
    if record.systemd
        && let Ok(spec) = cx.store.config(&record.id)
        && let Some(scope) = scope(true, &spec, &record.id)?
    {
        scope.stop().map_err(Fault::at("stop unit"))?;
    }
    if record.rdt
        && let Ok(spec) = cx.store.config(&record.id)
    {
        runtime::release_rdt(&spec, &record.id).map_err(Fault::at("remove resctrl class"))?;
    }
    failpoint::failpoint!("tare-runtime.delete.cleared");
    // Whatever becomes of them the container is gone.
    if record.hooks
        && let Ok(spec) = cx.store.config(&record.id)
        && let Some(hooks) = &spec.hooks
    {
        let told = told(record, Status::Stopped);
        for error in runtime::run_each(hooks, runtime::Turn::Poststop, &told) {
            cx.log.warn(&error.to_string());
        }
    }
    cx.log.debug(|| format!("deleted container {}", record.id));
    cx.store.remove(&record.id)
}
