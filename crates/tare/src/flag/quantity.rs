//! Numbers with units.

use jiff::{SignedDuration, Timestamp};

/// Go's spellings of a boolean.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

/// `512m`, `1.5g`, `1024`, `64 MiB`: binary units.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let bad = || format!("invalid size: '{text}'; a number and a unit b, k, m or g, such as 512m");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(bad()),
    };
    if number.is_empty() {
        return Err(bad());
    }
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1_i64 << shift).ok_or_else(bad);
    }
    let fraction: f64 = number.parse().map_err(|_| bad())?;
    let scaled = fraction * f64::from(2_u32).powi(shift);
    if !(0.0..9.0e18).contains(&scaled) {
        return Err(bad());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be below 2^63; a fraction of a byte is dropped"
    )]
    Ok(scaled as i64)
}

/// As [`bytes`]; `-1` is unlimited.
pub(crate) fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// A decimal number of CPUs in billionths, exactly.
pub(crate) fn cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("invalid number of CPUs: '{text}'; a decimal number such as 1.5");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    if fraction.trim_end_matches('0').len() > 9 {
        return Err("value is too precise: at most nine decimals".into());
    }
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| bad())?
    };
    let nano: i64 = format!("{:0<9.9}", fraction).parse().map_err(|_| bad())?;
    whole
        .checked_mul(1_000_000_000)
        .and_then(|w| w.checked_add(nano))
        .ok_or_else(bad)
}

/// Go's durations, in nanoseconds: `300ms`, `1m30s`, `1.5h`, `0`.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let bad = || format!("invalid duration: '{text}'; such as 300ms, 1m30s or 2h");
    if text == "0" {
        return Ok(0);
    }
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let unit_at = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let number: f64 = rest[..unit_at].parse().map_err(|_| bad())?;
        rest = &rest[unit_at..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(bad()),
        };
        total += number * unit;
        rest = &rest[unit_end..];
    }
    if total >= 9.0e18 {
        return Err(bad());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be below 2^63")]
    Ok((sign * total) as i64)
}

/// A moment for `--since` and `--until`: a duration before `now`, seconds of Unix time, or a date.
pub(crate) fn when(text: &str, now: Timestamp) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if let Ok(nanos) = duration(text)
        && text != "0"
    {
        let then = now.checked_sub(SignedDuration::from_nanos(nanos));
        return then
            .map(unix)
            .map_err(|_| format!("moment out of range: '{text}'"));
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Ok(text.to_owned());
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(unix(stamp));
    }
    let civil = text.parse::<jiff::civil::DateTime>();
    // Without an offset a date is in UTC, as there is no local time zone in a static binary's container either.
    match civil.and_then(|date| jiff::tz::Offset::UTC.to_timestamp(date)) {
        Ok(stamp) => Ok(unix(stamp)),
        Err(_) => Err(format!(
            "invalid moment: '{text}'; a duration such as 42m or a date such as 2013-01-02T13:23:37Z"
        )),
    }
}

fn unix(stamp: Timestamp) -> String {
    format!("{}.{:09}", stamp.as_second(), stamp.subsec_nanosecond())
}

/// `--restart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty if nothing was given.
    pub(crate) name: String,
    /// For `on-failure`: how often, 0 for ever.
    pub(crate) retries: i64,
}

/// `no`, `always`, `unless-stopped`, `on-failure[:count]`.
pub(crate) fn restart(text: &str) -> Result<Restart, String> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    if name.is_empty() && count.is_some() {
        return Err("invalid restart policy format: no policy provided before colon".into());
    }
    if !matches!(name, "" | "no" | "always" | "unless-stopped" | "on-failure") {
        return Err(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ));
    }
    let retries = match count {
        None => 0,
        Some(count) if name == "on-failure" => {
            count.parse().ok().filter(|n| *n >= 0).ok_or(
                "invalid restart policy format: maximum retry count must be a whole number",
            )?
        }
        Some(_) => {
            return Err(format!(
                "invalid restart policy: maximum retry count cannot be used with restart policy '{name}'"
            ));
        }
    };
    Ok(Restart {
        name: name.to_owned(),
        retries,
    })
}

/// `--ulimit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

const ULIMITS: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `name=soft[:hard]`; -1 is unlimited.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let (name, limits) = text
        .split_once('=')
        .ok_or_else(|| format!("invalid ulimit argument: {text}; expected NAME=SOFT[:HARD]"))?;
    if !ULIMITS.contains(&name) {
        return Err(format!(
            "invalid ulimit type: {name}; one of {}",
            ULIMITS.join(", ")
        ));
    }
    let number = |part: &str| {
        part.parse::<i64>()
            .ok()
            .filter(|n| *n >= -1)
            .ok_or_else(|| format!("invalid ulimit value: {part}"))
    };
    let (soft, hard) = match limits.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(limits)?, number(limits)?),
    };
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(Ulimit {
        name: name.to_owned(),
        soft,
        hard,
    })
}
