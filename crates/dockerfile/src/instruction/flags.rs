//! Which instruction has which flags.

use crate::diagnostic::Diagnostic;
use crate::instruction::Toggle;
use crate::source::Span;
use crate::suggest;
use crate::word::Word;

/// How a flag takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `--name=value`, once.
    Text,
    /// `--name=value`, many times.
    List,
    /// `--name` or `--name=true|false`.
    Bool,
}

/// Instruction, flag, how it takes its value.
pub const FLAGS: &[(&str, &str, Flag)] = &[
    ("ADD", "chown", Flag::Text),
    ("ADD", "chmod", Flag::Text),
    ("ADD", "link", Flag::Bool),
    ("ADD", "keep-git-dir", Flag::Bool),
    ("ADD", "checksum", Flag::Text),
    ("ADD", "exclude", Flag::List),
    ("ADD", "unpack", Flag::Bool),
    ("COPY", "chown", Flag::Text),
    ("COPY", "chmod", Flag::Text),
    ("COPY", "from", Flag::Text),
    ("COPY", "link", Flag::Bool),
    ("COPY", "parents", Flag::Bool),
    ("COPY", "exclude", Flag::List),
    ("FROM", "platform", Flag::Text),
    ("HEALTHCHECK", "interval", Flag::Text),
    ("HEALTHCHECK", "timeout", Flag::Text),
    ("HEALTHCHECK", "start-period", Flag::Text),
    ("HEALTHCHECK", "start-interval", Flag::Text),
    ("HEALTHCHECK", "retries", Flag::Text),
    ("RUN", "mount", Flag::List),
    ("RUN", "network", Flag::Text),
    ("RUN", "security", Flag::Text),
    ("RUN", "device", Flag::List),
];

/// The flags of one statement, checked.
#[derive(Debug)]
pub(crate) struct Flags {
    values: Vec<(&'static str, Word)>,
}

impl Flags {
    /// Checks the flags of an instruction. The first wrong one ends the reading.
    pub(crate) fn read(instruction: &str, words: &[Word]) -> Result<Self, Diagnostic> {
        let mut values: Vec<(&'static str, Word)> = Vec::new();
        for word in words {
            let text = word.text.strip_prefix("--").unwrap_or(&word.text);
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            let known = FLAGS
                .iter()
                .find(|(of, flag, _)| *of == instruction && *flag == name);
            let Some((_, name, kind)) = known else {
                return Err(unknown(instruction, name, word.span));
            };
            let value = match (kind, value) {
                (_, Some(value)) if *kind != Flag::Bool => value.to_owned(),
                (Flag::Bool, None) => "true".to_owned(),
                (Flag::Bool, Some(value)) => match value.to_ascii_lowercase().as_str() {
                    "true" | "" => "true".to_owned(),
                    "false" => "false".to_owned(),
                    other => {
                        return Err(Diagnostic::error(
                            word.span,
                            format!("expecting boolean value for flag {name}, not: {other}"),
                        )
                        .help(format!("write --{name} or --{name}=false")));
                    }
                },
                (_, _) => {
                    return Err(Diagnostic::error(
                        word.span,
                        format!("missing a value on flag: {name}"),
                    )
                    .help(format!("write --{name}=VALUE, with an equals sign")));
                }
            };
            if *kind != Flag::List && values.iter().any(|(seen, _)| seen == name) {
                return Err(Diagnostic::error(
                    word.span,
                    format!("duplicate flag specified: {name}"),
                )
                .help("remove one of the two"));
            }
            let skip = word.text.find('=').map_or(0, |at| at + 1);
            let span = Span::new((word.span.start + skip).min(word.span.end), word.span.end);
            values.push((*name, Word { text: value, span }));
        }
        Ok(Self { values })
    }

    pub(crate) fn text(&self, name: &str) -> Option<Word> {
        self.values
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, word)| word.clone())
    }

    pub(crate) fn list(&self, name: &str) -> Vec<Word> {
        self.values
            .iter()
            .filter(|(n, _)| *n == name)
            .map(|(_, word)| word.clone())
            .collect()
    }

    pub(crate) fn toggle(&self, name: &str) -> Toggle {
        self.given(name).unwrap_or_default()
    }

    pub(crate) fn given(&self, name: &str) -> Option<Toggle> {
        let word = self.text(name)?;
        Some(if word.text == "true" {
            Toggle::On
        } else {
            Toggle::Off
        })
    }
}

fn unknown(instruction: &str, name: &str, span: Span) -> Diagnostic {
    let own = FLAGS
        .iter()
        .filter(|(of, ..)| *of == instruction)
        .map(|(_, flag, _)| *flag);
    let diagnostic = Diagnostic::error(span, format!("unknown flag: --{name}"));
    if let Some(meant) = suggest::nearest(name, own.clone()) {
        return diagnostic.help(format!("did you mean --{meant}?"));
    }
    let elsewhere: Vec<&str> = FLAGS
        .iter()
        .filter(|(_, flag, _)| *flag == name)
        .map(|(of, ..)| *of)
        .collect();
    let own: Vec<String> = own.map(|flag| format!("--{flag}")).collect();
    match (elsewhere.as_slice(), own.is_empty()) {
        ([of, ..], _) => diagnostic.help(format!("--{name} is a flag of {of}; remove it here")),
        ([], false) => diagnostic.help(format!("{instruction} has {}", own.join(", "))),
        ([], true) => diagnostic.help(format!("{instruction} has no flags; remove it")),
    }
}
