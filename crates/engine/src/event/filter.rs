//! Which events are wanted.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::Event;
use crate::container::list::labelled;

/// Which events are wanted, by Docker's keys: every key must match, of its values one, of labels all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilters(BTreeMap<String, Vec<String>>);

/// Kinds of things by whose id or name events may be asked for.
const NAMED: [&str; 9] = [
    "config",
    "container",
    "daemon",
    "network",
    "node",
    "plugin",
    "secret",
    "service",
    "volume",
];
/// Actions that have more behind a colon. Whoever asks for one of them by its first word means all.
const LONG_ACTIONS: [&str; 3] = ["health_status", "exec_create", "exec_start"];

impl EventFilters {
    /// The keys that there are.
    pub const KEYS: [&'static str; 14] = [
        "config",
        "container",
        "daemon",
        "event",
        "image",
        "label",
        "network",
        "node",
        "plugin",
        "scope",
        "secret",
        "service",
        "type",
        "volume",
    ];

    /// Adds a value for a key.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().push(value.into());
    }

    /// Whether an event is wanted.
    #[must_use]
    pub fn admit(&self, event: &Event) -> bool {
        self.event(&event.action)
            && self.exact("type", &event.kind)
            && self.exact("scope", "local")
            && NAMED.iter().all(|kind| self.named(kind, event))
            && self.image(event)
            && self
                .values("label")
                .iter()
                .all(|term| labelled(&event.attributes, term))
    }

    fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn exact(&self, key: &str, value: &str) -> bool {
        let values = self.values(key);
        values.is_empty() || values.iter().any(|wanted| wanted == value)
    }

    fn event(&self, action: &str) -> bool {
        let values = self.values("event");
        if values.iter().any(|v| LONG_ACTIONS.contains(&v.as_str())) {
            return values
                .iter()
                .any(|wanted| action.starts_with(wanted.as_str()));
        }
        self.exact("event", action)
    }

    fn named(&self, kind: &str, event: &Event) -> bool {
        let values = self.values(kind);
        let name = event.attributes.get("name").map_or("", String::as_str);
        values.is_empty()
            || kind == event.kind
                && values.iter().any(|wanted| {
                    event.id.starts_with(wanted.as_str())
                        || wanted.strip_prefix('/').unwrap_or(wanted) == name
                })
    }

    fn image(&self, event: &Event) -> bool {
        let values = self.values("image");
        if values.is_empty() {
            return true;
        }
        let attribute = match event.kind.as_str() {
            "container" => "image",
            _ => "name",
        };
        let name = event.attributes.get(attribute).map_or("", String::as_str);
        let candidates = [&event.id, name, untagged(&event.id), untagged(name)];
        values.iter().any(|v| candidates.contains(&v.as_str()))
    }
}

/// An image's name without its tag: a colon before a slash is a port.
fn untagged(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}
