//! The processes of a container, as ps(1) shows them: the usual columns are made here, so that a host needs no ps for them.

mod columns;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::PathBuf;

use kernel::cgroup::{Cgroup, CgroupPath};
use kernel::process::{Executable, Spawn};
use protocol::Phase;
use state::ContainerRow;

use super::lookup;
use super::pause;
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::open::{Engine, Inner};

/// A table of processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processes {
    /// The columns' names.
    pub titles: Vec<String>,
    /// A row each.
    pub rows: Vec<Vec<String>>,
}

/// What is shown when nothing was asked for.
const USUAL: &str = "-ef";

pub(super) fn top(engine: &Engine, name: &str, options: &str) -> Result<Processes> {
    let inner = &*engine.0;
    let row = lookup::find(inner, name)?;
    check(options)?;
    if matches!(pause::phase(inner, &row)?, Phase::Restarting(_)) {
        return Err(pause::restarting(&row));
    }
    let pids = pids(inner, &row)?;
    let table = match options {
        "" | USUAL => columns::usual(&pids, inner.now()),
        options => chosen(&ps(options, &pids)?, &pids)?,
    };
    inner.record(Happened::to_container(&row, "top"));
    Ok(table)
}

/// The processes in the container's cgroup.
pub(super) fn pids(inner: &Inner, row: &ContainerRow) -> Result<Vec<i32>> {
    let pids = match cgroup(inner, row)? {
        Some(group) => group.pids()?,
        None => Vec::new(),
    };
    Ok(pids.iter().map(|p| p.as_raw_nonzero().get()).collect())
}

/// The container's cgroup; none when it has ended.
pub(super) fn cgroup(inner: &Inner, row: &ContainerRow) -> Result<Option<Cgroup>> {
    let stored = Stored::parse(&row.id, &row.config)?;
    let path = inner.cgroup(&stored.host.cgroup_parent, &row.id);
    Ok(Cgroup::open(inner.layout()?, &CgroupPath::parse(&path)?)?)
}

/// Refuses a column that is only called PID: by it processes of others would be chosen.
fn check(options: &str) -> Result<()> {
    let renamed = options.split_whitespace().find(|word| {
        let (_, title) = word.split_once('=').unwrap_or((word, ""));
        title.split(',').any(|title| title.starts_with("PID"))
    });
    // `-o user= PID`: the title may stand alone.
    let alone = options.split('=').skip(1).find(|rest| {
        let rest = rest.trim_start();
        rest.starts_with("PID")
    });
    match renamed.or(alone) {
        Some(word) => Err(Error::invalid(format!(
            "specifying \"{}\" is not allowed",
            word.trim()
        ))),
        None => Ok(()),
    }
}

/// What ps(1) prints. Some of its options don't go with a choice of processes: then it prints all.
fn ps(options: &str, pids: &[i32]) -> Result<String> {
    let program = program().ok_or_else(|| {
        Error::unsupported("ps options need the program ps, which this host does not have")
            .hint("install procps, or leave the options away")
    })?;
    let options = options.split_whitespace().map(str::to_owned);
    let mut args: Vec<String> = std::iter::once("ps".to_owned()).chain(options).collect();
    let all: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let mut some = args.clone();
    some.push(format!("-q{}", all.join(",")));
    match run(program.clone(), some)? {
        Ok(text) => Ok(text),
        Err(_) => run(program, std::mem::take(&mut args))?
            .map_err(|said| Error::invalid(format!("error running ps: {}", said.trim()))),
    }
}

/// What the program printed; as an error if it failed.
fn run(program: PathBuf, args: Vec<String>) -> Result<Result<String, String>> {
    let failed = |e| Error::internal("run ps", e);
    let (mut reader, writer) = std::io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let child = Spawn::new(Executable::Path(program), args)
        // Its columns must not be as narrow as a terminal.
        .env("COLUMNS", "16384")
        .env("LC_ALL", "C")
        .fd(writer, 1)
        .fd(errors, 2)
        .start()?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(if child.wait()?.success() {
        Ok(text)
    } else {
        Err(text)
    })
}

fn program() -> Option<PathBuf> {
    std::env::split_paths(spec::profile::PATH)
        .map(|directory| directory.join("ps"))
        .find(|program| program.is_file())
}

/// The rows of `text` with one of `pids` in the column PID.
fn chosen(text: &str, pids: &[i32]) -> Result<Processes> {
    let mut lines = text.lines();
    let titles: Vec<String> = words(lines.next().unwrap_or_default()).collect();
    let column = titles.iter().position(|title| title == "PID");
    let column = column.ok_or_else(|| Error::invalid("Couldn't find PID field in ps output"))?;
    let mut rows = Vec::new();
    // A thread's line has no pid of its own: it belongs to the process before it.
    let mut before = false;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let fields: Vec<String> = words(line).collect();
        let pid = fields.get(column).map_or("", String::as_str);
        before = match pid {
            "-" => before,
            _ => {
                let pid: i32 = pid
                    .parse()
                    .map_err(|_| Error::invalid(format!("Unexpected pid '{pid}' in ps output")))?;
                pids.contains(&pid)
            }
        };
        if before {
            rows.push(folded(&fields, titles.len()));
        }
    }
    Ok(Processes { titles, rows })
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split_ascii_whitespace().map(str::to_owned)
}

/// As many fields as there are titles: the last has the rest of the line.
fn folded(fields: &[String], titles: usize) -> Vec<String> {
    let last = titles.saturating_sub(1).min(fields.len());
    let (first, rest) = fields.split_at(last);
    let mut row = first.to_vec();
    if !rest.is_empty() {
        row.push(rest.join(" "));
    }
    row
}
