//! What a build says while it goes on, and how it learns that nobody wants it any more.

use std::sync::Arc;

use dockerfile::{Diagnostic, Source};
use jiff::Timestamp;
use spec::ImageId;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::error::{Error, Kind};
use crate::open::Engine;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEvent {
    /// When.
    pub time: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is known what will be done; steps are named by their numbers from here on.
    Planned(Vec<Step>),
    /// A step begins.
    Started(usize),
    /// The step's result was there already.
    Cached(usize),
    /// What a step's command wrote.
    Output {
        /// Which.
        step: usize,
        /// Where to.
        stream: Stream,
        /// It.
        bytes: Vec<u8>,
    },
    /// The step's result is there.
    Done {
        /// Which.
        step: usize,
        /// The digest of all that it depends on.
        key: String,
    },
    /// It failed.
    Failed {
        /// Which.
        step: usize,
        /// The exit code of its command.
        code: Option<i64>,
        /// Why.
        message: String,
        /// Its file system, if it was to be kept.
        image: Option<ImageId>,
    },
    /// Something that may not be meant.
    Warning(Warning),
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// For people: `[build 2/5] RUN make`.
    pub name: String,
    /// The steps that it needs.
    pub inputs: Vec<usize>,
}

/// Where a command wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Something that may not be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The rule's name; empty if it is of none.
    pub rule: String,
    /// A line.
    pub message: String,
    /// The source underlined.
    pub detail: String,
}

impl Warning {
    pub(super) fn of(found: &Diagnostic, source: &Source) -> Self {
        let line = source.place(found.span.start).line;
        let rule = if found.rule.is_empty() {
            String::new()
        } else {
            format!("{}: ", found.rule)
        };
        Self {
            rule: found.rule.to_owned(),
            message: format!("{rule}{} (line {line})", found.message),
            detail: found.render(source),
        }
    }
}

/// Through which all parts of a build speak, and hear that they are to stop.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    engine: Engine,
    sender: UnboundedSender<BuildEvent>,
    halt: Arc<watch::Sender<bool>>,
}

impl Voice {
    pub(super) fn new(engine: &Engine, sender: UnboundedSender<BuildEvent>) -> Self {
        Self {
            engine: engine.clone(),
            sender,
            halt: Arc::new(watch::Sender::new(false)),
        }
    }

    /// By which others may stop it.
    pub(super) fn halt(&self) -> Arc<watch::Sender<bool>> {
        Arc::clone(&self.halt)
    }

    /// Nobody to hear it is no failure: it is how a build learns that it is not wanted any more.
    pub(super) fn say(&self, what: What) {
        let time = self.engine.0.now();
        drop(self.sender.send(BuildEvent { time, what }));
    }

    /// Stops all steps.
    pub(super) fn stop(&self) {
        self.halt.send_replace(true);
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.sender.is_closed() || *self.halt.borrow() {
            return Err(canceled());
        }
        Ok(())
    }

    /// Waits until it is to stop.
    pub(super) async fn stopped(&self) {
        let mut halt = self.halt.subscribe();
        tokio::select! {
            () = self.sender.closed() => {}
            _ = halt.wait_for(|halt| *halt) => {}
        }
    }
}

pub(super) fn canceled() -> Error {
    Error::new(Kind::Unavailable, "the build was canceled")
}
