//! The engine's types as the wire's, and back.

pub(crate) mod create;
pub(crate) mod endpoint;
pub(crate) mod filters;
pub(crate) mod host;
pub(crate) mod image;
pub(crate) mod inspect;
mod mount;
pub(crate) mod network;
pub(crate) mod progress;
pub(crate) mod stats;
pub(crate) mod summary;

/// A number of bytes: signed on the wire.
pub(crate) fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Null where Docker has null for a list with nothing in it.
pub(crate) fn unless_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
