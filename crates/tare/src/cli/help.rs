//! A table of flags, in Docker's layout: sorted, two columns, wrapped.

use crate::terminal;
use clap::{Arg, Command};

/// How wide a page is where no terminal says so.
const WIDTH: usize = 80;
/// Between a flag and what it does.
const GAP: usize = 3;
/// However long the flags are, this much is left for what they do.
const MIN_TEXT: usize = 24;

/// One line or more for each flag of the grammar.
pub(super) fn options(grammar: &Command) -> String {
    let mut flags: Vec<&Arg> = grammar
        .get_arguments()
        .filter(|arg| arg.get_long().is_some() && !arg.is_hide_set())
        .collect();
    flags.sort_by_key(|flag| flag.get_long());
    let rows: Vec<(String, String)> = flags.iter().map(|flag| (name(flag), about(flag))).collect();
    let column = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default()
        + GAP;
    let width = terminal::size().map_or(WIDTH, |(_, columns)| usize::from(columns));
    let room = width.saturating_sub(column + 1).max(MIN_TEXT);
    let mut page = String::new();
    for (name, about) in rows {
        let mut left = name.as_str();
        for line in wrapped(&about, room) {
            page.push_str(format!("{left:column$}{line}").trim_end());
            page.push('\n');
            left = "";
        }
    }
    page
}

/// `  -m, --memory bytes`
fn name(flag: &Arg) -> String {
    let short = flag
        .get_short()
        .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let long = flag.get_long().unwrap_or_default();
    let takes_value = flag.get_num_args().is_none_or(|range| range.takes_values());
    let is_switch = !flag.get_action().takes_values() || flag.is_require_equals_set();
    match flag.get_value_names() {
        Some([value, ..]) if takes_value && !is_switch => format!("  {short}--{long} {value}"),
        _ => format!("  {short}--{long}"),
    }
}

fn about(flag: &Arg) -> String {
    flag.get_help().map(ToString::to_string).unwrap_or_default()
}

fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines
            .last_mut()
            .expect("starts with one line and only grows");
        if !line.is_empty() && line.len() + 1 + word.len() > room {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
