//! Parser directives: `# syntax=`, `# escape=`, `# check=`, before anything else in the file.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::suggest;
use crate::word::Word;

/// What the directives at the top say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: an image that is a frontend. Recognised; the built-in frontend runs.
    pub syntax: Option<Word>,
    /// The escape character: a backslash, or a backtick.
    pub escape: char,
    /// `# check=`: what the lint leaves out, and whether its findings are errors.
    pub check: Check,
}

/// `# check=skip=A,B;error=true`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// Rules that are not looked at.
    pub skip: Vec<String>,
    /// No rule is looked at.
    pub skip_all: bool,
    /// Rules that are off by default and wanted here.
    pub experimental: Vec<String>,
    /// All rules that are off by default are wanted.
    pub experimental_all: bool,
    /// A finding ends the build.
    pub error: bool,
}

impl Check {
    /// Reads `skip=A,B;error=true;experimental=all`, as the directive and the build argument `BUILDKIT_DOCKERFILE_CHECK` have it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut check = Self::default();
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(format!(
                    "invalid check option {part:?}: it has the form name=value"
                ));
            };
            let list = || {
                value
                    .split(',')
                    .map(|v| v.trim().to_owned())
                    .collect::<Vec<_>>()
            };
            match key.trim() {
                "skip" if value.trim() == "all" => check.skip_all = true,
                "skip" => check.skip = list(),
                "experimental" if value.trim() == "all" => check.experimental_all = true,
                "experimental" => check.experimental = list(),
                "error" => {
                    check.error = match value.trim() {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        other => {
                            return Err(format!(
                                "invalid check option error={other}: it is true or false"
                            ));
                        }
                    };
                }
                other => {
                    return Err(format!(
                        "invalid check option {other:?}: skip, error and experimental are known"
                    ));
                }
            }
        }
        Ok(check)
    }
}

/// Reads the directives; gives them and the offset of the first line that is none.
pub(crate) fn read(text: &str, found: &mut Vec<Diagnostic>) -> (Directives, usize) {
    let mut directives = Directives {
        syntax: None,
        escape: '\\',
        check: Check::default(),
    };
    let mut seen: Vec<String> = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    if text[at..].starts_with("#!") {
        at = line_end(text, at);
    }
    while at < text.len() {
        let end = line_end(text, at);
        let raw = text[at..end].trim_end();
        let Some((key, value)) = directive(raw) else {
            break;
        };
        let name = key.to_ascii_lowercase();
        if !["syntax", "escape", "check"].contains(&name.as_str()) {
            if let Some(meant) = suggest::nearest(&name, ["syntax", "escape", "check"]) {
                found.push(
                    Diagnostic::warning(
                        "",
                        Span::new(at, at + raw.len()),
                        format!("`{key}` is no parser directive, so this line is a comment"),
                    )
                    .help(format!("did you mean `# {meant}={value}`?")),
                );
            }
            break;
        }
        let span = Span::new(at, at + raw.len());
        if seen.contains(&name) {
            found.push(
                Diagnostic::error(
                    span,
                    format!("only one {name} parser directive can be used"),
                )
                .help("remove one of the two lines"),
            );
        }
        let start = at + raw.len() - value.len();
        apply(&name, value, start, &mut directives, found);
        seen.push(name);
        at = end;
    }
    (directives, at)
}

fn apply(
    name: &str,
    value: &str,
    start: usize,
    directives: &mut Directives,
    found: &mut Vec<Diagnostic>,
) {
    let span = Span::new(start, start + value.len());
    match name {
        "syntax" => {
            directives.syntax = Some(Word {
                text: value.to_owned(),
                span,
            });
        }
        "escape" => match value {
            "\\" => directives.escape = '\\',
            "`" => directives.escape = '`',
            other => found.push(
                Diagnostic::error(span, format!("invalid ESCAPE '{other}'. Must be ` or \\"))
                    .help("write `# escape=\\` or remove the line"),
            ),
        },
        _ => match Check::parse(value) {
            Ok(check) => directives.check = check,
            Err(message) => found.push(Diagnostic::error(span, message)),
        },
    }
}

fn directive(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('#')?.trim_start();
    let (key, value) = rest.split_once('=')?;
    let key = key.trim_end();
    let value = value.trim_start();
    let mut chars = key.chars();
    let named = chars.next()?.is_ascii_alphabetic() && chars.all(|c| c.is_ascii_alphanumeric());
    (named && !value.is_empty()).then_some((key, value))
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}
