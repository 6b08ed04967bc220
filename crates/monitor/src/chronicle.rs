//! What the monitor tells everybody: its part of the event file.

use std::collections::BTreeMap;

use protocol::launch::Named;
use protocol::{Event, EventLog, ExecId, ExitRecord, Process};
use spec::ContainerId;

use crate::clock;

const CONTAINER: &str = "container";

/// Where events are written down, and what each of them says of the container.
#[derive(Debug)]
pub(crate) struct Chronicle {
    id: ContainerId,
    /// Nothing is written for an engine that didn't ask for it.
    to: Option<(EventLog, Box<Named>)>,
}

impl Chronicle {
    pub(crate) fn new(id: ContainerId, log: Option<EventLog>, named: Option<Named>) -> Self {
        let to = log.zip(named.map(Box::new));
        Self { id, to }
    }

    /// The container has another name from now on.
    pub(crate) fn rename(&mut self, name: String) {
        if let Some((_, named)) = &mut self.to {
            named.name = name;
        }
    }

    /// Writes down that `action` happened to the container.
    pub(crate) fn record(&self, action: impl Into<String>, more: &[(&str, String)]) {
        let Some((log, named)) = &self.to else {
            return;
        };
        let mut attributes: BTreeMap<String, String> = named.attributes.clone();
        attributes.insert("name".to_owned(), named.name.clone());
        for (name, value) in more {
            attributes.insert((*name).to_owned(), value.clone());
        }
        let mut event = Event::new(clock::now(), CONTAINER, action, self.id.to_string());
        event.attributes = attributes;
        // The disk is full: the container's life goes on, and its end is recorded in a place of its own.
        drop(log.append(&event));
    }

    /// Writes down how the program ended.
    pub(crate) fn record_end(&self, record: &ExitRecord) {
        if record.oom_killed {
            self.record("oom", &[]);
        }
        let lived = record.finished_at.saturating_sub(record.started_at) / 1_000_000_000;
        let more = [
            ("exitCode", record.code.to_string()),
            ("execDuration", lived.to_string()),
        ];
        self.record("die", &more);
    }

    /// Writes down that another program was run in the container.
    pub(crate) fn record_exec(&self, id: &ExecId, process: &Process) {
        let action = format!("exec_start: {}", process.args.join(" "));
        self.record(action, &[("execID", id.to_string())]);
    }

    /// Writes down that it ended.
    pub(crate) fn record_exec_end(&self, id: &ExecId, code: i32) {
        let more = [("execID", id.to_string()), ("exitCode", code.to_string())];
        self.record("exec_die", &more);
    }
}
