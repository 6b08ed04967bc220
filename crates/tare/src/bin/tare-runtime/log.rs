//! What is said, and where.

use std::fs::OpenOptions;
use std::io::Write;

use crate::fault::{Fault, Result};

/// The shape of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
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

/// Writes data to standard output.
pub(crate) fn out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Fault::at("write to standard output"))
}

/// Tells of `fault`: on standard error, and in the log as callers of runc read it.
pub(crate) fn error(fault: &Fault, log: Option<&str>, format: Format) {
    let text = fault.to_string();
    // There is nowhere else to tell that telling failed.
    drop(writeln!(std::io::stderr(), "tare-runtime: {text}"));
    let Some(mut file) =
        log.and_then(|p| OpenOptions::new().append(true).create(true).open(p).ok())
    else {
        return;
    };
    let time = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let line = match format {
        Format::Json => {
            serde_json::json!({ "level": "error", "msg": text, "time": time }).to_string()
        }
        Format::Text => format!("time={time:?} level=error msg={text:?}"),
    };
    drop(file.write_all(format!("{line}\n").as_bytes()));
}
