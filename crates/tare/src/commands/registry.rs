//! A registry of one's own.

pub(super) mod collect;
pub(super) mod scrub;
pub(super) mod serve;

use std::time::Duration;

use crate::registry::parse_span;

fn span(text: &str) -> Result<Duration, String> {
    let why = || "expected 90s, 15m, 24h or 7d".to_owned();
    parse_span(text).ok_or_else(why)
}
