//! `tare`: a container engine that weighs nothing.
//!
//! The command line of the Engine API: every command becomes requests to an engine, which is a daemon's or, without
//! one, this process's own behind the same interface. Read `cli` first (which command), then `connect` (which
//! engine), then any file of `commands`, then `session` (streams and terminals).

mod archive;
mod cli;
mod commands;
mod connect;
mod credentials;
mod cx;
mod daemon;
mod error;
mod flag;
mod internal;
mod output;
mod registry;
mod session;
mod settings;
mod signals;
mod terminal;

use clap as _;
use cli::{Asked, Mistake};
use commands::{Entry, Run};
use error::{Error, Kind, Outcome, REFUSED};
use settings::{Globals, Settings};
use std::process::ExitCode;

/// The exit code of a process that SIGPIPE ended: nobody reads the output any more.
const CLOSED: u8 = 141;

fn main() -> ExitCode {
    terminal::restore_on_panic();
    let words = std::env::args_os()
        .skip(1)
        .map(std::ffi::OsString::into_string);
    let Ok(words) = words.collect::<Result<Vec<String>, _>>() else {
        output::failure(&Error::usage("arguments must be UTF-8"), "tare");
        return ExitCode::from(REFUSED);
    };
    let (globals, asked) = match cli::parse(words) {
        Ok(parsed) => parsed,
        Err(mistake) => return ExitCode::from(refuse(&mistake)),
    };
    let shown = |text: &str| output::text(text).map_or_else(|error| failed(&error, ""), |()| 0);
    ExitCode::from(match asked {
        Asked::Help(text) => shown(&text),
        Asked::Version => shown(&format!("tare version {}\n", env!("CARGO_PKG_VERSION"))),
        Asked::Run {
            entry,
            name,
            matches,
        } => match run(globals, entry, matches) {
            Ok(code) => code,
            Err(error) if error.kind == Kind::Usage => refuse(&Mistake {
                error,
                about: format!("tare {name}"),
            }),
            Err(error) => failed(&error, &name),
        },
    })
}

fn run(globals: Globals, entry: &Entry, matches: clap::ArgMatches) -> Outcome {
    let settings = Settings::settle(globals, settings::environment)?;
    match entry.run {
        Run::Engine(act) => act(&settings, matches),
        Run::Client(act) => {
            // One thread: starting workers would cost more than most commands take.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|why| Error::io("start", "the runtime", why))?;
            let cx = cx::Cx::new(settings);
            let outcome = runtime.block_on(act(&cx, matches));
            // A thread may be reading standard input; it ends with the process.
            runtime.shutdown_background();
            outcome
        }
    }
}

/// Reports a command line that isn't understood.
fn refuse(mistake: &Mistake) -> u8 {
    output::failure(&mistake.error, &mistake.about);
    output::say(&format!("See '{} --help'.", mistake.about));
    let run = mistake.about.ends_with(" run");
    if mistake.error.kind == Kind::Operands && !run {
        1
    } else {
        REFUSED
    }
}

/// Reports a command that failed.
fn failed(error: &Error, name: &str) -> u8 {
    if error.kind == Kind::Closed {
        return CLOSED;
    }
    output::failure(error, "");
    let _ = name;
    1
}
