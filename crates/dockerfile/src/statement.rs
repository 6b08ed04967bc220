//! A logical line as keyword, flags and words: the grammar that all instructions share.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::heredoc::{self, Heredoc};
use crate::json::{self, Array, Slip};
use crate::line::{Line, Lines};
use crate::source::Span;
use crate::word::{self, Word};

/// A line that has been cut up, before its words mean anything.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The instruction's name as written.
    pub keyword: Word,
    /// The `--name=value` words.
    pub flags: Vec<Word>,
    /// The arguments, cut as the instruction wants it.
    pub args: Args,
    /// The here-documents that belong to the line.
    pub heredocs: Vec<Heredoc>,
    /// The line without its continuations, from the keyword on.
    pub original: String,
    /// The source, here-documents included.
    pub span: Span,
    /// Only the instruction's line or lines.
    pub line: Span,
    /// Empty lines inside the continuation.
    pub holes: Vec<Span>,
    /// Comments right above.
    pub comments: Vec<Word>,
}

/// The arguments of a statement.
#[derive(Debug, Clone)]
pub enum Args {
    /// None.
    Nothing,
    /// Words.
    Words(Vec<Word>),
    /// A JSON array of strings.
    Json(Vec<Word>),
    /// The rest of the line as one text; with the reason, if it looks like an array and is none.
    Text(Word, Option<Slip>),
    /// Names, values and what separates them.
    Pairs(Vec<Pair>),
    /// `HEALTHCHECK CMD …`: a first word and what follows it.
    Typed(Word, Box<Args>),
    /// `ONBUILD …`.
    Sub(Box<Statement>),
    /// They are wrong; a diagnostic has been given.
    Broken,
}

/// A name and a value, quotes and escapes as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: Word,
    /// The value.
    pub value: Word,
    /// `name value` instead of `name=value`.
    pub legacy: bool,
}

/// Reads the next statement with its here-documents.
pub(crate) fn next(lines: &mut Lines<'_>, found: &mut Vec<Diagnostic>) -> Option<Statement> {
    let line = lines.logical()?;
    let mut statement = cut(&line, 0..line.text().len(), lines.escape, found);
    let heredocs = match statement.heredoc_text() {
        Some(text) => heredoc::of_line(text),
        None => Vec::new(),
    };
    for mut heredoc in heredocs {
        let complete = fill(&mut heredoc, lines);
        statement.span.end = statement.span.end.max(heredoc.span.end);
        if !complete {
            found.push(
                Diagnostic::error(statement.line, "unterminated heredoc").help(format!(
                    "add a line with only {} after the text",
                    heredoc.name
                )),
            );
        }
        statement.heredocs.push(heredoc);
    }
    if let Args::Sub(sub) = &mut statement.args {
        sub.heredocs.clone_from(&statement.heredocs);
    }
    Some(statement)
}

fn fill(heredoc: &mut Heredoc, lines: &mut Lines<'_>) -> bool {
    let mut first = true;
    while let Some((raw, start)) = lines.physical() {
        if std::mem::take(&mut first) {
            heredoc.span = Span::new(start, start);
        }
        heredoc.span.end = start + raw.len();
        let candidate = if heredoc.chomp {
            raw.trim_start_matches('\t')
        } else {
            raw
        };
        if candidate == heredoc.name {
            return true;
        }
        heredoc.content.push_str(raw);
        heredoc.content.push('\n');
    }
    false
}

impl Statement {
    /// The keyword in capitals.
    #[must_use]
    pub fn name(&self) -> String {
        self.keyword.text.to_ascii_uppercase()
    }

    /// The text in which here-documents may start; none in an exec form, or where the instruction has no such thing.
    fn heredoc_text(&self) -> Option<&str> {
        match (self.name().as_str(), &self.args) {
            ("RUN" | "COPY" | "ADD", Args::Json(_)) => None,
            ("RUN" | "COPY" | "ADD", _) => Some(&self.original),
            ("ONBUILD", Args::Sub(sub)) => sub.heredoc_text(),
            _ => None,
        }
    }
}

/// Cuts a range of a line into a statement.
fn cut(line: &Line, range: Range<usize>, escape: char, found: &mut Vec<Diagnostic>) -> Statement {
    let text = &line.text()[range.clone()];
    let start = range.start + text.len() - text.trim_start().len();
    let end = range.start + text.trim_end().len();
    let body = &line.text()[start..end.max(start)];
    let split = body.find(word::is_blank).unwrap_or(body.len());
    let keyword = line.word(start..start + split);
    let (flags, rest) = word::flags(line, start + split..end.max(start));
    let mut statement = Statement {
        original: body.to_owned(),
        span: line.whole(),
        line: line.whole(),
        holes: line.holes.clone(),
        comments: line.comments.clone(),
        flags,
        args: Args::Nothing,
        heredocs: Vec::new(),
        keyword,
    };
    let rest_text = &line.text()[rest..end.max(rest)];
    let rest = rest + rest_text.len() - rest_text.trim_start().len()..end.max(rest);
    if !rest.is_empty() || statement.name() == "CMD" {
        statement.args = arguments(&statement, line, rest, escape, found);
    }
    statement
}

fn arguments(
    statement: &Statement,
    line: &Line,
    rest: Range<usize>,
    escape: char,
    found: &mut Vec<Diagnostic>,
) -> Args {
    if rest.is_empty() {
        return Args::Nothing;
    }
    match statement.name().as_str() {
        "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" => maybe_json(line, rest, found, one_text),
        "ADD" | "COPY" | "VOLUME" => maybe_json(line, rest, found, |line, rest, _| {
            Args::Words(word::by_blanks(line, rest))
        }),
        "ENV" | "LABEL" => pairs(&statement.name(), line, rest, escape, found),
        "ARG" => Args::Words(word::quoted(line, rest, escape)),
        "EXPOSE" | "FROM" => Args::Words(word::by_blanks(line, rest)),
        "HEALTHCHECK" => {
            let text = &line.text()[rest.clone()];
            let split = text.find(char::is_whitespace).unwrap_or(text.len());
            let kind = line.word(rest.start..rest.start + split);
            let after = &text[split..];
            let from = rest.end - after.trim_start().len();
            let args = if from == rest.end {
                Args::Nothing
            } else {
                maybe_json(line, from..rest.end, found, one_text)
            };
            Args::Typed(kind, Box::new(args))
        }
        "ONBUILD" => Args::Sub(Box::new(cut(line, rest, escape, found))),
        _ => one_text(line, rest, None),
    }
}

fn one_text(line: &Line, rest: Range<usize>, slip: Option<Slip>) -> Args {
    Args::Text(line.word(rest), slip)
}

fn maybe_json(
    line: &Line,
    rest: Range<usize>,
    found: &mut Vec<Diagnostic>,
    otherwise: fn(&Line, Range<usize>, Option<Slip>) -> Args,
) -> Args {
    match json::array(line, rest.clone()) {
        Array::Strings(words) => Args::Json(words),
        Array::NotStrings => {
            found.push(
                Diagnostic::error(
                    line.span(rest),
                    "when using JSON array syntax, arrays must be comprised of strings only",
                )
                .help("put each word in double quotes: [\"echo\", \"1\"]"),
            );
            Args::Broken
        }
        Array::No(slip) => {
            if let Some(slip) = slip {
                let (why, help) = slip.explain();
                found.push(
                    Diagnostic::warning("", line.span(rest.clone()), format!("this is read as plain text, not as a list: {why}"))
                        .note("a list that is not valid JSON is taken word by word, brackets and quotes included")
                        .help(help),
                );
            }
            otherwise(line, rest, slip)
        }
    }
}

/// `name=value …`, or the old `name value`.
fn pairs(
    name: &str,
    line: &Line,
    rest: Range<usize>,
    escape: char,
    found: &mut Vec<Diagnostic>,
) -> Args {
    let words = word::quoted(line, rest.clone(), escape);
    let Some(first) = words.first() else {
        return Args::Nothing;
    };
    if !first.text.contains('=') {
        let text = &line.text()[rest.clone()];
        let Some(split) = text.find(word::is_blank) else {
            found.push(
                Diagnostic::error(line.span(rest), format!("{name} must have two arguments"))
                    .help(format!("write {name} {}=value", first.text)),
            );
            return Args::Broken;
        };
        let after = text[split..].trim_start_matches(word::is_blank);
        return Args::Pairs(vec![Pair {
            name: line.word(rest.start..rest.start + split),
            value: line.word(rest.end - after.len()..rest.end),
            legacy: true,
        }]);
    }
    let mut out = Vec::new();
    for word in words {
        let Some((key, value)) = word.text.split_once('=') else {
            found.push(
                Diagnostic::error(
                    word.span,
                    format!(
                        "Syntax error - can't find = in {:?}. Must be of the form: name=value",
                        word.text
                    ),
                )
                .help("put quotes around a value that has spaces in it: name=\"a b\""),
            );
            return Args::Broken;
        };
        out.push(Pair {
            name: Word {
                text: key.to_owned(),
                span: Span::new(word.span.start, word.span.start + key.len()),
            },
            value: Word {
                text: value.to_owned(),
                span: Span::new(word.span.start + key.len() + 1, word.span.end),
            },
            legacy: false,
        });
    }
    Args::Pairs(out)
}
