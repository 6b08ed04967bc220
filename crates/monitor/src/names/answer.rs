//! What is answered, as a pure function of what was asked and what is known.

use std::net::IpAddr;

use dns::{A, AAAA, ANY, Code, IN, Name, PTR, Query, Reply, address_of};

#[cfg(test)]
mod tests;

/// How long an answer may be remembered, in seconds: not at all, since addresses go with their containers.
const TTL: u32 = 0;

/// What a question wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// About a name, in lower case.
    Name(String),
    /// The name of an address.
    Address(IpAddr),
    /// Nothing that can be known here.
    Other,
}

/// What is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The name's addresses, one at least.
    Addresses(Vec<IpAddr>),
    /// The address's name.
    Name(String),
    /// Nothing.
    Nothing,
    /// It could not be looked up.
    Failure,
}

pub(super) fn asked(query: &Query) -> Asked {
    let question = &query.question;
    let Some(name) = question.name.text().filter(|_| question.class == IN) else {
        return Asked::Other;
    };
    if question.kind == PTR
        && let Some(address) = address_of(&name)
    {
        return Asked::Address(address);
    }
    if name.is_empty() {
        return Asked::Other;
    }
    Asked::Name(name)
}

/// The answer; none if servers have to be asked. The owners of a name take turns in being the first.
pub(super) fn answer(query: &Query, limit: usize, found: &Found, turn: usize) -> Option<Vec<u8>> {
    let mut reply = Reply::new(query, limit);
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return Some(reply.finish(Code::BadVersion));
    }
    match found {
        Found::Nothing => return None,
        Found::Failure => return Some(reply.finish(Code::ServerFailure)),
        Found::Name(name) => match Name::parse(name) {
            Ok(name) => reply.pointer(TTL, &name),
            Err(_) => return Some(reply.finish(Code::ServerFailure)),
        },
        // Of a name that is known, only addresses are; that there is no other record is an answer too, and nobody else's.
        Found::Addresses(addresses) => {
            let wanted = |address: &&IpAddr| match query.question.kind {
                A => address.is_ipv4(),
                AAAA => address.is_ipv6(),
                kind => kind == ANY,
            };
            let matching: Vec<IpAddr> = addresses.iter().filter(wanted).copied().collect();
            let first = turn.checked_rem(matching.len()).unwrap_or(0);
            for address in matching[first..].iter().chain(&matching[..first]) {
                reply.address(TTL, *address);
            }
        }
    }
    Some(reply.finish(Code::NoError))
}

/// The code for what isn't known and may not be asked elsewhere.
pub(super) fn without_servers(query: &Query, found: &Found) -> Code {
    let labels = query.question.name.labels().count();
    // A single label can only be a container's. Of the rest of the world nothing is known, not even that a name isn't there.
    if *found == Found::Nothing && labels == 1 && query.question.class == IN {
        Code::NoSuchName
    } else {
        Code::ServerFailure
    }
}
