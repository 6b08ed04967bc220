//! Reading numbers and records.

use std::fmt;

use crate::name::Name;

/// The bytes are no DNS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed dns message")
    }
}

impl std::error::Error for Malformed {}

/// The length of a header.
pub(crate) const HEADER: usize = 12;

/// A header's flags.
pub(crate) mod flag {
    /// An answer, not a question.
    pub(crate) const RESPONSE: u16 = 0x8000;
    /// The answer comes from whoever knows.
    pub(crate) const AUTHORITATIVE: u16 = 0x0400;
    /// More would have been said.
    pub(crate) const TRUNCATED: u16 = 0x0200;
    /// Asked to look further.
    pub(crate) const RECURSION_DESIRED: u16 = 0x0100;
    /// Can look further.
    pub(crate) const RECURSION_AVAILABLE: u16 = 0x0080;
    /// Not to be verified (DNSSEC).
    pub(crate) const CHECKING_DISABLED: u16 = 0x0010;
    /// The code of the answer.
    pub(crate) const CODE: u16 = 0x000f;
}

/// A place in a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) at: usize,
}

/// A record's head; its data is `message[data.0..data.1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) start: usize,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) end: usize,
    /// Of its data, which end where it ends.
    pub(crate) length: usize,
    /// Whether the name is the root.
    pub(crate) root: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8], at: usize) -> Self {
        Self { message, at }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let end = self.at.checked_add(N).ok_or(Malformed)?;
        let bytes = self.message.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        bytes.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.take().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_be_bytes)
    }

    /// A name, with its pointers followed.
    pub(crate) fn name(&mut self) -> Result<Name, Malformed> {
        let (name, next) = Name::read(self.message, self.at)?;
        self.at = next;
        Ok(name)
    }

    /// Steps over a name. Where its pointers lead is not looked at, so this costs no more than the bytes it steps over.
    fn skip_name(&mut self) -> Result<(), Malformed> {
        loop {
            let [length] = self.take()?;
            match length >> 6 {
                0 if length == 0 => return Ok(()),
                0 => {
                    self.at += usize::from(length);
                    if self.at > self.message.len() {
                        return Err(Malformed);
                    }
                }
                3 => {
                    let pointer = self.at - 1;
                    let [low] = self.take()?;
                    let target = (usize::from(length & 0x3f) << 8) | usize::from(low);
                    // Forwards or onto itself: never a name's, and how loops are made.
                    return if target < pointer {
                        Ok(())
                    } else {
                        Err(Malformed)
                    };
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Steps over a record.
    pub(crate) fn record(&mut self) -> Result<Record, Malformed> {
        let start = self.at;
        let root = self.message.get(start) == Some(&0);
        self.skip_name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        if end > self.message.len() {
            return Err(Malformed);
        }
        self.at = end;
        Ok(Record {
            start,
            kind,
            class,
            ttl,
            end,
            length,
            root,
        })
    }
}

/// The six numbers that every message begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// Questions, answers, authorities, additional records.
    pub(crate) counts: [u16; 4],
}

impl Header {
    pub(crate) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message, 0);
        Ok(Self {
            id: reader.u16()?,
            flags: reader.u16()?,
            counts: [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?],
        })
    }

    pub(crate) fn bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let numbers = [self.id, self.flags].into_iter().chain(self.counts);
        for (two, number) in bytes.chunks_exact_mut(2).zip(numbers) {
            two.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }
}
