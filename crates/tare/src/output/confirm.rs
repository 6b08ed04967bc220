//! A question before what can't be undone.

use crate::error::{Error, Result};
use std::io::BufRead;

/// Asks, and waits for a line; only `y` and `yes` are yes, and nobody there is no.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    super::text(question)?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|why| Error::io("read", "standard input", why))?;
    super::line("")?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
