//! Physical lines become logical ones: comments and empty lines leave, continuations join.

use std::ops::Range;

use crate::source::Span;
use crate::word::Word;

/// A logical line and the map back to the source.
#[derive(Debug, Clone, Default)]
pub struct Line {
    text: String,
    /// (offset in `text`, offset in the source) where each piece starts.
    pieces: Vec<(usize, usize)>,
    span: Span,
    /// The lines that are empty inside a continuation.
    pub(crate) holes: Vec<Span>,
    /// The comment lines right above, without their `#`.
    pub(crate) comments: Vec<Word>,
}

impl Line {
    /// The joined text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// From the first byte of the first physical line to the last of the last.
    #[must_use]
    pub fn whole(&self) -> Span {
        self.span
    }

    /// The source span of a range of the joined text.
    #[must_use]
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.offset(range.start);
        let end = if range.end > range.start {
            self.offset(range.end - 1) + 1
        } else {
            start
        };
        Span::new(start, end)
    }

    /// A word of a range of the joined text.
    #[must_use]
    pub fn word(&self, range: Range<usize>) -> Word {
        Word {
            text: self.text[range.clone()].to_owned(),
            span: self.span(range),
        }
    }

    fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at);
        match self.pieces.get(piece.wrapping_sub(1)) {
            Some((text, source)) => source + (at - text),
            None => self.span.start,
        }
    }

    fn push(&mut self, text: &str, source: usize) {
        self.pieces.push((self.text.len(), source));
        self.text.push_str(text);
    }
}

/// A reader of physical lines that remembers where it is.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
    pub(crate) escape: char,
}

impl<'a> Lines<'a> {
    /// Starts at `at`, behind the byte order mark and the directives.
    pub(crate) fn new(text: &'a str, at: usize, escape: char) -> Self {
        Self { text, at, escape }
    }

    /// The next physical line with its offset, without its line end.
    pub(crate) fn physical(&mut self) -> Option<(&'a str, usize)> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.at += length;
        let line = rest[..length].strip_suffix('\n').unwrap_or(&rest[..length]);
        Some((line.strip_suffix('\r').unwrap_or(line), start))
    }

    /// The next logical line that says something.
    pub(crate) fn logical(&mut self) -> Option<Line> {
        let mut comments: Vec<Word> = Vec::new();
        loop {
            let (raw, start) = self.physical()?;
            let trimmed = raw.trim_start();
            let begin = start + raw.len() - trimmed.len();
            if let Some(comment) = trimmed.strip_prefix('#') {
                let comment = comment.trim();
                if comment.is_empty() {
                    comments.clear();
                } else {
                    comments.push(Word {
                        text: comment.to_owned(),
                        span: Span::new(begin, begin + trimmed.len()),
                    });
                }
                continue;
            }
            if trimmed.trim().is_empty() {
                continue;
            }
            let mut line = Line {
                span: Span::new(begin, start + raw.trim_end().len()),
                comments,
                ..Line::default()
            };
            self.join(trimmed, begin, &mut line);
            return Some(line);
        }
    }

    fn join(&mut self, first: &str, begin: usize, line: &mut Line) {
        let (piece, mut more) = self.continued(first);
        line.push(piece, begin);
        while more {
            let Some((raw, start)) = self.physical() else {
                return;
            };
            let trimmed = raw.trim_start();
            if trimmed.starts_with('#') {
                continue;
            }
            if trimmed.is_empty() {
                line.holes.push(Span::new(start, start + raw.len()));
                continue;
            }
            let (piece, next) = self.continued(raw);
            line.push(piece, start);
            line.span.end = start + raw.trim_end().len();
            more = next;
        }
    }

    /// The text before a continuation character, and whether there was one. An escaped escape is none.
    fn continued<'t>(&self, text: &'t str) -> (&'t str, bool) {
        let trimmed = text.trim_end_matches([' ', '\t']);
        match trimmed.strip_suffix(self.escape) {
            Some(before) if !before.ends_with(self.escape) => (before, true),
            _ => (text, false),
        }
    }
}
