//! Where something stands in the text.

use std::ops::Range;

/// A range of bytes of the source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` to before `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Span) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// A place for people: both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// A named text and its line table.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    starts: Vec<usize>,
}

impl Source {
    /// Takes a text, whose `name` is shown before `:line:column`.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            name: name.into(),
            text,
            starts,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines there are; a newline at the end starts no further one.
    #[must_use]
    pub fn line_count(&self) -> usize {
        if self.text.ends_with('\n') || self.text.is_empty() {
            self.starts.len() - 1
        } else {
            self.starts.len()
        }
    }

    /// The place of a byte; bytes past the end are at the end.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Place {
            line,
            column: self.text[start..offset].chars().count() + 1,
        }
    }

    /// The first and last line that a span touches, counted from one.
    #[must_use]
    pub fn lines_of(&self, span: Span) -> (usize, usize) {
        let first = self.place(span.start).line;
        let last = self.place(span.end.max(span.start + 1) - 1).line;
        (first, last.max(first))
    }

    /// The text of a line (counted from one) without its line end.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let Some(range) = self.line_range(number) else {
            return "";
        };
        self.text[range].trim_end_matches(['\n', '\r'])
    }

    fn line_range(&self, number: usize) -> Option<Range<usize>> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self.starts.get(number).copied().unwrap_or(self.text.len());
        Some(start..end)
    }
}
