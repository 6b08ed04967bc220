//! Messages in a TCP stream: each after its length in two bytes (RFC 1035, 4.2.2).

use crate::LARGEST;
use crate::wire::{HEADER, Malformed};

#[cfg(test)]
mod tests;

/// The message as a stream holds it.
///
/// # Errors
/// It is longer than its length can say.
pub fn frame(message: &[u8]) -> Result<Vec<u8>, Malformed> {
    let length = u16::try_from(message.len()).map_err(|_| Malformed)?;
    let mut bytes = Vec::with_capacity(message.len() + 2);
    bytes.extend(length.to_be_bytes());
    bytes.extend(message);
    Ok(bytes)
}

/// What of a stream was received and is not yet a whole message. It holds as much as was received: a length alone reserves nothing.
#[derive(Debug, Default)]
pub struct Frames {
    limit: Option<usize>,
    bytes: Vec<u8>,
}

impl Frames {
    /// With messages of `limit` bytes at most: nobody's question needs 64 KiB.
    #[must_use]
    pub fn limited(limit: usize) -> Self {
        Self {
            limit: Some(limit),
            bytes: Vec::new(),
        }
    }

    /// Adds what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing waits to be completed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next whole message.
    ///
    /// # Errors
    /// A message is announced that is shorter than a header or longer than the limit: the stream is of no use any more.
    pub fn pop(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < HEADER || length > self.limit.unwrap_or(LARGEST) {
            return Err(Malformed);
        }
        let Some(message) = rest.get(..length).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.bytes.drain(..length + 2);
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        Ok(Some(message))
    }
}
