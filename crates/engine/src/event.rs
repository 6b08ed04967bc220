//! What happened: written down by whoever did it, told to whoever asks.
//!
//! The engine's parts say `inner.record(...)`; the file is shared with the monitors (`protocol::event`), so that every engine
//! sees what all others did.

mod filter;
mod follow;

use std::collections::BTreeMap;
use std::fs::File;

use jiff::Timestamp;
use protocol::EventLog;
use state::ContainerRow;

use crate::container::stored::Stored;
use crate::error::{Error, Result};
use crate::open::{Engine, Inner, make_dir};
use crate::truth::time;

pub use filter::EventFilters;
pub use follow::Events;

/// What kind of thing something happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
    /// The engine itself.
    Daemon,
    /// The cache of builds.
    Builder,
}

impl Subject {
    /// Its name, as users know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
            Self::Daemon => "daemon",
            Self::Builder => "builder",
        }
    }
}

/// Something that happened, as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// To what kind of thing.
    pub kind: String,
    /// What happened.
    pub action: String,
    /// To which.
    pub id: String,
    /// More about it.
    pub attributes: BTreeMap<String, String>,
}

/// Which events to tell.
#[derive(Debug, Clone, Default)]
pub struct EventRequest {
    /// Those of this time and later that are remembered; only what is to come if none.
    pub since: Option<Timestamp>,
    /// Those up to this time; for ever if none.
    pub until: Option<Timestamp>,
    /// Only those that match.
    pub filters: EventFilters,
}

/// Something that happened just now, to be written down.
#[derive(Debug, Clone)]
#[must_use = "to be given to `Inner::record`"]
pub(crate) struct Happened {
    subject: Subject,
    action: String,
    id: String,
    attributes: BTreeMap<String, String>,
}

impl Happened {
    /// To something that has an id or a name.
    pub(crate) fn to(subject: Subject, action: impl Into<String>, id: impl ToString) -> Self {
        Self {
            subject,
            action: action.into(),
            id: id.to_string(),
            attributes: BTreeMap::new(),
        }
    }

    /// To a container: with its labels, its image and its name.
    pub(crate) fn to_container(row: &ContainerRow, action: impl Into<String>) -> Self {
        let mut happened = Self::to(Subject::Container, action, row.id);
        // A row that can't be read any more still has a name.
        if let Ok(stored) = Stored::parse(&row.id, &row.config) {
            happened.attributes = attributes(&stored);
        }
        happened.with("name", row.name.clone())
    }

    /// With one more attribute.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.insert(name.to_owned(), value.to_string());
        self
    }
}

/// What every event of a container says of it, but for its name.
pub(crate) fn attributes(stored: &Stored) -> BTreeMap<String, String> {
    let mut attributes = stored.config.labels.clone();
    attributes.insert("image".to_owned(), stored.config.image.clone());
    attributes
}

impl Inner {
    /// Writes down what happened. That it can't be written (the disk is full) must not undo what was done.
    pub(crate) fn record(&self, happened: Happened) {
        let time = self.nanos().unsigned_abs();
        let Happened {
            subject,
            action,
            id,
            attributes,
        } = happened;
        let mut event = protocol::Event::new(time, subject.name(), action, id);
        event.attributes = attributes;
        if let Ok(log) = self.events() {
            drop(log.append(&event));
        }
    }

    /// The event file, opened when first needed.
    pub(crate) fn events(&self) -> Result<&EventLog> {
        if let Some(log) = self.event_log.get() {
            return Ok(log);
        }
        let path = &self.config.paths.root;
        make_dir(path)?;
        let root =
            File::open(path).map_err(|e| Error::internal(format!("open {}", path.display()), e))?;
        let log = EventLog::create(root)?;
        Ok(self.event_log.get_or_init(|| log))
    }
}

impl Engine {
    /// What happened and what happens, oldest first.
    ///
    /// # Errors
    /// The event file can't be opened.
    pub fn events(&self, request: EventRequest) -> Result<Events> {
        Events::begin(&self.0, request)
    }
}

impl From<protocol::Event> for Event {
    fn from(event: protocol::Event) -> Self {
        Self {
            time: time(event.time).unwrap_or_default(),
            kind: event.kind,
            action: event.action,
            id: event.id,
            attributes: event.attributes,
        }
    }
}
