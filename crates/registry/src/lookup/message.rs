//! The two messages of DNS that a look-up needs (RFC 1035, 4).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A = 1,
    Aaaa = 28,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Addresses(Vec<IpAddr>),
    /// There is no such name, or nothing of this kind.
    Nothing,
    Truncated,
    /// The server failed.
    Other,
}

const HEADER: usize = 12;

pub(super) fn question(id: u16, name: &str, kind: Kind) -> io::Result<Vec<u8>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "invalid host name");
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend(id.to_be_bytes());
    // Recursion is wanted; one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    if name.len() > 253 {
        return Err(bad());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).map_err(|_| bad())?;
        if !(1..=63).contains(&length) {
            return Err(bad());
        }
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, kind as u8, 0, 1]);
    Ok(message)
}

/// Reads an answer to `question`; none if it answers something else.
pub(super) fn answer(message: &[u8], question: &[u8], kind: Kind) -> Option<Answer> {
    let head = message.get(..HEADER)?;
    let same = head[..2] == question[..2] && head[2] & 0x80 != 0;
    let asked = message.get(HEADER..question.len())?;
    if !same || !asked.eq_ignore_ascii_case(&question[HEADER..]) {
        return None;
    }
    if head[2] & 0x02 != 0 {
        return Some(Answer::Truncated);
    }
    match head[3] & 0x0f {
        0 => {}
        3 => return Some(Answer::Nothing),
        _ => return Some(Answer::Other),
    }
    let count = u16::from_be_bytes([head[6], head[7]]);
    let mut at = question.len();
    let mut found = Vec::new();
    for _ in 0..count {
        at = skip_name(message, at)?;
        let record = message.get(at..at + 10)?;
        let length = usize::from(u16::from_be_bytes([record[8], record[9]]));
        let data = message.get(at + 10..at + 10 + length)?;
        at += 10 + length;
        // Whatever alias led there: a recursive server follows them and puts the end into the same answer.
        match (u16::from_be_bytes([record[0], record[1]]), kind) {
            (1, Kind::A) => found.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            (28, Kind::Aaaa) => {
                found.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into());
            }
            _ => {}
        }
    }
    Some(if found.is_empty() {
        Answer::Nothing
    } else {
        Answer::Addresses(found)
    })
}

fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            // A pointer ends the name.
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length if length < 64 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}
