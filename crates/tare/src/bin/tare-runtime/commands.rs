//! All commands.

use std::process::ExitCode;

use crate::args::{Flag, Given, Order};
use crate::fault::{Fault, Result};
use crate::{
    Cx, checkpoint, create, delete, events, exec, features, kill, list, pause, ps, restore, run,
    spec, start, state, update,
};

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) arguments: &'static str,
    /// One line, for the list of all.
    pub(crate) about: &'static str,
    /// What else there is to know.
    pub(crate) details: &'static str,
    pub(crate) flags: &'static [Flag],
    pub(crate) order: Order,
    pub(crate) run: fn(&Cx, &Given) -> Result<ExitCode>,
}

/// In the order of a container's life.
pub(crate) const ALL: &[Command] = &[
    create::COMMAND,
    start::COMMAND,
    run::COMMAND,
    exec::COMMAND,
    state::COMMAND,
    list::COMMAND,
    ps::COMMAND,
    events::COMMAND,
    kill::COMMAND,
    pause::PAUSE,
    pause::RESUME,
    update::COMMAND,
    checkpoint::COMMAND,
    restore::COMMAND,
    delete::COMMAND,
    spec::COMMAND,
    features::COMMAND,
];

pub(crate) fn find(name: &str) -> Result<&'static Command> {
    ALL.iter()
        .find(|c| c.name == name)
        .ok_or_else(|| Fault::usage(format!("no such command: {name}")))
}
