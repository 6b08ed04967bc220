//! The process beside each container, and by another name the first process in it. It is started by the engine, not by hand.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let ended = if Path::new(&name).file_name() == Some(OsStr::new(monitor::INIT)) {
        // docker-init -- COMMAND [ARG...]
        let command: Vec<OsString> = words.skip_while(|word| word == "--").collect();
        monitor::init(&command).map(ExitCode::from)
    } else {
        monitor::run().map(|()| ExitCode::SUCCESS)
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            let text = format!("tare-monitor: {error}: {}", error.reason());
            // There is nobody else to tell.
            drop(writeln!(std::io::stderr(), "{text}"));
            ExitCode::from(125)
        }
    }
}
