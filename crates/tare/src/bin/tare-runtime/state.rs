//! Commands about a container that was made.

use std::fs::File;
use std::process::ExitCode;

use kernel::cgroup::{Cgroup, CgroupPath, Layout};
use kernel::process::PidFd;
use spec::runtime::{State, Status, VERSION};

use crate::args::Args;
use crate::fault::{Fault, Result};
use crate::report;
use crate::state::{Record, START, Store, check};

pub(crate) fn start(store: &Store, mut args: Args) -> Result<ExitCode> {
    no_flags(&mut args)?;
    let id = args.id()?;
    let record = store.load(&id)?;
    match status(store, &record)? {
        Status::Created => release(store, &id)?,
        Status::Stopped => return Err(Fault::new("cannot start a container that has stopped")),
        Status::Creating | Status::Running | Status::Paused => {
            return Err(Fault::new("cannot start an already running container"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a created container's program begin.
pub(crate) fn release(store: &Store, id: &str) -> Result<()> {
    let path = store.path(id);
    let directory = File::open(&path).map_err(Fault::at("open state directory"))?;
    let socket =
        kernel::socket::connect_at(&directory, START).map_err(Fault::at("connect to container"))?;
    let released = runtime::release(socket.into()).map_err(Fault::of("start container"));
    // Without the socket the container is no longer one that waits.
    std::fs::remove_file(path.join(START)).map_err(Fault::at("remove start socket"))?;
    released
}

pub(crate) fn state(store: &Store, mut args: Args) -> Result<ExitCode> {
    no_flags(&mut args)?;
    let record = store.load(&args.id()?)?;
    let value = shown(store, &record)?;
    let text = serde_json::to_string_pretty(&value).map_err(Fault::at("write state"))?;
    report::out(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The state as the specification has it, and what runc adds.
fn shown(store: &Store, record: &Record) -> Result<serde_json::Value> {
    let status = status(store, record)?;
    let state = State {
        oci_version: VERSION.to_owned(),
        id: record.id.clone(),
        status,
        pid: if status == Status::Stopped {
            0
        } else {
            record.pid
        },
        bundle: record.bundle.clone(),
        annotations: record.annotations.clone(),
    };
    let mut value = serde_json::to_value(state).map_err(Fault::at("write state"))?;
    value["pid"] = serde_json::json!(if status == Status::Stopped {
        0
    } else {
        record.pid
    });
    value["rootfs"] = serde_json::json!(record.rootfs);
    value["created"] = serde_json::json!(record.created);
    value["owner"] = serde_json::json!("");
    Ok(value)
}

pub(crate) fn status(store: &Store, record: &Record) -> Result<Status> {
    if record.process()?.is_none() {
        return Ok(Status::Stopped);
    }
    if store.path(&record.id).join(START).exists() {
        return Ok(Status::Created);
    }
    let frozen = match group(record)? {
        Some(group) => group.is_frozen().map_err(Fault::at("look at cgroup"))?,
        None => false,
    };
    Ok(if frozen {
        Status::Paused
    } else {
        Status::Running
    })
}

fn group(record: &Record) -> Result<Option<Cgroup>> {
    let layout = Layout::probe().map_err(Fault::at("look at cgroups"))?;
    let path = CgroupPath::parse(&record.cgroup).map_err(Fault::at("read state"))?;
    Cgroup::open(&layout, &path).map_err(Fault::at("open cgroup"))
}

pub(crate) fn kill(store: &Store, mut args: Args) -> Result<ExitCode> {
    let mut all = false;
    while let Some(flag) = args.next_flag() {
        match flag.as_str() {
            "a" | "all" => all = args.switch(&flag)?,
            _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
        }
    }
    let id = args.next_id()?;
    let signal = args.next_plain().unwrap_or_else(|| "SIGTERM".to_owned());
    let signal = kernel::signal::parse(&signal)
        .ok_or_else(|| Fault::usage(format!("no such signal: {signal}")))?;
    let record = store.load(&id)?;
    if all {
        let Some(group) = group(&record)? else {
            return Ok(ExitCode::SUCCESS);
        };
        let pids = group.pids().map_err(Fault::at("read processes"))?;
        for process in pids.into_iter().filter_map(|pid| PidFd::open(pid).ok()) {
            // One that ended meanwhile needs no signal.
            drop(process.signal(signal));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let process = record
        .process()?
        .ok_or_else(|| Fault::new("container not running"))?;
    process
        .signal(signal)
        .map_err(Fault::at("kill container"))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn delete(store: &Store, mut args: Args) -> Result<ExitCode> {
    let mut force = false;
    while let Some(flag) = args.next_flag() {
        match flag.as_str() {
            "f" | "force" => force = args.switch(&flag)?,
            _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
        }
    }
    let id = args.id()?;
    check(&id)?;
    if force && !store.path(&id).exists() {
        return Ok(ExitCode::SUCCESS);
    }
    match store.load(&id) {
        Ok(record) => {
            let status = status(store, &record)?;
            if !force && !matches!(status, Status::Stopped | Status::Created) {
                return Err(Fault::new(format!(
                    "cannot delete container {id} that is not stopped"
                )));
            }
            destroy(store, &id)?;
        }
        // What a command that was killed left behind.
        Err(_) if force => store.remove(&id)?,
        Err(fault) => return Err(fault),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends a container and removes all of it.
pub(crate) fn destroy(store: &Store, id: &str) -> Result<()> {
    let record = store.load(id)?;
    if let Some(process) = record.process()? {
        process
            .signal(kernel::signal::SIGKILL)
            .map_err(Fault::at("kill container"))?;
    }
    if let Some(group) = group(&record)? {
        group.kill_all().map_err(Fault::at("kill container"))?;
        group.remove().map_err(Fault::at("remove cgroup"))?;
    }
    store.remove(id)
}

pub(crate) fn list(store: &Store, mut args: Args) -> Result<ExitCode> {
    let (mut quiet, mut json) = (false, false);
    while let Some(flag) = args.next_flag() {
        match flag.as_str() {
            "q" | "quiet" => quiet = args.switch(&flag)?,
            "f" | "format" => {
                json = match args.value(&flag)?.as_str() {
                    "json" => true,
                    "table" => false,
                    other => return Err(Fault::usage(format!("no such format: {other}"))),
                }
            }
            _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
        }
    }
    // One that is removed meanwhile isn't listed.
    let records = store
        .ids()?
        .into_iter()
        .filter_map(|id| store.load(&id).ok());
    let states = records
        .map(|r| shown(store, &r))
        .collect::<Result<Vec<_>>>()?;
    let text = if quiet {
        states
            .iter()
            .map(|s| format!("{}\n", text(s, "id")))
            .collect()
    } else if json {
        serde_json::to_string(&states).map_err(Fault::at("write list"))?
    } else {
        table(&states)
    };
    report::out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(states: &[serde_json::Value]) -> String {
    const COLUMNS: [&str; 6] = ["id", "pid", "status", "bundle", "created", "owner"];
    let header: Vec<String> = COLUMNS.iter().map(|c| c.to_uppercase()).collect();
    let rows = states
        .iter()
        .map(|s| COLUMNS.iter().map(|c| text(s, c)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|r| r[column].len())
            .max()
            .unwrap_or(0)
            .max(8)
            + 4
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

fn text(state: &serde_json::Value, key: &str) -> String {
    match &state[key] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn spec(mut args: Args) -> Result<ExitCode> {
    use std::io::Write;
    let mut bundle = ".".to_owned();
    while let Some(flag) = args.next_flag() {
        match flag.as_str() {
            "b" | "bundle" => bundle = args.value(&flag)?,
            "rootless" => return Err(Fault::unsupported("--rootless")),
            _ => return Err(Fault::usage(format!("no such option: --{flag}"))),
        }
    }
    let mut text = serde_json::to_string_pretty(&spec::profile::default_spec())
        .map_err(Fault::at("write configuration"))?;
    text.push('\n');
    let path = std::path::Path::new(&bundle).join("config.json");
    let fault = || format!("write {}", path.display());
    let mut file = File::create_new(&path).map_err(Fault::at(fault()))?;
    file.write_all(text.as_bytes())
        .map_err(Fault::at(fault()))?;
    Ok(ExitCode::SUCCESS)
}

fn no_flags(args: &mut Args) -> Result<()> {
    match args.next_flag() {
        None => Ok(()),
        Some(flag) => Err(Fault::usage(format!("no such option: --{flag}"))),
    }
}
