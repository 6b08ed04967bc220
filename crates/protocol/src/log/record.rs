//! One record.

use crate::Nanos;

/// The longest payload of a record.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The mark of a record's header, and the format's version.
const MARK: u16 = 0x5401;

/// What a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The program's standard output, or its terminal.
    Stdout,
    /// The program's standard error.
    Stderr,
    /// What the monitor has to say: output was lost.
    Note,
}

impl Stream {
    const fn code(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Note => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Stdout),
            2 => Some(Self::Stderr),
            3 => Some(Self::Note),
            _ => None,
        }
    }

    /// A small number for tables by stream.
    pub(crate) const fn index(self) -> usize {
        self.code() as usize - 1
    }

    /// How many streams there are.
    pub(crate) const COUNT: usize = 3;
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it belongs to.
    pub stream: Stream,
    /// The payload's length.
    pub length: u32,
    /// When it was read from the program.
    pub time: Nanos,
}

impl Header {
    /// The header's size.
    pub const SIZE: usize = 16;
    /// The size of what follows the payload.
    pub const TRAILER: usize = 4;

    /// The size of the whole record.
    #[must_use]
    pub const fn record_size(self) -> u64 {
        (Self::SIZE + Self::TRAILER) as u64 + self.length as u64
    }

    /// The header as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0] = self.stream.code();
        bytes[2..4].copy_from_slice(&MARK.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.time.to_le_bytes());
        bytes
    }

    /// The header in `bytes`; `None` if they are not one.
    #[must_use]
    pub fn parse(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [code, _flags, m0, m1, l0, l1, l2, l3, time @ ..] = bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if u16::from_le_bytes([m0, m1]) != MARK || length as usize > MAX_PAYLOAD {
            return None;
        }
        Some(Self {
            stream: Stream::from_code(code)?,
            length,
            time: Nanos::from_le_bytes(time),
        })
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it belongs to.
    pub stream: Stream,
    /// When it was read from the program.
    pub time: Nanos,
    /// What was read.
    pub payload: Vec<u8>,
}

impl Record {
    /// The first record in `bytes` and its size; `None` while it isn't complete. For whoever reads an attached
    /// connection: bytes that can't become a record give an error there, because nothing can follow them.
    ///
    /// # Errors
    /// The bytes are no record.
    pub fn decode(bytes: &[u8]) -> crate::Result<Option<(Self, usize)>> {
        let Some(head) = bytes.first_chunk::<{ Header::SIZE }>() else {
            return Ok(None);
        };
        let bad = || crate::Error::new(crate::Kind::Malformed, "decode", "log record");
        let header = Header::parse(*head).ok_or_else(bad)?;
        let end = Header::SIZE + header.length as usize;
        let Some(trailer) = bytes.get(end..end + Header::TRAILER) else {
            return Ok(None);
        };
        if trailer != header.length.to_le_bytes() {
            return Err(bad());
        }
        let record = Self {
            stream: header.stream,
            time: header.time,
            payload: bytes[Header::SIZE..end].to_vec(),
        };
        Ok(Some((record, end + Header::TRAILER)))
    }
}

/// A whole record as bytes. At most [`MAX_PAYLOAD`] of the payload is taken.
#[must_use]
pub fn encode(stream: Stream, time: Nanos, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
    let length = u32::try_from(payload.len()).unwrap_or_default();
    let header = Header {
        stream,
        length,
        time,
    };
    let mut bytes = Vec::with_capacity(Header::SIZE + payload.len() + Header::TRAILER);
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes
}
