//! What is wrong, where, why, and what to type instead.

use std::fmt::Write as _;

use crate::source::{Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file builds, but probably not what was meant.
    Warning,
    /// The file cannot be built.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The lint rule's name, which `# check=skip=` takes; empty for syntax.
    pub rule: &'static str,
    /// What is wrong; for errors the words of Docker's frontend, which its clients match.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Why that is so, when the message doesn't say it.
    pub note: Option<String>,
    /// One change that works.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule: "",
            message: message.into(),
            span,
            note: None,
            help: None,
        }
    }

    /// A warning of a rule at a place.
    #[must_use]
    pub fn warning(rule: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            rule,
            ..Self::error(span, message)
        }
    }

    /// Adds the change that works.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Whether the file cannot be built.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// `file:line:column`, the source underlined, the cause and the fix. No colours, ends in a newline.
    #[must_use]
    pub fn render(&self, source: &Source) -> String {
        let place = source.place(self.span.start);
        let (first, last) = source.lines_of(self.span);
        let head = match (self.severity, self.rule) {
            (Severity::Error, "") => "error".to_owned(),
            (Severity::Error, rule) => format!("error[{rule}]"),
            (Severity::Warning, "") => "warning".to_owned(),
            (Severity::Warning, rule) => format!("warning[{rule}]"),
        };
        let mut out = String::new();
        let _ = writeln!(out, "{head}: {}", self.message);
        let gutter = last.to_string().len();
        let pad = " ".repeat(gutter);
        let _ = writeln!(
            out,
            "{pad}--> {}:{}:{}",
            source.name(),
            place.line,
            place.column
        );
        let _ = writeln!(out, "{pad} |");
        // A long instruction shows its first lines: the place is what matters, the file is at hand.
        for number in first..=last.min(first + 3) {
            let text = source.line(number);
            let shown = text.replace('\t', " ");
            let _ = writeln!(out, "{number:>gutter$} | {shown}");
            let (from, to) = self.columns(source, number, text);
            if to > from {
                let _ = writeln!(out, "{pad} | {}{}", " ".repeat(from), "^".repeat(to - from));
            }
        }
        if last > first + 3 {
            let _ = writeln!(out, "{pad} | ...");
        }
        if let Some(note) = &self.note {
            let _ = writeln!(out, "{pad} = note: {note}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{pad} = help: {help}");
        }
        out
    }

    /// The underlined columns of a line, counted from zero.
    fn columns(&self, source: &Source, number: usize, text: &str) -> (usize, usize) {
        let start = source.place(self.span.start);
        let end = source.place(self.span.end);
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let length = text.trim_end().chars().count();
        let from = if number == start.line {
            start.column - 1
        } else {
            indent
        };
        let to = if number == end.line {
            end.column - 1
        } else {
            length
        };
        // Something that is missing at the end of a line still gets one mark.
        (
            from,
            to.min(length)
                .max(if number == start.line { from + 1 } else { from }),
        )
    }
}
