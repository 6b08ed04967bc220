//! Here-documents: `<<EOF`, `<<-EOF`, `<<"EOF"`, several a line.

use crate::expand::Expander;
use crate::source::Span;

/// One here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// Its delimiter without quotes; also the name of the file that COPY and ADD make.
    pub name: String,
    /// Whether variables are expanded: no part of the delimiter was quoted.
    pub expand: bool,
    /// `<<-`: leading tabs leave.
    pub chomp: bool,
    /// `3<<EOF`: the descriptor's number, as written.
    pub descriptor: String,
    /// The lines, each with its newline, as written.
    pub content: String,
    /// Where the content stands.
    pub span: Span,
}

impl Heredoc {
    /// The content with leading tabs removed where `<<-` asks for it.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content
            .split_inclusive('\n')
            .map(|line| line.trim_start_matches('\t'))
            .collect()
    }
}

/// Reads one word as the start of a here-document.
#[must_use]
pub fn word(text: &str) -> Option<Heredoc> {
    let (descriptor, rest) = text.split_once("<<")?;
    if !descriptor.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let none = |_: &str| None;
    let plain = Expander::new('\\').keep_unset();
    let words = plain.expand(rest, &none).ok()?.words;
    let [name] = words.as_slice() else {
        return None;
    };
    let raw = plain
        .raw_quotes()
        .raw_escapes()
        .expand(rest, &none)
        .ok()?
        .words;
    Some(Heredoc {
        expand: raw.first() == Some(name),
        name: name.clone(),
        chomp,
        descriptor: descriptor.to_owned(),
        content: String::new(),
        span: Span::default(),
    })
}

/// All here-documents that a line starts.
#[must_use]
pub fn of_line(text: &str) -> Vec<Heredoc> {
    if !text.contains("<<") {
        return Vec::new();
    }
    let none = |_: &str| None;
    let Ok(expanded) = Expander::new('\\')
        .keep_unset()
        .raw_quotes()
        .raw_escapes()
        .expand(text, &none)
    else {
        return Vec::new();
    };
    expanded.words.iter().filter_map(|w| word(w)).collect()
}
