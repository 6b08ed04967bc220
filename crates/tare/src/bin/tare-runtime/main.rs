//! An OCI runtime with runc's command line, over the crate `runtime`.
//!
//! Made for callers that make a process for each step: no argument parser that is larger than the work, no thread, and
//! nothing read that the step doesn't need.

mod args;
mod container;
mod create;
mod exec;
mod fault;
mod foreground;
mod report;
mod seal;
mod settle;
mod state;

use std::process::ExitCode;

use args::Args;
use fault::{Fault, Result};

const USAGE: &str = "\
tare-runtime: an OCI runtime

Usage: tare-runtime [--root DIR] [--log FILE] [--log-format text|json] COMMAND [OPTIONS] [ARGUMENTS]

Commands:
  create [-b DIR] [--console-socket PATH] [--pid-file FILE] [--no-new-keyring] [--preserve-fds N] ID
  start ID
  run [-d] [options of create] ID
  exec [-p FILE] [-t] [-u USER] [-e NAME=VALUE] [--cwd DIR] [-d] [--pid-file FILE] [--console-socket PATH] ID COMMAND [ARGUMENT...]
  state ID
  kill [-a] ID [SIGNAL]
  delete [-f] ID
  list [-q] [-f table|json]
  spec [-b DIR]
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let mut args = Args::new(args);
    let global = match Global::read(&mut args) {
        Ok(global) => global,
        Err(fault) => return Global::default().fail(&fault),
    };
    match run(&global, args) {
        Ok(code) => code,
        Err(fault) => global.fail(&fault),
    }
}

fn run(global: &Global, mut args: Args) -> Result<ExitCode> {
    let Some(command) = args.next_plain() else {
        report::out(USAGE)?;
        return Ok(if global.asked {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    };
    if command == "version" {
        return version();
    }
    if matches!(command.as_str(), "create" | "run" | "exec") {
        seal::seal()?;
    }
    let store = state::Store::new(&global.root);
    match command.as_str() {
        "create" => create::create(&store, args),
        "run" => create::run(&store, args),
        "start" => settle::start(&store, args),
        "state" => settle::state(&store, args),
        "kill" => settle::kill(&store, args),
        "delete" => settle::delete(&store, args),
        "list" => settle::list(&store, args),
        "exec" => exec::exec(&store, args),
        "spec" => settle::spec(args),
        _ => Err(Fault::usage(format!("no such command: {command}"))),
    }
}

fn version() -> Result<ExitCode> {
    let text = format!(
        "tare-runtime version {}\nspec: {}\n",
        env!("CARGO_PKG_VERSION"),
        spec::runtime::VERSION
    );
    report::out(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What stands before the command.
#[derive(Debug)]
struct Global {
    root: String,
    log: Option<String>,
    format: report::Format,
    /// Whether help was asked for.
    asked: bool,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            root: "/run/tare-runtime".to_owned(),
            log: None,
            format: report::Format::Text,
            asked: false,
        }
    }
}

impl Global {
    fn read(args: &mut Args) -> Result<Self> {
        let mut global = Self::default();
        while let Some(flag) = args.next_flag() {
            match flag.as_str() {
                "root" => global.root = args.value(&flag)?,
                "log" => global.log = Some(args.value(&flag)?),
                "log-format" => global.format = report::Format::parse(&args.value(&flag)?)?,
                // What it would say more is in the errors already.
                "debug" => args.no_value(&flag)?,
                "systemd-cgroup" | "rootless" => {
                    if args.switch(&flag)? {
                        return Err(Fault::unsupported(format!("--{flag}")));
                    }
                }
                "version" | "v" => args.replace("version"),
                "help" | "h" => global.asked = true,
                _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
            }
        }
        Ok(global)
    }

    fn fail(&self, fault: &Fault) -> ExitCode {
        report::error(fault, self.log.as_deref(), self.format);
        ExitCode::from(fault.code)
    }
}
