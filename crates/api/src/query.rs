//! Query strings and path segments.

use std::fmt::Write as _;
use std::str::FromStr;

/// The query of a URL: names and values in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// No query.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes what stands behind a URL's question mark. Never fails: what is no valid escape stands for itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (unescape(name, Plus::Space), unescape(value, Plus::Space))
        };
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .map(pair)
                .collect(),
        )
    }

    /// The first value of a name, even if it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a name, unless it is empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A truth value, as Docker reads it: everything but empty, `0`, `no`, `false` and `none` is true.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let value = self
            .get(name)
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// The same, with a value for when the name is absent.
    #[must_use]
    pub fn flag_or(&self, name: &str, absent: bool) -> bool {
        if self.get(name).is_some() {
            self.flag(name)
        } else {
            absent
        }
    }

    /// A number; none if the name is absent or empty.
    ///
    /// # Errors
    /// The value is no number.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => text
                .trim()
                .parse()
                .map(Some)
                .map_err(|_| format!("invalid value for {name}: {text:?} is not a number")),
        }
    }

    /// Adds a value, unless it is empty.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name.to_owned(), value));
        }
        self
    }

    /// Adds `name=1` if true.
    #[must_use]
    pub fn with_flag(self, name: &str, value: bool) -> Self {
        self.with(name, if value { "1" } else { "" })
    }

    /// Adds a number, if there is one.
    #[must_use]
    pub fn with_number<T: ToString>(self, name: &str, value: Option<T>) -> Self {
        self.with(
            name,
            value.map(|value| value.to_string()).unwrap_or_default(),
        )
    }

    /// A path with this query behind it.
    #[must_use]
    pub fn behind(&self, path: &str) -> String {
        let mut url = path.to_owned();
        for (index, (name, value)) in self.0.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&escape(name, ""));
            url.push('=');
            url.push_str(&escape(value, ""));
        }
        url
    }
}

/// Escapes a name for use in a path. Slashes stay: an image's name may have some.
#[must_use]
pub fn path_segment(name: &str) -> String {
    escape(name, "/:@")
}

/// Undoes the escapes of a path.
#[must_use]
pub fn unescape_path(path: &str) -> String {
    unescape(path, Plus::Plus)
}

fn escape(text: &str, allowed: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || allowed.as_bytes().contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Space,
    Plus,
}

fn unescape(text: &str, plus: Plus) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes
            .get(at + 1..at + 3)
            .filter(|_| byte == b'%')
            .and_then(hex_byte);
        match escaped {
            Some(value) => plain.push(value),
            None if byte == b'+' && plus == Plus::Space => plain.push(b' '),
            None => plain.push(byte),
        }
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    Some(digit(*digits.first()?)? * 16 + digit(*digits.get(1)?)?)
}

#[cfg(test)]
mod tests;
