//! Sizes, durations and identifiers as people read them, in Docker's words.

use jiff::Timestamp;

/// How many hex digits of an id are shown unless `--no-trunc` is given.
const SHORT_ID: usize = 12;

/// A size in decimal units with three significant digits: `4.26MB`, `0B`.
pub(crate) fn size(bytes: i64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], 3)
}

/// A size in binary units with four significant digits: `1.952GiB`.
pub(crate) fn binary_size(bytes: i64) -> String {
    scaled(
        bytes,
        1024.0,
        &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
        4,
    )
}

fn scaled(bytes: i64, base: f64, units: &[&str], digits: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits at most")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// C's `%.<digits>g` for the values that [`scaled`] makes (0 ≤ value < 1024).
fn significant(value: f64, digits: usize) -> String {
    let mut whole = 1;
    let mut limit = 10.0;
    while value >= limit && whole < 4 {
        whole += 1;
        limit *= 10.0;
    }
    let text = format!("{value:.*}", digits.saturating_sub(whole));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The time from `then` until `now`: `3 minutes ago`.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!(
        "{} ago",
        duration(now.as_second().saturating_sub(then.as_second()))
    )
}

/// A moment in UTC as Go prints it.
pub(crate) fn moment(stamp: Timestamp) -> String {
    format!("{} +0000 UTC", stamp.strftime("%Y-%m-%d %H:%M:%S"))
}

/// A span of whole seconds: `About a minute`.
pub(crate) fn duration(seconds: i64) -> String {
    let minutes = seconds / 60;
    let hours = (seconds + 1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// The first digits of an id, without its algorithm.
pub(crate) fn short_id(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..SHORT_ID).unwrap_or(hex)
}

/// `text` in at most `width` characters, the last one an ellipsis if something was cut.
pub(crate) fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1_000, "1kB"),
            (1_234, "1.23kB"),
            (4_261_550, "4.26MB"),
            (76_900_000, "76.9MB"),
            (124_000_000, "124MB"),
            (1_950_000_000, "1.95GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(binary_size(2_096_000_000), "1.952GiB");
    }

    #[test]
    fn durations_are_dockers() {
        let cases = [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (179, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (15 * 86_400, "2 weeks"),
            (70 * 86_400, "2 months"),
            (800 * 86_400, "2 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn ids_and_text_are_cut() {
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("abc"), "abc");
        assert_eq!(ellipsis("\"sleep 1000 and more\"", 10), "\"sleep 10…");
        assert_eq!(ellipsis("short", 10), "short");
    }
}
