//! Text for people and scripts: standard output is data, standard error is talk.
//!
//! Nothing else in the program prints. What servers wrote is escaped on its way out (see `escape`).

pub(crate) mod board;
mod confirm;
pub(crate) mod escape;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod table;
mod template;
mod view;

pub(crate) use confirm::confirm;
pub(crate) use view::{Format, View, list, template};

use crate::error::{Error, Kind, Result};
use std::io::Write;

/// Prints one line of data.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(escape::controls(text).as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .map_err(Error::stdout)
}

/// Prints text that was made safe already and has its own line ends.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::stdout)
}

/// Says something to the user. Nobody to hear it is no failure.
pub(crate) fn say(text: &str) {
    let text = escape::controls(text);
    drop(
        std::io::stderr()
            .lock()
            .write_all(format!("{text}\n").as_bytes()),
    );
}

/// Reports a failure: one line, then what to do about it.
pub(crate) fn failure(error: &Error, prefix: &str) {
    if error.kind == Kind::Closed {
        return;
    }
    let prefix = match error.kind {
        // Docker prints what the engine said bare, except in `run`.
        Kind::Engine(_) if prefix.is_empty() => "",
        Kind::Bare => "",
        _ => "tare: ",
    };
    say(&format!("{prefix}{}", error.story()));
    if let Some(hint) = error.hint() {
        say(&format!("hint: {hint}"));
    }
}
