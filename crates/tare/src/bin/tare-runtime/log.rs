//! What is said, and where.

use std::fs::OpenOptions;
use std::io::Write;

use crate::fault::{Fault, Result};

/// Where is told what goes wrong: on standard error, and in a file as callers of runc read it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) file: Option<String>,
    pub(crate) format: Format,
    pub(crate) debug: bool,
}

/// The shape of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "text" | "" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Fault::usage(format!("no such log format: {text}"))),
        }
    }
}

impl Log {
    /// Tells why the command failed.
    pub(crate) fn error(&self, fault: &Fault) {
        let text = fault.to_string();
        complain(&text);
        self.write("error", &text);
    }

    /// Tells of something that the caller may want to change.
    pub(crate) fn warn(&self, text: &str) {
        complain(&format!("warning: {text}"));
        self.write("warning", text);
    }

    /// Tells what is done, to those who asked for it.
    pub(crate) fn debug(&self, text: impl FnOnce() -> String) {
        if !self.debug {
            return;
        }
        let text = text();
        match self.file {
            Some(_) => self.write("debug", &text),
            None => complain(&format!("debug: {text}")),
        }
    }

    fn write(&self, level: &str, text: &str) {
        let Some(path) = &self.file else {
            return;
        };
        let time = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let line = match self.format {
            Format::Json => {
                serde_json::json!({ "level": level, "msg": text, "time": time }).to_string()
            }
            Format::Text => format!("time={time:?} level={level} msg={text:?}"),
        };
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            complain(&format!("write to log {path}: {error}"));
        }
    }
}

/// Writes data to standard output.
pub(crate) fn out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Fault::at("write to standard output"))
}

/// Writes one JSON value and a newline to standard output.
pub(crate) fn out_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(Fault::at("write JSON"))?;
    out(&format!("{text}\n"))
}

/// Writes to standard error; there is nowhere else to tell that telling failed.
pub(crate) fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "tare-runtime: {text}"));
}
