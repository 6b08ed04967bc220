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

/// A moment as filters have it: RFC 3339 with or without a time or a zone, seconds since 1970, or how long ago (`1h30m`).
#[must_use]
pub fn parse_moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(ago) = parse_duration(text) {
        return now.checked_sub(ago).ok();
    }
    if let Some(time) = parse_query(text) {
        return Some(time);
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
}

/// `1h30m`, `10s`, `1.5h`, as Go writes durations.
fn parse_duration(text: &str) -> Option<jiff::SignedDuration> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += count * unit;
        rest = &rest[end..];
    }
    (!text.is_empty())
        .then(|| jiff::SignedDuration::try_from_secs_f64(seconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests;
