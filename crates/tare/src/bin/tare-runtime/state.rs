//! `state`, and what state a container is in.

use std::process::ExitCode;

use kernel::root::RootDir;
use kernel::user::Users;
use serde::Serialize;
use spec::runtime::Status;

use crate::args::{Given, Order};
use crate::commands::Command;
use crate::fault::{Fault, Result};
use crate::store::Record;
use crate::{Cx, log};

pub(crate) const COMMAND: Command = Command {
    name: "state",
    arguments: "ID",
    about: "tell the state of a container as JSON",
    details: "",
    flags: &[],
    order: Order::Anywhere,
    run: state,
};

fn state(cx: &Cx, given: &Given) -> Result<ExitCode> {
    let record = cx.store.load(given.id()?)?;
    let state = State::of(cx, &record)?;
    let text = serde_json::to_string_pretty(&state).map_err(Fault::at("write state"))?;
    log::out(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The state as the specification has it, and what runc adds.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    #[serde(rename = "ociVersion")]
    version: String,
    pub(crate) id: String,
    pub(crate) pid: i32,
    pub(crate) status: Status,
    pub(crate) bundle: String,
    rootfs: String,
    pub(crate) created: String,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    annotations: std::collections::BTreeMap<String, String>,
    pub(crate) owner: String,
}

impl State {
    pub(crate) fn of(cx: &Cx, record: &Record) -> Result<Self> {
        let status = status(cx, record)?;
        Ok(Self {
            version: record.oci_version.clone(),
            id: record.id.clone(),
            pid: match status {
                Status::Stopped => 0,
                _ => record.pid,
            },
            status,
            bundle: record.bundle.clone(),
            rootfs: record.rootfs.clone(),
            created: record.created.clone(),
            annotations: record.annotations.clone(),
            owner: owner(cx, &record.id),
        })
    }
}

/// The state that hooks and listeners are told.
pub(crate) fn told(record: &Record, status: Status) -> spec::runtime::State {
    spec::runtime::State {
        oci_version: spec::runtime::VERSION.to_owned(),
        id: record.id.clone(),
        status,
        pid: match status {
            Status::Stopped => 0,
            _ => record.pid,
        },
        bundle: record.bundle.clone(),
        annotations: record.annotations.clone(),
    }
}

/// The name of the user whose a container is; its number with `#` where it has none.
fn owner(cx: &Cx, id: &str) -> String {
    let Some(uid) = cx.store.owner(id) else {
        return String::new();
    };
    if uid == 0 {
        return "root".to_owned();
    }
    let users = RootDir::open("/").and_then(|root| Users::read(&root));
    let user = users.ok().and_then(|users| users.by_uid(uid));
    user.map_or_else(|| format!("#{uid}"), |user| user.name)
}

/// What state the container is in now.
pub(crate) fn status(cx: &Cx, record: &Record) -> Result<Status> {
    if record.pid == 0 {
        // One whose maker is gone will never be more.
        return Ok(match cx.store.is_being_made(&record.id)? {
            true => Status::Creating,
            false => Status::Stopped,
        });
    }
    if record.process()?.is_none() {
        return Ok(Status::Stopped);
    }
    if is_frozen(record)? {
        return Ok(Status::Paused);
    }
    Ok(match cx.store.waits(&record.id)? {
        true => Status::Created,
        false => Status::Running,
    })
}

/// Whether the container's cgroup is frozen.
pub(crate) fn is_frozen(record: &Record) -> Result<bool> {
    let Some(file) = &record.freezer else {
        return Ok(false);
    };
    match std::fs::read_to_string(file) {
        // `FROZEN` in version 1, a line `frozen 1` in version 2.
        Ok(text) => Ok(text.trim() == "FROZEN" || text.lines().any(|l| l == "frozen 1")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::at(format!("read {}", file.display()))(error)),
    }
}

/// How a state is written.
pub(crate) fn name(status: Status) -> &'static str {
    match status {
        Status::Creating => "creating",
        Status::Created => "created",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Stopped => "stopped",
    }
}
