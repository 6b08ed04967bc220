//! The rules that follow variables: which names are known where.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::document::{Dockerfile, Stage};
use crate::expand::{Expanded, Expander};
use crate::instruction::{Copy, CopySource, Kind};
use crate::lint::Known;
use crate::suggest;
use crate::word::Word;

/// Build arguments that need no declaration: proxies, which RUN sees but expansion does not, and the platform's, which
/// FROM may use.
pub const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The arguments that describe platforms.
pub const PLATFORM: &[&str] = &[
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

pub(super) fn check(file: &Dockerfile, known: &Known<'_>, found: &mut Vec<Diagnostic>) {
    let expander = Expander::new(file.directives.escape);
    let defaults = globals(file, &expander, found);
    let mut scopes: Vec<Scope> = Vec::new();
    for (index, stage) in file.stages.iter().enumerate() {
        from(stage, &expander, &defaults, found);
        let parent = file.stage(&stage.from.base.text, index);
        let mut scope = match parent {
            Some(parent) => scopes[parent].clone(),
            None => Scope::new(stage, known.base_env.get(index).and_then(Option::as_ref)),
        };
        for instruction in &stage.instructions {
            visit(&instruction.kind, &expander, &mut scope, found);
        }
        scopes.push(scope);
    }
}

/// The names that a stage's text may use.
#[derive(Clone)]
struct Scope {
    names: BTreeSet<String>,
    /// All names are known; else a missing one may be the base image's.
    complete: bool,
}

impl Scope {
    fn new(stage: &Stage, env: Option<&Vec<String>>) -> Self {
        let mut names: BTreeSet<String> = env.into_iter().flatten().cloned().collect();
        names.insert("PATH".to_owned());
        Self {
            names,
            complete: env.is_some() || stage.from.base.text == "scratch",
        }
    }
}

/// The global arguments with their defaults expanded.
fn globals(
    file: &Dockerfile,
    expander: &Expander,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = PLATFORM
        .iter()
        .map(|name| ((*name).to_owned(), "linux".to_owned()))
        .collect();
    for (arg, _) in &file.globals {
        let value = match &arg.default {
            Some(word) => {
                expand(word, expander, &|name| values.get(name).cloned(), found).map(|e| e.text)
            }
            None => Some(String::new()),
        };
        super::stages::secret("ARG", &arg.name, found);
        values.insert(arg.name.text.clone(), value.unwrap_or_default());
    }
    values
}

fn from(
    stage: &Stage,
    expander: &Expander,
    values: &BTreeMap<String, String>,
    found: &mut Vec<Diagnostic>,
) {
    let lookup = |name: &str| values.get(name).cloned();
    let base = expand(&stage.from.base, expander, &lookup, found);
    let platform = stage
        .from
        .platform
        .as_ref()
        .and_then(|word| expand(word, expander, &lookup, found));
    let words = [
        (Some(&stage.from.base), &base),
        (stage.from.platform.as_ref(), &platform),
    ];
    let mut undefined = false;
    for (word, expanded) in words {
        let (Some(word), Some(expanded)) = (word, expanded) else {
            continue;
        };
        for name in &expanded.unset {
            undefined = true;
            let mut text = format!("FROM argument '{name}' is not declared");
            let meant = suggest::nearest(name, values.keys().map(String::as_str));
            if let Some(meant) = meant {
                text = format!("{text} (did you mean {meant}?)");
            }
            found.push(
                Diagnostic::warning("UndefinedArgInFrom", word.span, text).help(match meant {
                    Some(meant) => format!("write ${{{meant}}}"),
                    None => format!("write ARG {name}=… before the first FROM"),
                }),
            );
        }
    }
    if let Some(base) = &base
        && stage.from.base.text.contains('$')
        && !undefined
        && !plausible(&base.text)
    {
        found.push(
            Diagnostic::warning(
                "InvalidDefaultArgInFrom",
                stage.from.base.span,
                format!(
                    "Default value for ARG {} results in empty or invalid base image name",
                    stage.from.base.text
                ),
            )
            .help("give the argument a default: ARG name=value"),
        );
    }
    platform_flag(stage, found);
}

fn platform_flag(stage: &Stage, found: &mut Vec<Diagnostic>) {
    let Some(word) = &stage.from.platform else {
        return;
    };
    match word.text.as_str() {
        "$TARGETPLATFORM" | "${TARGETPLATFORM}" => found.push(
            Diagnostic::warning(
                "RedundantTargetPlatform",
                word.span,
                format!("Setting platform to predefined {} in FROM is redundant as this is the default behavior", word.text),
            )
            .help("remove --platform"),
        ),
        // A name with the platform in it says that the constant is meant.
        text if !text.contains('$') && !named_for(stage, text) => found.push(
            Diagnostic::warning(
                "FromPlatformFlagConstDisallowed",
                word.span,
                format!("FROM --platform flag should not use constant value {text:?}"),
            )
            .help("remove --platform, and build with --platform"),
        ),
        _ => {}
    }
}

fn named_for(stage: &Stage, platform: &str) -> bool {
    let Some(name) = stage.name() else {
        return false;
    };
    let mut parts = platform.split('/');
    let os = parts.next().unwrap_or_default();
    let arch = parts.next().unwrap_or_default();
    (!os.is_empty() && name.contains(os)) || (!arch.is_empty() && name.contains(arch))
}

/// Whether a text could name an image.
fn plausible(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with([':', '@', '/', '-', '.'])
        && !text.starts_with([':', '@', '/', '-', '.'])
        && !text.contains("//")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
}

fn visit(kind: &Kind, expander: &Expander, scope: &mut Scope, found: &mut Vec<Diagnostic>) {
    match kind {
        Kind::Arg(args) => {
            for arg in args {
                if let Some(default) = &arg.default {
                    use_word(default, expander, scope, found);
                }
                scope.names.insert(arg.name.text.clone());
            }
        }
        Kind::Env(pairs) => {
            for pair in pairs {
                use_word(&pair.value, expander, scope, found);
            }
            scope
                .names
                .extend(pairs.iter().map(|p| p.name.text.clone()));
        }
        Kind::Label(pairs) => pairs
            .iter()
            .for_each(|p| use_word(&p.value, expander, scope, found)),
        Kind::Expose(words) | Kind::Volume(words) => {
            words
                .iter()
                .for_each(|w| use_word(w, expander, scope, found));
        }
        Kind::User(word) | Kind::Workdir(word) | Kind::Stopsignal(word) => {
            use_word(word, expander, scope, found)
        }
        Kind::Copy(copy) | Kind::Add(copy) => use_copy(copy, expander, scope, found),
        _ => {}
    }
}

fn use_copy(copy: &Copy, expander: &Expander, scope: &Scope, found: &mut Vec<Diagnostic>) {
    for source in &copy.sources {
        match source {
            CopySource::Path(word) => use_word(word, expander, scope, found),
            CopySource::Inline(doc) if doc.expand => {
                let word = Word {
                    text: doc.text(),
                    span: doc.span,
                };
                use_word(&word, &expander.plain_quotes(), scope, found);
            }
            CopySource::Inline(_) => {}
        }
    }
    let words = [
        Some(&copy.target),
        copy.chown.as_ref(),
        copy.chmod.as_ref(),
        copy.from.as_ref(),
        copy.checksum.as_ref(),
    ];
    words
        .into_iter()
        .flatten()
        .for_each(|w| use_word(w, expander, scope, found));
}

fn use_word(word: &Word, expander: &Expander, scope: &Scope, found: &mut Vec<Diagnostic>) {
    let lookup = |name: &str| scope.names.contains(name).then(|| "x".to_owned());
    let Some(expanded) = expand(word, expander, &lookup, found) else {
        return;
    };
    for name in &expanded.unset {
        let meant = suggest::nearest(name, scope.names.iter().map(String::as_str));
        // A name that no one declared may be the base image's; only a slip is worth a word then.
        if !scope.complete && meant.is_none() {
            continue;
        }
        let mut text = format!("Usage of undefined variable '${name}'");
        if let Some(meant) = meant {
            text = format!("{text} (did you mean ${meant}?)");
        }
        found.push(
            Diagnostic::warning("UndefinedVar", word.span, text).help(match meant {
                Some(meant) => format!("write ${meant}"),
                None => format!("write ARG {name} or ENV {name}=… above"),
            }),
        );
    }
}

fn expand(
    word: &Word,
    expander: &Expander,
    lookup: &dyn Fn(&str) -> Option<String>,
    found: &mut Vec<Diagnostic>,
) -> Option<Expanded> {
    match expander.expand(&word.text, lookup) {
        Ok(expanded) => Some(expanded),
        // `${x:?}` speaks about values, which are not known here.
        Err(_) if word.text.contains('?') => None,
        Err(error) => {
            found.push(
                Diagnostic::error(
                    word.span,
                    format!("failed to process {:?}: {error}", word.text),
                )
                .help(help_for(&error.to_string())),
            );
            None
        }
    }
}

fn help_for(error: &str) -> &'static str {
    if error.contains("'}'") {
        "add the closing `}`"
    } else if error.contains("quote") {
        "close the quote, or put a backslash before it"
    } else if error.contains("bad substitution") {
        "write a name between the braces: ${name}; for a dollar sign write \\$"
    } else {
        "modifiers are :- :+ :? - + ? # ## % %% / //; for a dollar sign write \\$"
    }
}
