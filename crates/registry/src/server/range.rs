//! Ranges: which bytes of a blob are asked for (RFC 9110, 14.2), and which of an upload come (distribution-spec, "Pushing a blob in
//! chunks").

use std::ops::Range;

/// What a `Range` header asks for, of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All: it says nothing, or what is not understood or not supported and must then be ignored.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// None that is there.
    Nothing,
}

/// Reads a `Range` header for a blob of `size` bytes. Of several ranges all is given, which is allowed and bounds the work.
pub(crate) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        // The last bytes.
        (None, Some(count)) if first.is_empty() => match count {
            0 => Wanted::Nothing,
            _ if size == 0 => Wanted::Nothing,
            count => Wanted::Part(size.saturating_sub(count)..size),
        },
        (Some(from), None) if last.is_empty() => part(from, size, size),
        (Some(from), Some(to)) if from <= to => part(from, to.saturating_add(1), size),
        _ => Wanted::Whole,
    }
}

fn part(from: u64, end: u64, size: u64) -> Wanted {
    if from >= size {
        return Wanted::Nothing;
    }
    Wanted::Part(from..end.min(size))
}

/// Reads the `Content-Range` of a chunk: `0-99`, both ends inclusive; `bytes 0-99/100` is understood too.
pub(crate) fn chunk(header: &str) -> Option<Range<u64>> {
    let text = header.trim();
    let text = text.strip_prefix("bytes").map_or(text, str::trim_start);
    let text = text.strip_prefix('=').unwrap_or(text);
    let text = text.split('/').next().unwrap_or_default();
    let (first, last) = text.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then(|| first..last.saturating_add(1))
}

/// Digits and nothing else: no sign, no space.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The `Range` header of an upload that has so many bytes.
pub(crate) fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_blob() {
        for (text, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-99", Wanted::Part(0..10)),
            ("bytes=3-", Wanted::Part(3..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=9-9", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-20", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes=0-18446744073709551615", Wanted::Part(0..10)),
            ("bytes=0-18446744073709551616", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(text), 10), expected, "{text}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Nothing);
    }

    #[test]
    fn of_a_chunk() {
        assert_eq!(chunk("0-99"), Some(0..100));
        assert_eq!(chunk("bytes 5-5/10"), Some(5..6));
        assert_eq!(chunk("bytes=5-5"), Some(5..6));
        for bad in [
            "",
            "5",
            "5-",
            "-5",
            "5-4",
            "a-b",
            "0--1",
            "0-+1",
            "99999999999999999999-0",
        ] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
