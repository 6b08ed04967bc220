//! Arguments as Go's and C's programs take them: `--name value`, `--name=value`, `-n value`, `--` ends the flags.

use std::collections::VecDeque;

use crate::fault::{Fault, Result};

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Args {
    left: VecDeque<String>,
    /// The value that came with the flag read last.
    attached: Option<String>,
}

impl Args {
    pub(crate) fn new(args: Vec<String>) -> Self {
        Self {
            left: args.into(),
            attached: None,
        }
    }

    /// The next flag's name without dashes; none if what comes next is none.
    pub(crate) fn next_flag(&mut self) -> Option<String> {
        let next = self.left.front()?;
        if next == "--" {
            self.left.pop_front();
            return None;
        }
        let name = next.strip_prefix("--").or_else(|| next.strip_prefix('-'))?;
        if name.is_empty() {
            return None;
        }
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (name.to_owned(), None),
        };
        self.left.pop_front();
        self.attached = value;
        Some(name)
    }

    /// The value of the flag that was read last.
    pub(crate) fn value(&mut self, flag: &str) -> Result<String> {
        let value = self.attached.take().or_else(|| self.left.pop_front());
        value.ok_or_else(|| Fault::usage(format!("option --{flag} needs a value")))
    }

    /// Whether the switch that was read last is on: alone, or with a value that says so.
    pub(crate) fn switch(&mut self, flag: &str) -> Result<bool> {
        match self.attached.take().as_deref() {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0" | "auto") => Ok(false),
            Some(_) => Err(Fault::usage(format!("option --{flag} is on or off"))),
        }
    }

    pub(crate) fn no_value(&mut self, flag: &str) -> Result<()> {
        self.switch(flag).map(drop)
    }

    /// The next argument, whatever it looks like.
    pub(crate) fn next_plain(&mut self) -> Option<String> {
        self.left.pop_front()
    }

    /// Puts a command in the place of all that is left.
    pub(crate) fn replace(&mut self, command: &str) {
        self.left = VecDeque::from([command.to_owned()]);
    }

    /// All that is left.
    pub(crate) fn rest(self) -> Vec<String> {
        self.left.into()
    }

    /// The one argument that must be left: a container's id.
    pub(crate) fn id(mut self) -> Result<String> {
        let id = self.next_id()?;
        match self.next_plain() {
            None => Ok(id),
            Some(more) => Err(Fault::usage(format!("one argument too many: {more}"))),
        }
    }

    /// The next argument: a container's id.
    pub(crate) fn next_id(&mut self) -> Result<String> {
        self.next_plain()
            .ok_or_else(|| Fault::usage("a container's id is missing"))
    }
}
