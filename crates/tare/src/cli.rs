//! The command line: which command, which flags.
//!
//! Only the chosen command's grammar is built (a tree of all would cost a millisecond), so the first words are
//! matched against a table here. Flags come before a command's operands and what follows the image is the
//! container's own, as Docker has it.

mod help;

use crate::commands::{self, Entry};
use crate::error::{Error, Result};
use crate::flag;
use crate::settings::Globals;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};

/// What the command line asks for.
pub(crate) enum Asked {
    /// To run a command. `name` is how the user spelled it.
    Run {
        entry: &'static Entry,
        name: String,
        matches: ArgMatches,
    },
    /// To print a text.
    Help(String),
    /// `--version`.
    Version,
}

/// A command line that isn't understood, and where to read about it.
pub(crate) struct Mistake {
    pub(crate) error: Error,
    /// The command as far as it was understood: `tare run`.
    pub(crate) about: String,
}

/// Understands the command line (without the program's name).
pub(crate) fn parse(words: Vec<String>) -> std::result::Result<(Globals, Asked), Mistake> {
    let top = |error| Mistake {
        error,
        about: "tare".into(),
    };
    let (globals, rest) = globals(words).map_err(top)?;
    let asked = if globals.version {
        Asked::Version
    } else {
        match rest.first().map(String::as_str) {
            None | Some("--help" | "-h") => Asked::Help(commands::overview()),
            Some("help") => help(&rest[1..])?,
            Some(_) => command(&rest)?,
        }
    };
    Ok((globals, asked))
}

fn help(rest: &[String]) -> std::result::Result<Asked, Mistake> {
    if rest.is_empty() {
        return Ok(Asked::Help(commands::overview()));
    }
    let mut words = rest.to_vec();
    words.push("--help".into());
    command(&words)
}

fn command(words: &[String]) -> std::result::Result<Asked, Mistake> {
    let (entry, name, used) = find(words)?;
    let Some(entry) = entry else {
        return Ok(Asked::Help(commands::group_overview(&name)));
    };
    let about = format!("tare {name}");
    match arguments(entry, &name, &words[used..]) {
        Ok(Some(matches)) => Ok(Asked::Run {
            entry,
            name,
            matches,
        }),
        Ok(None) => Ok(Asked::Help(help_text(entry, &name))),
        Err(error) => Err(Mistake { error, about }),
    }
}

/// The command that the words name, its name, and how many words that took. No entry: help about a group.
fn find(words: &[String]) -> std::result::Result<(Option<&'static Entry>, String, usize), Mistake> {
    let first = words[0].as_str();
    if let Some(entry) = commands::find(first) {
        return Ok((Some(entry), first.to_owned(), 1));
    }
    if !commands::is_group(first) {
        let error = unknown(first, first, commands::names());
        return Err(Mistake {
            error,
            about: "tare".into(),
        });
    }
    match words.get(1).map(String::as_str) {
        None | Some("--help" | "-h") => Ok((None, first.to_owned(), 1)),
        Some(second) => {
            let name = format!("{first} {second}");
            if let Some(entry) = commands::find(&name) {
                return Ok((Some(entry), name, 2));
            }
            let error = unknown(&name, second, commands::group_names(first));
            Err(Mistake {
                error,
                about: format!("tare {first}"),
            })
        }
    }
}

fn unknown<'a>(name: &str, word: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::usage(format!("'{name}' is not a tare command.")).missing_operand();
    match nearest(word, known) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error,
    }
}

/// The known word that a slip of the finger makes into `word`.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = if word.len() <= 3 { 1 } else { 2 };
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance; two neighbours swapped count once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Splits the flags before the command from the rest.
fn globals(words: Vec<String>) -> Result<(Globals, Vec<String>)> {
    // The usual case costs nothing.
    if words.first().is_none_or(|word| !word.starts_with('-')) {
        return Ok((Globals::default(), words));
    }
    if matches!(words[0].as_str(), "--help" | "-h") {
        return Ok((Globals::default(), words));
    }
    let rest = clap::Arg::new("rest").num_args(0..).trailing_var_arg(true);
    let grammar = base(Globals::augment_args(Command::new("tare"))).arg(rest);
    let mut matches = read(grammar, &words).map_err(|error| explain(&error))?;
    let rest = matches
        .remove_many::<String>("rest")
        .map(Iterator::collect)
        .unwrap_or_default();
    let globals = Globals::from_arg_matches(&matches).map_err(|error| explain(&error))?;
    Ok((globals, rest))
}

/// Parses a command's words; `None` if its help is wanted.
fn arguments(entry: &Entry, name: &str, words: &[String]) -> Result<Option<ArgMatches>> {
    match read(grammar(entry), words) {
        Ok(matches) => Ok(Some(matches)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(None),
        Err(error) if is_missing_operand(&error) => Err(at_least(entry, name)),
        Err(error) => Err(explain(&error)),
    }
}

fn is_missing_operand(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues
    )
}

fn grammar(entry: &Entry) -> Command {
    let help = clap::Arg::new("help")
        .long("help")
        .action(ArgAction::Help)
        .help("Print usage");
    base((entry.arguments)(Command::new("tare"))).arg(help)
}

/// The rules that hold for every command.
fn base(grammar: Command) -> Command {
    grammar
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
}

fn read(grammar: Command, words: &[String]) -> std::result::Result<ArgMatches, clap::Error> {
    // `--rm=false` and `-i=0`: clap's switches take no value, Go's do. Rewriting them costs, so only if one is there.
    let valued = |word: &String| word.starts_with('-') && word.contains('=');
    let grammar = if words.iter().any(valued) {
        grammar.mut_args(valued_switch)
    } else {
        grammar
    };
    grammar.try_get_matches_from(words)
}

fn valued_switch(argument: clap::Arg) -> clap::Arg {
    if !matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument;
    }
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(flag::boolean)
}

/// clap's error in Docker's words.
pub(crate) fn explain(error: &clap::Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    let flag = context(ContextKind::InvalidArg).unwrap_or_default();
    let flag = flag
        .split([' ', '='])
        .next()
        .unwrap_or(flag)
        .trim_end_matches('[');
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let text = if flag.starts_with("--") {
                format!("unknown flag: {flag}")
            } else if flag.starts_with('-') {
                format!("unknown shorthand flag: {flag}")
            } else {
                return Error::usage(format!("unexpected argument: '{flag}'")).missing_operand();
            };
            match context(ContextKind::SuggestedArg) {
                Some(near) => Error::usage(text).with_hint(format!("did you mean {near}?")),
                None => Error::usage(text),
            }
        }
        ErrorKind::ValueValidation => {
            let why = match std::error::Error::source(error) {
                // The standard library's words speak of digits and bits.
                Some(source) if source.is::<std::num::ParseIntError>() => {
                    "a whole number is expected".to_owned()
                }
                Some(source) => source.to_string(),
                None => String::new(),
            };
            Error::usage(format!(
                "invalid argument \"{value}\" for \"{flag}\" flag: {why}"
            ))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            Error::usage(format!("flag needs an argument: {flag}"))
        }
        ErrorKind::InvalidValue => {
            Error::usage(format!("invalid argument \"{value}\" for \"{flag}\" flag"))
        }
        ErrorKind::TooManyValues => {
            Error::usage(format!("unexpected argument: '{value}'")).missing_operand()
        }
        ErrorKind::InvalidUtf8 => Error::usage("arguments must be UTF-8"),
        _ => {
            let text = error.to_string();
            let first = text
                .lines()
                .next()
                .unwrap_or("the arguments are not understood");
            Error::usage(first.trim_start_matches("error: ").to_owned())
        }
    }
}

fn at_least(entry: &Entry, name: &str) -> Error {
    let count = entry.operands();
    Error::usage(format!(
        "'tare {name}' requires at least {} (usage: tare {name} {})",
        plural(count),
        entry.usage
    ))
    .missing_operand()
}

fn plural(count: usize) -> String {
    if count == 1 {
        "1 argument".to_owned()
    } else {
        format!("{count} arguments")
    }
}

/// The page of `--help`.
pub(crate) fn help_text(entry: &Entry, name: &str) -> String {
    let grammar = grammar(entry);
    let about = grammar
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut text = format!("Usage:  tare {name} {}\n\n{about}\n", entry.usage);
    if entry.paths.len() > 1 {
        let paths: Vec<String> = entry
            .paths
            .iter()
            .map(|path| format!("tare {path}"))
            .collect();
        text.push_str(&format!("\nAliases:\n  {}\n", paths.join(", ")));
    }
    text.push_str(&format!("\nOptions:\n{}", help::options(&grammar)));
    text
}

/// The flags before the command, as `tare --help` lists them.
pub(crate) fn global_options() -> String {
    help::options(&base(Globals::augment_args(Command::new("tare"))))
}
