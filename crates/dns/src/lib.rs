//! DNS messages: what a resolver at a container's side has to read, answer and pass on. No IO, no clock, no dependency.
//!
//! Everything here is given bytes by strangers: programs in containers, and whoever can reach an upstream server's port. So nothing is
//! read past its message, names are decoded with a bound on their length and their pointers only ever lead backwards, no length is
//! trusted, and nothing is allocated by a number that a message holds.
//!
//! Read `name`, then `query` (what is asked), `reply` (what is answered from a table), `response` (what a server further up answered)
//! and `frames` (messages in a TCP stream).

mod frames;
mod name;
mod query;
mod reply;
mod response;
mod reverse;
mod wire;

pub use frames::{Frames, frame};
pub use name::Name;
pub use query::{Edns, Opcode, Query, Question, Refused};
pub use reply::{Code, Reply};
pub use response::{Response, with_id};
pub use reverse::{address_of, pointer_name};
pub use wire::Malformed;

/// The type of an IPv4 address (RFC 1035, 3.2.2).
pub const A: u16 = 1;
/// The type of a name that another name leads to.
pub const CNAME: u16 = 5;
/// The type of a pointer from an address to a name.
pub const PTR: u16 = 12;
/// The type of an IPv6 address (RFC 3596).
pub const AAAA: u16 = 28;
/// The type of the pseudo-record of EDNS (RFC 6891).
pub const OPT: u16 = 41;
/// Asks for every type.
pub const ANY: u16 = 255;
/// The class of the Internet.
pub const IN: u16 = 1;

/// The largest message over UDP for who said nothing else (RFC 1035, 4.2.1).
pub const PLAIN_UDP: usize = 512;
/// The largest message over UDP that is sent to anybody: it fits a packet of every path (DNS flag day 2020).
pub const SAFE_UDP: u16 = 1232;
/// The largest message at all.
pub const LARGEST: usize = 65_535;
