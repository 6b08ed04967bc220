//! The user's terminal: raw while a container has it, as it was afterwards, whatever happens.

use crate::error::{Error, Result};
use kernel::terminal::RawMode;
use std::io::{IsTerminal as _, Stdin};
use std::os::fd::AsFd as _;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Standard input for as long as the process lives.
static INPUT: LazyLock<Stdin> = LazyLock::new(std::io::stdin);

/// The mode to go back to. Here, and not in [`Raw`], so that a panic finds it.
static HELD: Mutex<Option<RawMode<'static>>> = Mutex::new(None);

/// Standard input in raw mode; as it was once this is dropped.
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    /// Makes standard input raw; none if it is no terminal.
    pub(crate) fn enter() -> Result<Option<Self>> {
        if !input() {
            return Ok(None);
        }
        let mode = RawMode::enter(INPUT.as_fd())
            .map_err(|why| Error::local("make the terminal raw").because(why))?;
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(mode);
        Ok(Some(Self(())))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        drop(HELD.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Whether standard input is a terminal.
pub(crate) fn input() -> bool {
    std::io::stdin().is_terminal()
}

/// Whether standard output is a terminal.
pub(crate) fn output() -> bool {
    std::io::stdout().is_terminal()
}

/// Refuses to go on if standard input is no terminal.
pub(crate) fn require_input() -> Result<()> {
    if input() {
        return Ok(());
    }
    Err(Error::local("the input device is not a TTY")
        .with_hint("run it from a terminal, or leave out -t"))
}

/// The size of the terminal that shows the output: rows and columns.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = kernel::terminal::size(std::io::stdout())
        .or_else(|_| kernel::terminal::size(INPUT.as_fd()))
        .ok()?;
    (size.rows > 0 && size.cols > 0).then_some((size.rows, size.cols))
}

/// Whether standard error is a terminal.
pub(crate) fn talk() -> bool {
    std::io::stderr().is_terminal()
}

/// The size of the terminal that shows standard error: rows and columns.
pub(crate) fn talk_size() -> Option<(u16, u16)> {
    let size = kernel::terminal::size(std::io::stderr()).ok()?;
    (size.rows > 0 && size.cols > 0).then_some((size.rows, size.cols))
}

/// A panic aborts without running destructors, so its hook restores the terminal, before the panic's text is shown.
pub(crate) fn restore_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Not waiting: the panic may have come while it was held.
        if let Ok(mut held) = HELD.try_lock() {
            drop(held.take());
        }
        usual(panic);
    }));
}
