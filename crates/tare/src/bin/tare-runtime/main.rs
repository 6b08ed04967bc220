//! An OCI runtime with runc's command line, over the crate `runtime`.
//!
//! Made for callers that make a process for each step: no argument parser that is larger than the work, no thread but to relay a terminal,
//! and nothing read that the step doesn't need. Read `commands` (all there are), then `create`; one command, one file.

mod args;
mod checkpoint;
mod commands;
mod console;
mod container;
mod create;
mod criu;
mod delete;
mod events;
mod exec;
mod fault;
mod features;
mod foreground;
mod help;
mod kill;
mod list;
mod log;
mod pause;
mod ps;
mod restore;
mod run;
mod seal;
mod spec;
mod start;
mod state;
mod stats;
mod store;
mod table;
mod update;

use std::process::ExitCode;

use args::{Flag, Given, Order};
use fault::{Fault, Result};
use log::{Format, Log};
use store::Store;

/// What every command is told.
#[derive(Debug, Default)]
struct Cx {
    store: Store,
    log: Log,
    /// Whether a container's cgroup is systemd's.
    systemd: bool,
}

/// What stands before the command.
const GLOBAL: &[Flag] = &[
    Flag::option(
        "root",
        "",
        "DIR",
        "where the state of containers is kept: /run/tare-runtime, or below XDG_RUNTIME_DIR for who isn't root",
    ),
    Flag::option("log", "", "FILE", "write errors to FILE too"),
    Flag::option(
        "log-format",
        "",
        "FORMAT",
        "the log's: text (default) or json",
    ),
    Flag::switch(
        "debug",
        "",
        "tell more: in the log, or without one on standard error",
    ),
    Flag::switch(
        "systemd-cgroup",
        "",
        "cgroups are systemd's: SLICE:PREFIX:NAME",
    ),
    Flag::option(
        "rootless",
        "",
        "MODE",
        "whether to go on without cgroups that can't be had: true, false or auto (default)",
    ),
    Flag::switch("version", "v", "show the version"),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let mut cx = Cx::default();
    let mut command = None;
    match run(&mut cx, args, &mut command) {
        Ok(code) => code,
        Err(fault) => {
            cx.log.error(&fault);
            if fault.usage {
                let command = command.map_or(String::new(), |name| format!(" {name}"));
                log::complain(&format!("try: tare-runtime{command} --help"));
            }
            ExitCode::from(fault.code)
        }
    }
}

fn run(cx: &mut Cx, args: Vec<String>, called: &mut Option<&'static str>) -> Result<ExitCode> {
    let given = Given::read(GLOBAL, Order::First, args)?;
    // First of all: what follows may have something to say.
    cx.log = Log {
        file: given.last("log").map(str::to_owned),
        format: Format::default(),
        debug: given.is_on("debug"),
    };
    cx.log.format = Format::parse(given.last("log-format").unwrap_or_default())?;
    if given.is_on("version") {
        return version();
    }
    let Some((name, args)) = given.plain().split_first() else {
        log::out(&help::all())?;
        return Ok(match given.help {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    };
    if given.help || name == "help" {
        let asked = if name == "help" {
            args.first()
        } else {
            Some(name)
        };
        return help::show(asked.map(String::as_str));
    }
    if name == "version" {
        return version();
    }
    let command = commands::find(name)?;
    *called = Some(command.name);
    rootless(&given)?;
    cx.systemd = given.is_on("systemd-cgroup");
    cx.store = match given.last("root") {
        Some(root) => Store::new(root),
        None => Store::standard(),
    };
    let given = Given::read(command.flags, command.order, args.to_vec())?;
    if given.help {
        return help::show(Some(command.name));
    }
    (command.run)(cx, &given)
}

/// Whether cgroups may be missing is found by trying: a caller's word isn't needed, but must be one.
fn rootless(given: &Given) -> Result<()> {
    match given.last("rootless") {
        None | Some("auto" | "true" | "false") => Ok(()),
        Some(other) => Err(Fault::usage(format!(
            "--rootless is true, false or auto, not {other}"
        ))),
    }
}

fn version() -> Result<ExitCode> {
    let text = format!(
        "tare-runtime version {}\nspec: {}\n",
        env!("CARGO_PKG_VERSION"),
        ::spec::runtime::VERSION
    );
    log::out(&text)?;
    Ok(ExitCode::SUCCESS)
}
