//! Keys that detach from a terminal.

/// A sequence of keys; none if empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys(Vec<u8>);

impl Keys {
    /// No keys detach.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// `ctrl-p,ctrl-q`: letters, and `ctrl-` with a letter or one of `@[\]^_`. Those two if empty.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = if text.is_empty() {
            "ctrl-p,ctrl-q"
        } else {
            text
        };
        let key = |key: &str| match key.as_bytes() {
            [byte] => Ok(*byte),
            [
                b'c',
                b't',
                b'r',
                b'l',
                b'-',
                byte @ (b'a'..=b'z' | b'@' | b'['..=b'_'),
            ] => Ok(byte & 0x1f),
            _ => Err(format!(
                "invalid detach keys ({text}): unknown character: {key:?}"
            )),
        };
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

/// What is left of what was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// For the program.
    pub(crate) bytes: Vec<u8>,
    /// The keys were typed; what came behind them is dropped.
    pub(crate) detached: bool,
}

/// Looks for the keys in what is typed. The beginning of the sequence is held back until it is known what it is.
#[derive(Debug)]
pub(crate) struct Watch {
    keys: Vec<u8>,
    matched: usize,
}

impl Watch {
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            keys: keys.0,
            matched: 0,
        }
    }

    pub(crate) fn feed(&mut self, typed: &[u8]) -> Typed {
        if self.keys.is_empty() {
            return Typed {
                bytes: typed.to_vec(),
                detached: false,
            };
        }
        let mut bytes = Vec::with_capacity(typed.len() + self.matched);
        for &byte in typed {
            if byte != self.keys[self.matched] {
                bytes.extend_from_slice(&self.keys[..self.matched]);
                self.matched = 0;
            }
            if byte == self.keys[self.matched] {
                self.matched += 1;
            } else {
                bytes.push(byte);
            }
            if self.matched == self.keys.len() {
                return Typed {
                    bytes,
                    detached: true,
                };
            }
        }
        Typed {
            bytes,
            detached: false,
        }
    }
}

#[cfg(test)]
mod tests;
