//! The figures as a table, and the table's place in docs/benchmarks.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::tree::place;
use crate::{peers, shell};

/// One contender's figures, each with its name.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) figures: Vec<(String, f64)>,
}

/// All tables of one bench, carried out of the namespaces as JSON.
#[derive(Debug, Default)]
pub(super) struct Results(BTreeMap<String, Value>);

impl Results {
    /// Adds the table `name`.
    pub(super) fn add(&mut self, name: &str, rows: Vec<Row>) {
        let rows: Vec<Value> = rows
            .into_iter()
            .map(|row| json!({ "name": row.name, "figures": row.figures }))
            .collect();
        self.0.insert(name.to_owned(), Value::from(rows));
    }

    /// Writes all tables to `path`.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let text = json!(self.0).to_string();
        place(path, |file| Ok(file.write_all(text.as_bytes())?))
    }
}

/// Every table as Markdown, by name.
fn tables(results: &str) -> Vec<(String, String)> {
    let results: Value = serde_json::from_str(results).unwrap_or_default();
    let results = results.as_object().cloned().unwrap_or_default();
    results
        .iter()
        .map(|(name, rows)| (name.clone(), table(rows)))
        .collect()
}

/// Figures and, by the first of them, how many times each is the first contender's.
fn table(rows: &Value) -> String {
    let rows: Vec<(&str, Vec<(&str, f64)>)> = rows
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| (row["name"].as_str().unwrap_or_default(), figures(row)))
        .collect();
    let Some((first, base)) = rows.first() else {
        return String::new();
    };
    let base = base.first().map_or(1.0, |(_, value)| *value);
    let mut text = String::from("| |");
    for (name, _) in rows
        .first()
        .map(|(_, figures)| figures.as_slice())
        .unwrap_or_default()
    {
        let _written = write!(text, " {name} |");
    }
    let _written = writeln!(text, " × {first} |");
    let columns = rows.first().map_or(0, |(_, figures)| figures.len());
    let _written = writeln!(text, "|---|{}", "---:|".repeat(columns + 1));
    for (name, figures) in &rows {
        let _written = write!(text, "| {name} |");
        for (_, value) in figures {
            let _written = write!(text, " {} |", number(*value));
        }
        let value = figures.first().map_or(0.0, |(_, value)| *value);
        let _written = writeln!(text, " {} |", number(value / base));
    }
    text
}

fn figures(row: &Value) -> Vec<(&str, f64)> {
    let figures = row["figures"].as_array().into_iter().flatten();
    figures
        .map(|pair| {
            let name = pair[0].as_str().unwrap_or_default();
            (name, pair[1].as_f64().unwrap_or_default())
        })
        .collect()
}

/// Three digits are all that is known.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Prints all tables.
pub(super) fn show(results: &str) {
    for (name, table) in tables(results) {
        shell::say(&format!("\n{name}\n{table}"));
    }
}

/// Puts all tables into docs/benchmarks.md, between their marks.
pub(super) fn record(results: &str) -> Result<()> {
    let path = shell::root().join("docs/benchmarks.md");
    let mut text = fs::read_to_string(&path).context("read docs/benchmarks.md")?;
    let date = shell::output("date", &["-u", "+%Y-%m-%d"])?;
    let kernel = shell::output("uname", &["-sr"])?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let note = format!(
        "{}, {}, {cpus} processors; {}, {}.",
        date.trim(),
        kernel.trim(),
        peers::PODMAN.version()?,
        peers::DOCKER.version()?,
    );
    for (name, table) in tables(results) {
        let body = format!("\n{note}\n\n{table}");
        text = replace(&text, &name, &body)
            .with_context(|| format!("docs/benchmarks.md has no place for {name}"))?;
    }
    place(&path, |file| Ok(file.write_all(text.as_bytes())?))
}

/// `text` with `body` between `<!-- bench:NAME -->` and `<!-- end -->`.
fn replace(text: &str, name: &str, body: &str) -> Option<String> {
    let mark = format!("<!-- bench:{name} -->\n");
    let (before, rest) = text.split_once(&mark)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{mark}{body}<!-- end -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_compares_with_its_first_row() {
        let mut results = Results::default();
        let row = |name: &str, value| Row {
            name: name.to_owned(),
            figures: vec![("median".to_owned(), value)],
        };
        results.add("run", vec![row("floor", 4.0), row("docker", 200.0)]);
        let text = json!(results.0).to_string();
        let expected = "| | median | × floor |\n|---|---:|---:|\n| floor | 4.00 | 1.00 |\n| docker | 200 | 50.0 |\n";
        assert_eq!(tables(&text), [("run".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn a_table_goes_between_its_marks() {
        let text = "a\n<!-- bench:run -->\nold\n<!-- end -->\nb\n";
        let new = replace(text, "run", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- bench:run -->\nnew\n<!-- end -->\nb\n");
        assert!(replace(text, "exec", "").is_none());
    }
}
