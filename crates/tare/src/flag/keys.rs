//! `--detach-keys`: the sequence that leaves a terminal without ending the container.

/// Watches typed bytes for the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    sequence: Vec<u8>,
    /// How many keys of the sequence were typed last.
    matched: usize,
}

/// Parses `ctrl-p,ctrl-q`, `a,b`, `ctrl-[`; empty is the default sequence.
pub(crate) fn detach_keys(text: &str) -> Result<DetachKeys, String> {
    let text = if text.is_empty() {
        "ctrl-p,ctrl-q"
    } else {
        text
    };
    let sequence = text
        .split(',')
        .map(|key| {
            one_key(key).ok_or_else(|| {
                format!("Unknown character: '{key}'; a letter or ctrl-<letter, @ [ \\ ] ^ _>")
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(DetachKeys {
        sequence,
        matched: 0,
    })
}

fn one_key(key: &str) -> Option<u8> {
    if let [byte] = key.as_bytes() {
        return Some(*byte);
    }
    let [letter] = key.strip_prefix("ctrl-")?.as_bytes() else {
        return None;
    };
    match letter {
        b'a'..=b'z' => Some(letter - b'a' + 1),
        b'@' => Some(0),
        b'[' | b'\\' | b']' | b'^' | b'_' => Some(letter - b'[' + 27),
        _ => None,
    }
}

impl DetachKeys {
    /// Whether the sequence was completed in `typed`. What is to be sent to the container is appended to `forward`:
    /// keys that may begin the sequence are held back until it is clear that they don't.
    pub(crate) fn watch(&mut self, typed: &[u8], forward: &mut Vec<u8>) -> bool {
        for &byte in typed {
            if byte != self.sequence[self.matched] {
                forward.extend_from_slice(&self.sequence[..self.matched]);
                self.matched = 0;
                if byte != self.sequence[0] {
                    forward.push(byte);
                    continue;
                }
            }
            self.matched += 1;
            if self.matched == self.sequence.len() {
                self.matched = 0;
                return true;
            }
        }
        false
    }
}
