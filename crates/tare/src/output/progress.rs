//! A build as the user sees it: lines, a live picture, raw JSON, or nothing but what went wrong. All of it is talk, on standard
//! error; raw JSON is data.

mod plain;
mod raw;
mod step;
mod tty;

use crate::error::{Error, Result};
use api::build::{BuildFailure, BuildStatus};
use std::time::Duration;

/// How often a live picture is drawn again.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Auto,
    Plain,
    Tty,
    Raw,
    Quiet,
}

impl Mode {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "" | "auto" => Self::Auto,
            "plain" => Self::Plain,
            "tty" => Self::Tty,
            "rawjson" => Self::Raw,
            "quiet" | "none" => Self::Quiet,
            _ => {
                return Err(Error::usage(format!("invalid progress value {text}"))
                    .with_hint("auto, plain, tty, quiet or rawjson"));
            }
        })
    }
}

/// One way of showing.
pub(crate) trait Progress {
    /// Something happened; `line` is how it came.
    fn show(&mut self, status: &BuildStatus, line: &[u8]) -> Result<()>;

    /// Some time has passed.
    fn tick(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether time matters.
    fn is_live(&self) -> bool {
        false
    }

    /// How many warnings came.
    fn warnings(&self) -> usize;

    /// It failed: what has to be said before the last line.
    fn failed(&mut self, failure: &BuildFailure) -> Result<()>;
}

/// The way that is asked for; `auto` is a live picture where there is a terminal to draw on.
pub(crate) fn of(mode: Mode) -> Result<Box<dyn Progress>> {
    let terminal = crate::terminal::talk();
    Ok(match mode {
        Mode::Tty if !terminal => {
            return Err(
                Error::usage("progress=tty needs a terminal on standard error")
                    .with_hint("--progress plain"),
            );
        }
        Mode::Auto if terminal => Box::new(tty::Tty::default()),
        Mode::Tty => Box::new(tty::Tty::default()),
        Mode::Auto | Mode::Plain => Box::new(plain::Plain::default()),
        Mode::Raw => Box::new(raw::Raw::default()),
        Mode::Quiet => Box::new(plain::Plain::quiet()),
    })
}
