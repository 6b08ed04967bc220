//! What a server further up answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::query::Question;
use crate::wire::{HEADER, Header, Malformed, Reader, flag};
use crate::{A, AAAA, IN, OPT, Query};

#[cfg(test)]
mod tests;

/// A well-formed answer to a question, as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    message: &'a [u8],
    header: Header,
    /// Where what follows the question begins.
    body: usize,
    /// Where the pseudo-record of EDNS is.
    edns: Option<(usize, usize)>,
}

impl<'a> Response<'a> {
    /// Reads an answer to what was asked with `id`. Whoever wants to give a false one has to know both, and the port.
    ///
    /// # Errors
    /// It is no answer, answers something else, or a record reaches past its end.
    pub fn read(message: &'a [u8], id: u16, question: &Question) -> Result<Self, Malformed> {
        let header = Header::read(message)?;
        if header.flags & flag::RESPONSE == 0 || header.id != id || header.counts[0] != 1 {
            return Err(Malformed);
        }
        let mut reader = Reader::new(message, HEADER);
        let name = reader.name()?;
        // To the letter: a server repeats the case, which makes guessing harder (draft-vixie-dnsext-dns0x20).
        if name.wire() != question.name.wire()
            || reader.u16()? != question.kind
            || reader.u16()? != question.class
        {
            return Err(Malformed);
        }
        let body = reader.at;
        let mut edns = None;
        for (section, count) in header.counts.iter().enumerate().skip(1) {
            for _ in 0..*count {
                let record = reader.record()?;
                if section == 3 && record.kind == OPT && record.root {
                    edns = Some((record.start, record.end));
                }
            }
        }
        Ok(Self {
            message,
            header,
            body,
            edns,
        })
    }

    /// Whether the server said that more is to be had over TCP.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.header.flags & flag::TRUNCATED != 0
    }

    /// The addresses in it, whatever alias led to them: a server that looks further follows aliases, and puts their end into the
    /// same answer.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut reader = Reader::new(self.message, self.body);
        let records = (0..self.header.counts[1]).map_while(|_| reader.record().ok());
        records
            .filter(|record| record.class == IN)
            .filter_map(|record| {
                let from = |length: usize| self.message.get(record.end - length..record.end);
                match record.kind {
                    A if record.length == 4 => {
                        let bytes: [u8; 4] = from(4)?.try_into().ok()?;
                        Some(Ipv4Addr::from(bytes).into())
                    }
                    AAAA if record.length == 16 => {
                        let bytes: [u8; 16] = from(16)?.try_into().ok()?;
                        Some(Ipv6Addr::from(bytes).into())
                    }
                    _ => None,
                }
            })
            .collect()
    }

    /// Whether another server may know better: this one failed or doesn't serve us.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self.header.flags & flag::CODE, 1 | 2 | 4 | 5)
    }

    /// The answer for who asked `query`, of `limit` bytes at most: whole with the query's id, or its head that says it is truncated.
    #[must_use]
    pub fn pass_on(&self, query: &Query, limit: usize) -> Vec<u8> {
        let mut message = if self.message.len() <= limit {
            self.message.to_vec()
        } else {
            self.head()
        };
        message[..2].copy_from_slice(&query.id.to_be_bytes());
        message
    }

    fn head(&self) -> Vec<u8> {
        let mut message = self.message[..self.body].to_vec();
        let edns = self.edns.map(|(start, end)| &self.message[start..end]);
        // Its options may be as long as the message.
        let edns = edns.filter(|record| record.len() <= 128);
        if let Some(record) = edns {
            message.extend(record);
        }
        let header = Header {
            flags: self.header.flags | flag::TRUNCATED,
            counts: [1, 0, 0, u16::from(edns.is_some())],
            ..self.header
        };
        message[..HEADER].copy_from_slice(&header.bytes());
        message
    }
}

/// The query's own bytes with another id, to be passed on to a server. Everything else stays as it is: EDNS, its options, letters' case.
///
/// `message` must be what [`Query::read`] accepted; too short a message stays as it is.
#[must_use]
pub fn with_id(message: &[u8], id: u16) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(place) = message.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    message
}
