//! Names and ids of containers and volumes.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::digest::{from_hex, serde_as_text, to_hex};
use crate::error::{Error, Kind, Result, shown};

/// A container's id: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId([u8; 32]);

impl ContainerId {
    /// The id made of 32 random bytes, which the caller passes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 digits, which people see.
    #[must_use]
    pub fn short(&self) -> String {
        to_hex(&self.0[..6])
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContainerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        match from_hex(text, &mut bytes) {
            Some(()) => Ok(Self(bytes)),
            None => Err(Error::new(
                Kind::Name,
                format!("invalid container id: {:?}", shown(text)),
            )),
        }
    }
}

/// A name that a user gives to a container or a volume: a letter or digit, then one or more letters, digits, `_`, `.`
/// and `-`. So it is never a path, an option or empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The characters that a name may have, as error messages show them.
    pub const GRAMMAR: &'static str = "[a-zA-Z0-9][a-zA-Z0-9_.-]";
    /// The longest name: it becomes a file name.
    pub const MAX: usize = 255;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A container's name, perhaps with the slash that the API puts before it.
    ///
    /// # Errors
    /// The text is not a name; the message is Docker's.
    pub fn of_container(text: &str) -> Result<Self> {
        let bare = text.strip_prefix('/').unwrap_or(text);
        Self::check(bare).ok_or_else(|| {
            let message = format!(
                "Invalid container name ({}), only {} are allowed",
                shown(bare),
                Self::GRAMMAR
            );
            Error::new(Kind::Name, message)
        })
    }

    fn check(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let good = first.is_ascii_alphanumeric()
            && (2..=Self::MAX).contains(&text.len())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        good.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::check(text).ok_or_else(|| {
            let message = format!(
                "{:?} includes invalid characters for a name, only {:?} are allowed",
                shown(text),
                Self::GRAMMAR
            );
            Error::new(Kind::Name, message)
        })
    }
}

serde_as_text!(ContainerId, Name);
