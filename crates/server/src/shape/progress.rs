//! How far something is, as a number and as a drawn bar.

use api::progress::{Message, ProgressDetail};

/// Half of the bar's length: one sign for two per cent.
const WIDTH: u64 = 50;

/// Adds an amount of bytes to a message, as Docker's daemon draws it.
pub(crate) fn amount(message: Message, current: u64, total: u64) -> Message {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut drawn = String::new();
    if let Some(percent) = current.min(total).saturating_mul(100).checked_div(total) {
        let done = (percent / 2).min(WIDTH);
        let signs = "=".repeat(usize::try_from(done).unwrap_or_default());
        let spaces = " ".repeat(usize::try_from(WIDTH - done).unwrap_or_default());
        drawn = format!("[{signs}>{spaces}] ");
    }
    let numbers = if total > 0 && current <= total {
        format!("{:>8}/{}", size(current), size(total))
    } else {
        format!("{:>8}", size(current))
    };
    Message {
        progress_detail: Some(ProgressDetail {
            current: signed(current),
            total: signed(total),
            ..ProgressDetail::default()
        }),
        progress: drawn + &numbers,
        ..message
    }
}

/// Bytes in powers of a thousand, with four digits that count.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let places = match value {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", UNITS[unit])
}
