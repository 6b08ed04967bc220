//! Answers from a table.

use std::net::IpAddr;

use crate::name::Name;
use crate::query::Query;
use crate::wire::{HEADER, Header, flag};
use crate::{A, AAAA, IN, LARGEST, OPT, PTR, SAFE_UDP};

#[cfg(test)]
mod tests;

/// How a question is answered (RFC 1035, 4.1.1; RFC 6891, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// With what follows, be it nothing.
    NoError,
    /// It wasn't understood.
    FormatError,
    /// Nobody could be asked.
    ServerFailure,
    /// There is no such name.
    NoSuchName,
    /// Such is not done here.
    NotImplemented,
    /// It isn't told.
    Refused,
    /// A version of EDNS that isn't spoken here.
    BadVersion,
}

impl Code {
    fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormatError => 1,
            Self::ServerFailure => 2,
            Self::NoSuchName => 3,
            Self::NotImplemented => 4,
            Self::Refused => 5,
            Self::BadVersion => 16,
        }
    }
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Reply<'a> {
    query: &'a Query,
    limit: usize,
    message: Vec<u8>,
    answers: u16,
    truncated: bool,
}

/// What a pointer to the question's name is: it begins right after the header.
const QUESTION_NAME: [u8; 2] = [0xc0, 0x0c];
/// The pseudo-record of EDNS, without options.
const EDNS_SIZE: usize = 11;

impl<'a> Reply<'a> {
    /// An answer without records, of `limit` bytes at most.
    #[must_use]
    pub fn new(query: &'a Query, limit: usize) -> Self {
        let question = &query.question;
        let mut message = Vec::with_capacity(HEADER + question.name.wire().len() + 64);
        message.extend([0; HEADER]);
        message.extend(question.name.wire());
        message.extend(question.kind.to_be_bytes());
        message.extend(question.class.to_be_bytes());
        Self {
            query,
            limit: limit.min(LARGEST),
            message,
            answers: 0,
            truncated: false,
        }
    }

    /// Adds an address of the name that was asked for, good for `ttl` seconds.
    pub fn address(&mut self, ttl: u32, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.record(A, ttl, &address.octets()),
            IpAddr::V6(address) => self.record(AAAA, ttl, &address.octets()),
        }
    }

    /// Adds a name of the address that was asked for, good for `ttl` seconds.
    pub fn pointer(&mut self, ttl: u32, name: &Name) {
        self.record(PTR, ttl, name.wire());
    }

    fn record(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        let edns = self.query.edns.map_or(0, |_| EDNS_SIZE);
        let size = QUESTION_NAME.len() + 10 + data.len();
        let length = u16::try_from(data.len());
        match length {
            Ok(length) if self.message.len() + size + edns <= self.limit && !self.truncated => {
                self.message.extend(QUESTION_NAME);
                self.message.extend(kind.to_be_bytes());
                self.message.extend(IN.to_be_bytes());
                self.message.extend(ttl.to_be_bytes());
                self.message.extend(length.to_be_bytes());
                self.message.extend(data);
                self.answers += 1;
            }
            // What follows is left out too: half of a set in an order of its own would be no answer either.
            _ => self.truncated = true,
        }
    }

    /// The message. It says that it is truncated if not everything fitted.
    #[must_use]
    pub fn finish(mut self, code: Code) -> Vec<u8> {
        let kept = self.query.flags & (flag::RECURSION_DESIRED | flag::CHECKING_DISABLED);
        let authoritative = match code {
            Code::NoError | Code::NoSuchName => flag::AUTHORITATIVE,
            _ => 0,
        };
        let truncated = if self.truncated { flag::TRUNCATED } else { 0 };
        let number = code.number();
        if let Some(edns) = self.query.edns {
            let [high, low] = OPT.to_be_bytes();
            let [size_high, size_low] = SAFE_UDP.to_be_bytes();
            let [_, extended] = (number >> 4).to_be_bytes();
            let dnssec = if edns.dnssec { 0x80 } else { 0 };
            self.message.extend([
                0, high, low, size_high, size_low, extended, 0, dnssec, 0, 0, 0,
            ]);
        }
        let header = Header {
            id: self.query.id,
            flags: flag::RESPONSE
                | flag::RECURSION_AVAILABLE
                | kept
                | authoritative
                | truncated
                | (number & flag::CODE),
            counts: [1, self.answers, 0, u16::from(self.query.edns.is_some())],
        };
        self.message[..HEADER].copy_from_slice(&header.bytes());
        self.message
    }
}
