//! Points in time, as Go writes them.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// What Go writes for a time that was never set.
pub const ZERO: &str = "0001-01-01T00:00:00Z";

/// A point in time, RFC 3339 with as many digits of a second as it needs; or Go's zero time for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Option<Timestamp>);

impl Time {
    /// Seconds since 1970; Go's zero time is -62135596800.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0.map_or(-62_135_596_800, Timestamp::as_second)
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(Some(time))
    }
}

impl From<Option<Timestamp>> for Time {
    fn from(time: Option<Timestamp>) -> Self {
        Self(time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{time}"),
            None => f.write_str(ZERO),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text == ZERO {
            return Ok(Self(None));
        }
        text.parse()
            .map(|time| Self(Some(time)))
            .map_err(D::Error::custom)
    }
}

/// Writes a time for a log line: always nine digits, as Docker does, so that columns line up.
#[must_use]
pub fn log_stamp(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// A time as query strings have it: seconds since 1970, perhaps with a fraction (`1136073600.000000001`), or RFC 3339.
/// None for empty, 0 and what is no time.
#[must_use]
pub fn parse_query(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    match seconds.parse::<i64>() {
        Ok(seconds) => {
            let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
            let nanos = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction)).parse::<i32>();
            let nanos = nanos.ok().filter(|_| digits)?;
            if seconds == 0 && nanos == 0 {
                return None;
            }
            Timestamp::new(seconds, nanos).ok()
        }
        Err(_) => text.parse().ok(),
    }
}

/// A time as `until` filters have it: as [`parse_query`] takes it, a date (`2026-01-02`, `2026-01-02T15:04`, in UTC), or how long ago it was (`1h30m`).
#[must_use]
pub fn parse_moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(time) = parse_query(text) {
        return Some(time);
    }
    let date = text.trim_end_matches('Z');
    if let Ok(time) = date.parse::<jiff::civil::DateTime>() {
        return jiff::tz::TimeZone::UTC.to_timestamp(time).ok();
    }
    let ago = duration(text)?;
    now.checked_sub(ago).ok()
}

/// A duration as Go writes it: `1h30m`, `1.5s`, `300ms`.
fn duration(text: &str) -> Option<jiff::SignedDuration> {
    let mut rest = text;
    let mut nanos = 0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3.6e12,
            "m" => 6e10,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        nanos += number * unit;
        rest = &rest[end..];
    }
    if text.is_empty() {
        return None;
    }
    jiff::SignedDuration::try_from_secs_f64(nanos / 1e9).ok()
}

#[cfg(test)]
mod tests;
