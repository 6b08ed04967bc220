//! The process beside each container. It is started by the engine, not by hand.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match monitor::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("tare-monitor: {error}: {}", error.reason());
            // There is nobody else to tell.
            drop(writeln!(std::io::stderr(), "{text}"));
            ExitCode::from(125)
        }
    }
}
