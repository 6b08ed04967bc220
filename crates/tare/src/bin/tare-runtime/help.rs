//! Help, made of the tables that commands are read by.

use std::fmt::Write;
use std::process::ExitCode;

use crate::args::Flag;
use crate::commands::{self, Command};
use crate::fault::Result;
use crate::{GLOBAL, log};

/// The help of one command, or of all.
pub(crate) fn show(command: Option<&str>) -> Result<ExitCode> {
    let text = match command {
        Some(name) => one(commands::find(name)?),
        None => all(),
    };
    log::out(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn all() -> String {
    let mut text = String::from(
        "tare-runtime: an OCI runtime\n\nUsage: tare-runtime [OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n",
    );
    for command in commands::ALL {
        let _written = writeln!(text, "  {:<12}{}", command.name, command.about);
    }
    text.push_str("\nOptions:\n");
    flags(&mut text, GLOBAL);
    text.push_str("\n`tare-runtime COMMAND --help` tells more of one.\n");
    text
}

fn one(command: &Command) -> String {
    let mut text = format!(
        "tare-runtime {}: {}\n\nUsage: tare-runtime {}{} {}\n",
        command.name,
        command.about,
        command.name,
        if command.flags.is_empty() {
            ""
        } else {
            " [OPTIONS]"
        },
        command.arguments
    );
    if !command.details.is_empty() {
        let _written = write!(text, "\n{}\n", command.details);
    }
    if !command.flags.is_empty() {
        text.push_str("\nOptions:\n");
        flags(&mut text, command.flags);
    }
    text
}

fn flags(text: &mut String, flags: &[Flag]) {
    let names = flags.iter().map(|flag| {
        let mut name = match flag.short {
            "" => format!("--{}", flag.name),
            short => format!("-{short}, --{}", flag.name),
        };
        if !flag.value.is_empty() {
            let _written = write!(name, " {}", flag.value);
        }
        name
    });
    let names: Vec<String> = names.collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    for (name, flag) in names.iter().zip(flags) {
        let _written = writeln!(text, "  {name:<width$}  {}", flag.about);
    }
}
