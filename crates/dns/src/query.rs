//! What is asked.

use crate::name::Name;
use crate::wire::{HEADER, Header, Malformed, Reader, flag};
use crate::{OPT, PLAIN_UDP};

#[cfg(test)]
mod tests;

/// What a message is about (RFC 1035, 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A question.
    Query,
    /// Anything else: zone transfers' notices, updates.
    Other(u8),
}

/// The one question of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The record type, such as [`A`](crate::A).
    pub kind: u16,
    /// The class, nearly always [`IN`](crate::IN).
    pub class: u16,
}

impl Question {
    /// The message that asks it of a server that looks further.
    #[must_use]
    pub fn message(&self, id: u16) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + self.name.wire().len() + 4);
        message.extend(id.to_be_bytes());
        message.extend(flag::RECURSION_DESIRED.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend(self.name.wire());
        message.extend(self.kind.to_be_bytes());
        message.extend(self.class.to_be_bytes());
        message
    }
}

/// What EDNS says of who asks (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// The largest message that it takes over UDP.
    pub udp_size: u16,
    /// The version, 0.
    pub version: u8,
    /// Whether signatures are wanted.
    pub dnssec: bool,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Chosen by who asks, and repeated in the answer.
    pub id: u16,
    pub(crate) flags: u16,
    /// What is asked.
    pub question: Question,
    /// Present if the asking side speaks EDNS.
    pub edns: Option<Edns>,
}

/// Bytes that are no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nothing can be answered: too short for a header, or an answer itself. To answer an answer is how loops begin.
    Silent,
    /// This is to be sent back: a message that says what is wrong.
    Answer(Vec<u8>),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// It is none, with what to answer to it.
    pub fn read(message: &[u8]) -> Result<Self, Refused> {
        let header = Header::read(message).map_err(|_| Refused::Silent)?;
        if header.flags & flag::RESPONSE != 0 {
            return Err(Refused::Silent);
        }
        let refuse = |code| Refused::Answer(bare(header, code).to_vec());
        if opcode(header.flags) != Opcode::Query {
            return Err(refuse(NOT_IMPLEMENTED));
        }
        body(message, header).map_err(|Malformed| refuse(FORMAT_ERROR))
    }

    /// How large an answer over UDP may be.
    #[must_use]
    pub fn udp_limit(&self) -> usize {
        self.edns
            .map_or(PLAIN_UDP, |edns| usize::from(edns.udp_size).max(PLAIN_UDP))
    }

    /// Whether the asking side wants others to be asked too.
    #[must_use]
    pub fn wants_recursion(&self) -> bool {
        self.flags & flag::RECURSION_DESIRED != 0
    }
}

const FORMAT_ERROR: u16 = 1;
const NOT_IMPLEMENTED: u16 = 4;

fn opcode(flags: u16) -> Opcode {
    match (flags >> 11) & 0xf {
        0 => Opcode::Query,
        other => Opcode::Other(other.to_be_bytes()[1]),
    }
}

/// A header that answers `header` with a code.
fn bare(header: Header, code: u16) -> [u8; HEADER] {
    let kept = header.flags & (0x7800 | flag::RECURSION_DESIRED | flag::CHECKING_DISABLED);
    Header {
        id: header.id,
        flags: flag::RESPONSE | flag::RECURSION_AVAILABLE | kept | code,
        counts: [0; 4],
    }
    .bytes()
}

fn body(message: &[u8], header: Header) -> Result<Query, Malformed> {
    let [questions, answers, authorities, additional] = header.counts;
    // More than one question was never in use, and none is a cookie probe (RFC 7873) that may be refused.
    if questions != 1 || answers != 0 || authorities != 0 {
        return Err(Malformed);
    }
    let mut reader = Reader::new(message, HEADER);
    let question = Question {
        name: reader.name()?,
        kind: reader.u16()?,
        class: reader.u16()?,
    };
    let mut edns = None;
    for _ in 0..additional {
        let record = reader.record()?;
        if record.kind == OPT {
            // One, and of the root (RFC 6891, 6.1.1).
            if edns.is_some() || !record.root {
                return Err(Malformed);
            }
            let [_, version, flags, _] = record.ttl.to_be_bytes();
            edns = Some(Edns {
                udp_size: record.class,
                version,
                dnssec: flags & 0x80 != 0,
            });
        }
    }
    Ok(Query {
        id: header.id,
        flags: header.flags,
        question,
        edns,
    })
}
