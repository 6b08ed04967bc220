//! `start`.

use std::fs::File;
use std::process::ExitCode;

use spec::runtime::Status;

use crate::Cx;
use crate::args::{Given, Order};
use crate::commands::Command;
use crate::fault::{Fault, Result};
use crate::state::{status, told};
use crate::store::{Record, START};

pub(crate) const COMMAND: Command = Command {
    name: "start",
    arguments: "ID",
    about: "let the program of a created container begin",
    details: "",
    flags: &[],
    order: Order::Anywhere,
    run: start,
};

fn start(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let record = cx.store.load(given.id()?)?;
    match status(cx, &record)? {
        Status::Created => release(cx, &record)?,
        Status::Stopped => return Err(Fault::new("cannot start a container that has stopped")),
        Status::Running => return Err(Fault::new("cannot start an already running container")),
        Status::Creating => {
            return Err(Fault::new("cannot start a container in the creating state"));
        }
        Status::Paused => return Err(Fault::new("cannot start a container in the paused state")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a created container's program begin.
pub(crate) fn release(cx: &Cx, record: &Record) -> Result<()> {
    let path = cx.store.path(&record.id);
    let directory = File::open(&path).map_err(Fault::at("open state directory"))?;
    let socket =
        kernel::socket::connect_at(&directory, START).map_err(Fault::at("connect to container"))?;
    let released = runtime::release(socket.into()).map_err(Fault::at("start container"));
    failpoint::failpoint!("tare-runtime.start.released");
    // Nobody listens there any more. Of two that start at once the other one may have removed it.
    drop(std::fs::remove_file(path.join(START)));
    released?;
    poststart(cx, record)
}

/// Runs the hooks of a container whose program runs. One that fails ends the container, as runc does it.
fn poststart(cx: &Cx, record: &Record) -> Result<()> {
    if !record.hooks {
        return Ok(());
    }
    let spec = cx.store.config(&record.id)?;
    let Some(hooks) = &spec.hooks else {
        return Ok(());
    };
    let told = told(record, Status::Running);
    let done = runtime::run_hooks(hooks, runtime::Turn::Poststart, &told);
    done.map_err(|error| {
        if let Ok(Some(process)) = record.process() {
            drop(process.signal(kernel::signal::SIGKILL));
        }
        Fault::at("start container")(error)
    })
}
