//! What this process knows of execs that its callers made: what was asked for, and how they ended, also when their
//! container has ended since.

use std::collections::{HashMap, VecDeque};

use protocol::ExecId;

use super::ExecConfig;

/// How many are remembered.
const MOST: usize = 1024;

/// What is known of one.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) config: ExecConfig,
    pub(crate) container: spec::ContainerId,
    pub(crate) exit_code: Option<i32>,
    pub(crate) started: bool,
}

/// What is known of all.
#[derive(Debug, Default)]
pub(crate) struct Table {
    known: HashMap<ExecId, Known>,
    order: VecDeque<ExecId>,
}

impl Table {
    pub(crate) fn insert(&mut self, id: ExecId, known: Known) {
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.known.insert(id, known);
    }

    pub(crate) fn get(&self, id: &ExecId) -> Option<&Known> {
        self.known.get(id)
    }

    pub(crate) fn started(&mut self, id: &ExecId) {
        if let Some(known) = self.known.get_mut(id) {
            known.started = true;
        }
    }

    pub(crate) fn ended(&mut self, id: &ExecId, code: i32) {
        if let Some(known) = self.known.get_mut(id) {
            known.exit_code = Some(code);
        }
    }

    /// Those of a container that run, as far as this process knows.
    pub(crate) fn of(&self, container: &spec::ContainerId) -> Vec<String> {
        let running = |id: &&ExecId| {
            self.known.get(id).is_some_and(|known| {
                known.container == *container && known.started && known.exit_code.is_none()
            })
        };
        self.order
            .iter()
            .filter(running)
            .map(ToString::to_string)
            .collect()
    }
}
