//! Terminals: sizes, and raw mode that ends.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::Result;
use crate::error::At;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub cols: u16,
}

/// Whether `fd` is a terminal.
pub fn is_terminal(fd: impl AsFd) -> bool {
    rustix::termios::isatty(fd)
}

/// The size of the terminal.
///
/// # Errors
/// `ENOTTY` if it is none.
pub fn size(terminal: impl AsFd) -> Result<Size> {
    let size = tcgetwinsize(terminal).at("read size of", "terminal")?;
    Ok(Size {
        rows: size.ws_row,
        cols: size.ws_col,
    })
}

/// Sets the size of the terminal, of which its foreground processes are told by a signal.
///
/// # Errors
/// `ENOTTY` if it is none.
pub fn set_size(terminal: impl AsFd, size: Size) -> Result<()> {
    let size = rustix::termios::Winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).at("set size of", "terminal")
}

/// A terminal in raw mode: every byte as it comes, no echo, no signals. It is as before when this is dropped.
#[derive(Debug)]
pub struct RawMode<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> RawMode<'a> {
    /// Puts the terminal into raw mode.
    ///
    /// # Errors
    /// `ENOTTY` if it is none.
    pub fn enter(terminal: BorrowedFd<'a>) -> Result<Self> {
        let before = tcgetattr(terminal).at("read mode of", "terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Now, &raw).at("set mode of", "terminal")?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
