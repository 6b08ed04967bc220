//! What goes when everything goes that nobody uses.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::container::list::labelled;

/// What of the unused goes. Every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneFilters {
    /// What was made before this.
    pub until: Option<Timestamp>,
    /// What has all of these: `key` or `key=value`.
    pub label: Vec<String>,
    /// What has none of these.
    pub without: Vec<String>,
}

impl PruneFilters {
    pub(crate) fn admit(&self, created: Timestamp, labels: &BTreeMap<String, String>) -> bool {
        self.until.is_none_or(|until| created <= until)
            && self.label.iter().all(|term| labelled(labels, term))
            && !self.without.iter().any(|term| labelled(labels, term))
    }
}

/// What went, and how many bytes that were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned<T> {
    /// What went.
    pub gone: Vec<T>,
    /// Bytes.
    pub reclaimed: u64,
}

impl<T> Default for Pruned<T> {
    fn default() -> Self {
        Self {
            gone: Vec::new(),
            reclaimed: 0,
        }
    }
}
