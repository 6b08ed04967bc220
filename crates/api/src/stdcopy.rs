//! Frames of a stream that carries standard output and error together.
//!
//! A frame is the stream's number, three zero bytes, the length in 4 bytes (big-endian) and the payload.

use std::fmt;

/// The media type of a stream of frames.
pub const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";
/// The media type of a terminal's bytes.
pub const RAW: &str = "application/vnd.docker.raw-stream";

/// Which stream a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard input: written to standard output.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// An error of the server's in the middle of the stream.
    System,
}

impl Stream {
    const fn number(self) -> u8 {
        match self {
            Self::Stdin => 0,
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::System => 3,
        }
    }
}

/// The header of a frame.
#[must_use]
pub fn header(stream: Stream, length: u32) -> [u8; 8] {
    let [a, b, c, d] = length.to_be_bytes();
    [stream.number(), 0, 0, 0, a, b, c, d]
}

/// A whole frame. Payloads over 4 GiB are cut: nobody makes one.
#[must_use]
pub fn frame(stream: Stream, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(8 + payload.len());
    frame.extend_from_slice(&header(stream, length));
    frame.extend_from_slice(payload);
    frame
}

/// A header that names no stream: the bytes are not frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFrame(pub u8);

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unrecognized stream: {}", self.0)
    }
}

impl std::error::Error for BadFrame {}

/// Takes frames apart as bytes arrive. Payloads are handed on in pieces, never kept.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; 8],
    have: usize,
    left: usize,
}

impl Decoder {
    /// A decoder at a frame's beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of a payload from the front of `bytes`; none when more bytes are needed.
    ///
    /// # Errors
    /// A header names no stream.
    pub fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
    ) -> Result<Option<(Stream, &'a [u8])>, BadFrame> {
        while self.left == 0 {
            let take = bytes.len().min(self.header.len() - self.have);
            let (front, rest) = bytes.split_at(take);
            self.header[self.have..self.have + take].copy_from_slice(front);
            self.have += take;
            *bytes = rest;
            if self.have < self.header.len() {
                return Ok(None);
            }
            self.stream()?;
            let [.., a, b, c, d] = self.header;
            self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            self.have = 0;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(self.left));
        self.left -= piece.len();
        *bytes = rest;
        Ok(Some((self.stream()?, piece)))
    }

    /// Whether the bytes so far end where a frame ends.
    #[must_use]
    pub const fn at_end(&self) -> bool {
        self.left == 0 && self.have == 0
    }

    fn stream(&self) -> Result<Stream, BadFrame> {
        match self.header[0] {
            0 => Ok(Stream::Stdin),
            1 => Ok(Stream::Stdout),
            2 => Ok(Stream::Stderr),
            3 => Ok(Stream::System),
            other => Err(BadFrame(other)),
        }
    }
}

#[cfg(test)]
mod tests;
