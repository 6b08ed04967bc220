//! The exec form: a JSON array of strings.

use std::ops::Range;

use serde_json::Value;

use crate::line::Line;
use crate::word::Word;

/// What a text that may be an array is.
#[derive(Debug, PartialEq, Eq)]
pub enum Array {
    /// An array of strings.
    Strings(Vec<Word>),
    /// An array with something else in it, which Docker refuses.
    NotStrings,
    /// No array: shell form. With the reason, if it looks as if one was meant.
    No(Option<Slip>),
}

/// Why something that was meant as an array is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// No `]` at the end.
    Unclosed,
    /// A string without its closing quote.
    OpenString,
    /// Single quotes.
    SingleQuotes,
    /// A comma too many, before `]`.
    TrailingComma,
    /// Something else.
    Other,
}

impl Slip {
    /// What is wrong and what to type.
    #[must_use]
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Slip::Unclosed => ("the array has no closing `]`", "add `]` at the end"),
            Slip::OpenString => ("a string has no closing `\"`", "close the string with `\"`"),
            Slip::SingleQuotes => (
                "JSON strings have double quotes",
                "write \"…\" instead of '…'",
            ),
            Slip::TrailingComma => ("there is a comma before `]`", "remove the last comma"),
            Slip::Other => (
                "it is no JSON array of strings",
                "write [\"word\", \"word\"], with a backslash before each `\"` and `\\` inside a string",
            ),
        }
    }
}

/// Reads the array in a range of a line.
#[must_use]
pub fn array(line: &Line, range: Range<usize>) -> Array {
    let text = &line.text()[range.clone()];
    let trimmed = text.trim_start();
    if !trimmed.starts_with('[') {
        return Array::No(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<Value>>(trimmed) else {
        return Array::No(slip(trimmed));
    };
    let spans = strings(text);
    let mut words = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let Value::String(text) = value else {
            return Array::NotStrings;
        };
        let at = spans.get(index).cloned().unwrap_or(0..0);
        words.push(Word {
            text,
            span: line.span(range.start + at.start..range.start + at.end),
        });
    }
    Array::Strings(words)
}

/// The ranges of the quoted strings, quotes included.
fn strings(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut open = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (open, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(from), '"') => {
                ranges.push(from..at + 1);
                open = None;
            }
            (None, '"') => open = Some(at),
            _ => {}
        }
    }
    ranges
}

/// `[ -f x ] && y` is shell; `["x"` is a slip.
fn slip(text: &str) -> Option<Slip> {
    let inside = text[1..].trim_start();
    if inside.starts_with('\'') {
        return Some(Slip::SingleQuotes);
    }
    if !inside.starts_with('"') {
        return None;
    }
    let quotes = text.matches('"').count() - text.matches("\\\"").count();
    let closed = text.trim_end().ends_with(']');
    let before = text.trim_end().trim_end_matches(']').trim_end();
    Some(match () {
        () if quotes % 2 == 1 => Slip::OpenString,
        () if !closed => Slip::Unclosed,
        () if before.ends_with(',') => Slip::TrailingComma,
        () => Slip::Other,
    })
}
