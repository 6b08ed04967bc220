//! `pause` and `resume`.

use std::process::ExitCode;

use spec::runtime::Status;

use crate::Cx;
use crate::args::{Given, Order};
use crate::commands::Command;
use crate::container::{layout, must_group};
use crate::fault::{Fault, Result};
use crate::state::{name, status};

pub(crate) const PAUSE: Command = Command {
    name: "pause",
    arguments: "ID",
    about: "stop all processes of a container where they are",
    details: "`list` and `state` tell that it is paused; `resume` lets it go on.",
    flags: &[],
    order: Order::Anywhere,
    run: pause,
};

pub(crate) const RESUME: Command = Command {
    name: "resume",
    arguments: "ID",
    about: "let the processes of a paused container go on",
    details: "",
    flags: &[],
    order: Order::Anywhere,
    run: resume,
};

fn pause(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let record = cx.store.load(given.id()?)?;
    match status(cx, &record)? {
        Status::Running | Status::Created => {}
        other => {
            return Err(Fault::new(format!(
                "container not running or created: {}",
                name(other)
            )));
        }
    }
    must_group(&layout()?, &record)?
        .freeze()
        .map_err(Fault::at("pause container"))?;
    Ok(ExitCode::SUCCESS)
}

fn resume(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let record = cx.store.load(given.id()?)?;
    if status(cx, &record)? != Status::Paused {
        return Err(Fault::new("container not paused"));
    }
    must_group(&layout()?, &record)?
        .thaw()
        .map_err(Fault::at("resume container"))?;
    Ok(ExitCode::SUCCESS)
}
