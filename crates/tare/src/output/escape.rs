//! Text that others wrote, made safe to show.
//!
//! A label, an image name or an error text may hold terminal control sequences; shown raw, they could rewrite what
//! the user sees. Data streams (logs, attach, exec) are the container's own and pass untouched.

use std::borrow::Cow;

/// `text` with control characters (C0 without tab and newline, DEL, C1) written as `\xNN`.
pub(crate) fn controls(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// As [`controls`], for one cell of a table: newlines and tabs would break its row.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    match controls(text) {
        Cow::Borrowed(same) if !same.contains(['\n', '\t']) => Cow::Borrowed(same),
        other => Cow::Owned(other.replace('\n', "\\n").replace('\t', "\\t")),
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(controls("a\x1b[2Jb\u{9b}c\x7f"), "a\\x1b[2Jb\\x9bc\\x7f");
        assert_eq!(controls("tab\tline\n"), "tab\tline\n");
        assert_eq!(cell("a\tb\nc"), "a\\tb\\nc");
        assert!(matches!(cell("plain ünïcode"), Cow::Borrowed(_)));
    }
}
