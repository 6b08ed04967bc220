//! The id of an exec.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Write;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spec::ContainerId;

use crate::error::{Error, Kind, Result};

/// An exec's id: the first half of its container's id and 32 random hexadecimal digits, so that any engine finds the
/// monitor that owns it without a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExecId(String);

impl ExecId {
    const HALF: usize = 32;

    /// The id of an exec in `container`, made of random bytes, which the caller passes.
    #[must_use]
    pub fn new(container: &ContainerId, random: [u8; 16]) -> Self {
        let mut text = container.to_string();
        text.truncate(Self::HALF);
        for byte in random {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The first half of the container's id.
    #[must_use]
    pub fn container_prefix(&self) -> &str {
        &self.0[..Self::HALF]
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExecId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if text.len() == 2 * Self::HALF && digits {
            Ok(Self(text.to_owned()))
        } else {
            let shown: String = text.chars().take(80).collect();
            Err(Error::new(Kind::Malformed, "parse exec id", shown))
        }
    }
}

impl TryFrom<String> for ExecId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl std::convert::From<ExecId> for String {
    fn from(id: ExecId) -> Self {
        id.0
    }
}
