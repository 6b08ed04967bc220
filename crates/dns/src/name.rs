//! Names.

use std::fmt;

use crate::wire::Malformed;

#[cfg(test)]
mod tests;

/// The longest name, in bytes of a message (RFC 1035, 2.3.4).
const LONGEST: usize = 255;
const LONGEST_LABEL: usize = 63;

/// A domain name as a message holds it, without compression. Its letters keep their case, as an answer must repeat them; they are
/// compared without it.
#[derive(Debug, Clone)]
pub struct Name {
    /// Labels, each after its length, and the root's 0.
    wire: Vec<u8>,
}

impl Name {
    /// Reads the name at `at`: itself and where what follows it begins.
    ///
    /// # Errors
    /// It is cut off, longer than 255 bytes, has labels of unknown kinds or a pointer that doesn't lead backwards.
    pub fn read(message: &[u8], at: usize) -> Result<(Self, usize), Malformed> {
        let mut wire = Vec::new();
        let (mut at, mut next, mut limit) = (at, None, at);
        loop {
            let length = *message.get(at).ok_or(Malformed)?;
            let size = usize::from(length & 0x3f);
            match length >> 6 {
                0 => {
                    let label = message.get(at..=at + size).ok_or(Malformed)?;
                    if wire.len() + label.len() + usize::from(length != 0) > LONGEST {
                        return Err(Malformed);
                    }
                    wire.extend_from_slice(label);
                    at += size + 1;
                    if length == 0 {
                        return Ok((Self { wire }, next.unwrap_or(at)));
                    }
                }
                3 => {
                    let low = *message.get(at + 1).ok_or(Malformed)?;
                    let target = (size << 8) | usize::from(low);
                    next = next.or(Some(at + 2));
                    // Each jump leads before everything that was read so far, so it ends.
                    if target >= limit {
                        return Err(Malformed);
                    }
                    (at, limit) = (target, target);
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// The name of a text with dots, without escapes; one dot at its end is ignored.
    ///
    /// # Errors
    /// A label is empty or longer than 63 bytes, or the name is longer than 255.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split('.').filter(|_| !text.is_empty()) {
            match u8::try_from(label.len()) {
                Ok(length) if length > 0 && label.len() <= LONGEST_LABEL => wire.push(length),
                _ => return Err(Malformed),
            }
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        if wire.len() > LONGEST {
            return Err(Malformed);
        }
        Ok(Self { wire })
    }

    /// Its bytes in a message.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Its labels, the root's left out.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.wire.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(usize::from(*length))?;
            rest = after;
            (!label.is_empty()).then_some(label)
        })
    }

    /// Lower-case text with dots and none at the end, if it has one: letters, digits and punctuation other than a dot in a label or a
    /// slash. What is not such text can't be the name of a container.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let mut text = String::with_capacity(self.wire.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            for byte in label {
                if !byte.is_ascii_graphic() || matches!(byte, b'.' | b'/') {
                    return None;
                }
                text.push(char::from(byte.to_ascii_lowercase()));
            }
        }
        Some(text)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        // Lengths are below 64, and so no letters.
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            write!(f, "{}.", label.escape_ascii())?;
        }
        if self.wire.len() == 1 {
            f.write_str(".")?;
        }
        Ok(())
    }
}
