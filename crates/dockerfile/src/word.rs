//! Words: how the rest of a line is cut up before anything is expanded.

use std::ops::Range;

use crate::line::Line;
use crate::source::Span;

/// A piece of text and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// The text, quotes and escapes as written.
    pub text: String,
    /// Where.
    pub span: Span,
}

impl Word {
    /// A word that stands nowhere, made by the program.
    #[must_use]
    pub fn made(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            span: Span::default(),
        }
    }
}

/// The white space that separates an instruction's words.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Cuts at blanks only, with no regard for quotes: EXPOSE, FROM, COPY.
pub(crate) fn by_blanks(line: &Line, range: Range<usize>) -> Vec<Word> {
    let text = &line.text()[range.clone()];
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (is_blank(c), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                words.push(line.word(range.start + from..range.start + at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Cuts at white space outside quotes, keeping quotes and escapes: ENV, LABEL, ARG.
pub(crate) fn quoted(line: &Line, range: Range<usize>, escape: char) -> Vec<Word> {
    let text = &line.text()[range.clone()];
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut current: Option<(usize, String)> = None;
    let mut quote: Option<char> = None;
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            if let Some((from, word)) = current.take() {
                push(line, &range, (from, at), word, &mut words);
            }
            continue;
        }
        let word = &mut current.get_or_insert_with(|| (at, String::new())).1;
        match quote {
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        if c == escape && quote != Some('\'') {
            // An escape at the very end is dropped; otherwise it and what it escapes stay.
            let Some((_, next)) = chars.next() else { break };
            word.push(c);
            word.push(next);
            continue;
        }
        word.push(c);
    }
    if let Some((from, word)) = current {
        push(line, &range, (from, text.len()), word, &mut words);
    }
    words
}

fn push(
    line: &Line,
    range: &Range<usize>,
    (from, to): (usize, usize),
    text: String,
    words: &mut Vec<Word>,
) {
    if !text.is_empty() {
        words.push(Word {
            text,
            span: line.span(range.start + from..range.start + to),
        });
    }
}

/// Takes the `--flag` words at the front; quotes and backslashes are resolved here. Gives them and where the rest starts.
pub(crate) fn flags(line: &Line, range: Range<usize>) -> (Vec<Word>, usize) {
    let text = &line.text()[range.clone()];
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if !text[at..].starts_with("--") {
            return (found, range.start + at);
        }
        let start = at;
        let mut word = String::new();
        let mut quote: Option<char> = None;
        let mut chars = text[at..].chars();
        while let Some(c) = chars.next() {
            if quote.is_none() && c.is_whitespace() {
                break;
            }
            at += c.len_utf8();
            match quote {
                None if c == '\'' || c == '"' => quote = Some(c),
                Some(open) if c == open => quote = None,
                _ if c == '\\' => {
                    if let Some(next) = chars.next() {
                        at += next.len_utf8();
                        word.push(next);
                    }
                }
                _ => word.push(c),
            }
        }
        if word == "--" {
            return (found, range.start + at);
        }
        found.push(Word {
            text: word,
            span: line.span(range.start + start..range.start + at),
        });
    }
}
