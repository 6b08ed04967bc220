//! Removing what nobody uses.

pub(crate) mod container;
pub(crate) mod image;
pub(crate) mod volume;

use crate::error::Result;
use crate::output::{self, human};
use crate::terminal;
use std::io::BufRead as _;

/// Asks before something is removed; without a terminal nobody can answer, and docker takes that for a yes only with -f.
pub(crate) fn sure(warning: &str) -> Result<bool> {
    output::text(&format!(
        "{warning}\nAre you sure you want to continue? [y/N] "
    ))?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if !terminal::input() {
        output::text("\n")?;
    }
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y"))
}

/// What went, under its title, and how many bytes that were.
pub(crate) fn told(title: &str, lines: &[String], bytes: i64) -> Result<()> {
    if !lines.is_empty() {
        output::line(title)?;
        for line in lines {
            output::line(line)?;
        }
        output::line("")?;
    }
    output::line(&format!("Total reclaimed space: {}", human::size(bytes)))
}
