//! `ps`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use kernel::process::{Executable, Spawn};

use crate::args::{Given, Order};
use crate::commands::Command;
use crate::container::find_group;
use crate::fault::{Fault, Result};
use crate::list::{FORMAT, Format};
use crate::{Cx, log};

pub(crate) const COMMAND: Command = Command {
    name: "ps",
    arguments: "ID [PS-OPTIONS]",
    about: "list the processes of a container",
    details: "The table is that of ps(1), called with PS-OPTIONS (-ef if there are none), which must show PID. JSON is a list of pids.",
    flags: &[FORMAT],
    order: Order::First,
    run: ps,
};

fn ps(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let (id, options) = given.id_and_rest()?;
    let format = Format::of(given)?;
    let record = cx.store.load(id)?;
    let pids: Vec<i32> = match find_group(&record)? {
        Some(group) => group.pids().map_err(Fault::at("read processes"))?,
        None => Vec::new(),
    }
    .into_iter()
    .map(|pid| pid.as_raw_nonzero().get())
    .collect();
    if format == Format::Json {
        log::out_json(&pids)?;
        return Ok(ExitCode::SUCCESS);
    }
    log::out(&only(&table(options)?, &pids)?)?;
    Ok(ExitCode::SUCCESS)
}

/// What ps(1) prints.
fn table(options: &[String]) -> Result<String> {
    let program = program("ps").ok_or_else(|| {
        Fault::new("ps is not on the PATH: install it (procps), or use --format json")
    })?;
    let mut args = vec!["ps".to_owned()];
    match options {
        [] => args.push("-ef".to_owned()),
        options => args.extend(options.iter().cloned()),
    }
    let (mut reader, writer) = std::io::pipe().map_err(Fault::at("make pipe"))?;
    let errors = writer.try_clone().map_err(Fault::at("duplicate pipe"))?;
    let mut spawn = Spawn::new(Executable::Path(program), args)
        .fd(writer, 1)
        .fd(errors, 2);
    // Its columns are as wide as the caller's, its letters as the caller's.
    spawn.env = crate::criu::environment();
    let child = spawn.start().map_err(Fault::at("run ps"))?;
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .map_err(Fault::at("read what ps prints"))?;
    match child.wait().map_err(Fault::at("wait for ps"))? {
        status if status.success() => Ok(text),
        status => Err(Fault::new(format!(
            "ps: exit status {}: {text}",
            status.code()
        ))),
    }
}

/// The program `name`, found as a shell finds it.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| spec::profile::PATH.into());
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// The lines of `text` with one of `pids` in its column, and the first.
fn only(text: &str, pids: &[i32]) -> Result<String> {
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default();
    let column = title
        .split_whitespace()
        .position(|name| name == "PID")
        .ok_or_else(|| Fault::new("couldn't find PID field in ps output"))?;
    let mut kept = format!("{title}\n");
    for line in lines.filter(|line| !line.is_empty()) {
        let pid = line.split_whitespace().nth(column).unwrap_or_default();
        let pid: i32 = pid
            .parse()
            .map_err(Fault::at(format!("unable to parse pid {pid:?}")))?;
        if pids.contains(&pid) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::only;

    #[test]
    fn lines_are_chosen_by_their_pid() {
        let text = "UID PID CMD\nroot 1 init\nroot 12 sleep 7\n\n";
        assert_eq!(
            only(text, &[7, 12]).unwrap(),
            "UID PID CMD\nroot 12 sleep 7\n"
        );
        assert!(only("UID CMD\n", &[]).is_err());
        assert!(only("PID CMD\nx y\n", &[]).is_err());
    }
}
