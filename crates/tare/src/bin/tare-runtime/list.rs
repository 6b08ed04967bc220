//! `list`.

use std::process::ExitCode;

use crate::args::{Flag, Given, Order};
use crate::commands::Command;
use crate::fault::{Fault, Result};
use crate::state::{State, name};
use crate::table::table;
use crate::{Cx, log};

pub(crate) const COMMAND: Command = Command {
    name: "list",
    arguments: "",
    about: "list all containers below the same --root",
    details: "",
    flags: &[FORMAT, Flag::switch("quiet", "q", "ids only")],
    order: Order::Anywhere,
    run: list,
};

pub(crate) const FORMAT: Flag = Flag::option("format", "f", "FORMAT", "table (default) or json");

/// How to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
}

impl Format {
    pub(crate) fn of(given: &Given) -> Result<Self> {
        match given.last("format") {
            None | Some("table") => Ok(Self::Table),
            Some("json") => Ok(Self::Json),
            Some(other) => Err(Fault::usage(format!("invalid format option: {other}"))),
        }
    }
}

fn list(cx: &Cx, given: &Given) -> Result<ExitCode> {
    given.nothing()?;
    let format = Format::of(given)?;
    let mut states = Vec::new();
    for id in cx.store.ids()? {
        // One that is removed meanwhile isn't listed; what can't be read doesn't hide the others.
        match cx.store.load(&id).and_then(|r| State::of(cx, &r)) {
            Ok(state) => states.push(state),
            Err(_) if !cx.store.path(&id).exists() => {}
            Err(fault) => cx.log.warn(&fault.to_string()),
        }
    }
    if given.is_on("quiet") {
        let ids: String = states.iter().map(|s| format!("{}\n", s.id)).collect();
        log::out(&ids)?;
    } else if format == Format::Json {
        log::out_json(&states)?;
    } else {
        log::out(&table(&rows(&states)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(states: &[State]) -> Vec<Vec<String>> {
    let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let rows = states.iter().map(|s| {
        vec![
            s.id.clone(),
            s.pid.to_string(),
            name(s.status).to_owned(),
            s.bundle.clone(),
            s.created.clone(),
            s.owner.clone(),
        ]
    });
    std::iter::once(header.map(str::to_owned).to_vec())
        .chain(rows)
        .collect()
}
