//! What rules of nf_tables consist of: each expression reads or writes registers, or ends the rule.

use super::message::Message;

/// The registers that the rules of this project use: the first has 16 bytes; `at` is one of sixteen with 4 bytes each, which lie over the others, so that `at(0)` is
/// where [`Register::FIRST`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(u32);

impl Register {
    /// NFT_REG_1.
    pub const FIRST: Self = Self(1);

    /// NFT_REG32_00 and on.
    #[must_use]
    pub const fn at(word: u32) -> Self {
        Self(8 + word)
    }
}

/// What is known about a packet: NFT_META_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The link it came in over, by name.
    InName,
    /// The link it goes out over, by name.
    OutName,
    /// NFPROTO_IPV4 (2) or NFPROTO_IPV6 (10): one byte.
    Family,
    /// The transport protocol, behind all extension headers: one byte.
    Transport,
    /// The Ethernet type, in network byte order: two bytes.
    EtherType,
}

/// A header's start: NFT_PAYLOAD_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Ethernet.
    Link,
    /// IP, or ARP.
    Network,
    /// TCP, UDP, SCTP, ICMP.
    Transport,
}

/// How a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// No more of this chain; others may still refuse.
    Accept,
    /// No more of anything.
    Drop,
    /// Back to where it was jumped from.
    Return,
    /// On in that chain, and then here again.
    Jump(&'a str),
    /// On in that chain, and not back.
    Goto(&'a str),
}

/// An expression. All write to and compare [`Register::FIRST`], but for those that say where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expression<'a> {
    /// Loads what is known about the packet.
    Meta(Meta, Register),
    /// Loads bytes of a header: where it begins, from which byte, how many.
    Payload(Header, u32, u32, Register),
    /// Loads the state of the connection (`1 << IP_CT_*`) or, with `Status`, what was done to it (IPS_*).
    Connection(Connection),
    /// Loads the kind of the destination address (RTN_*), seen from everywhere or from the link that the packet came in over.
    DestinationKind(Seen),
    /// Goes on if the first bytes are these.
    Equal(&'a [u8]),
    /// Goes on if the first bytes are others.
    Differs(&'a [u8]),
    /// Keeps these bits of the first bytes.
    Mask(&'a [u8]),
    /// Goes on if the set has what begins in the first register.
    Within(&'a str),
    /// Goes on if it has not.
    NotWithin(&'a str),
    /// Goes on if the map has what begins in the first register, and loads the data for it there.
    Map(&'a str),
    /// Changes the destination: to the address that begins in the first register and the port in this one. 2 or 10 is the family.
    Destination(u32, Register),
    /// Changes the source to the address in the first register. 2 or 10 is the family.
    Source(u32),
    /// Changes the source to the address of the link it goes out over.
    Masquerade,
    /// Counts packets and bytes.
    Count,
    /// Lowers the largest segment that a SYN offers to what the route allows: three steps of the kernel's.
    RouteSegment,
    /// See [`Expression::RouteSegment`].
    SegmentOrder,
    /// See [`Expression::RouteSegment`].
    SetSegment,
    /// The end.
    End(Verdict<'a>),
}

/// See [`Expression::Connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// NFT_CT_STATE.
    State,
    /// NFT_CT_STATUS.
    Status,
}

/// See [`Expression::DestinationKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// By the host.
    Everywhere,
    /// By the link it came in over.
    FromLink,
}

impl Expression<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Meta(..) => "meta",
            Self::Payload(..) => "payload",
            Self::Connection(_) => "ct",
            Self::DestinationKind(_) => "fib",
            Self::Equal(_) | Self::Differs(_) => "cmp",
            Self::Mask(_) => "bitwise",
            Self::Within(_) | Self::NotWithin(_) | Self::Map(_) => "lookup",
            Self::Destination(..) | Self::Source(_) => "nat",
            Self::Masquerade => "masq",
            Self::Count => "counter",
            Self::RouteSegment => "rt",
            Self::SegmentOrder => "byteorder",
            Self::SetSegment => "exthdr",
            Self::End(_) => "immediate",
        }
    }

    pub(super) fn write(&self, message: &mut Message) {
        message.put_text(1, self.name());
        message.nest(2, |to| self.write_data(to));
    }

    fn write_data(&self, to: &mut Message) {
        const FIRST: u32 = Register::FIRST.0;
        match *self {
            Self::Meta(key, register) => put(to, &[(1, register.0), (2, meta(key))]),
            Self::Payload(header, offset, length, register) => put(
                to,
                &[
                    (1, register.0),
                    (2, header as u32),
                    (3, offset),
                    (4, length),
                ],
            ),
            Self::Connection(Connection::State) => put(to, &[(1, FIRST), (2, 0)]),
            Self::Connection(Connection::Status) => put(to, &[(1, FIRST), (2, 2)]),
            // NFT_FIB_RESULT_ADDRTYPE; NFTA_FIB_F_DADDR, and NFTA_FIB_F_IIF.
            Self::DestinationKind(Seen::Everywhere) => put(to, &[(1, FIRST), (2, 3), (3, 2)]),
            Self::DestinationKind(Seen::FromLink) => put(to, &[(1, FIRST), (2, 3), (3, 2 | 8)]),
            Self::Equal(bytes) => compare(to, 0, bytes),
            Self::Differs(bytes) => compare(to, 1, bytes),
            Self::Mask(mask) => {
                let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
                put(to, &[(1, FIRST), (2, FIRST), (3, length)]);
                to.nest(4, |data| data.put(1, mask));
                to.nest(5, |data| data.put(1, &vec![0; mask.len()]));
            }
            Self::Within(set) => lookup(to, set, &[]),
            // NFT_LOOKUP_F_INV.
            Self::NotWithin(set) => lookup(to, set, &[(5, 1)]),
            Self::Map(set) => lookup(to, set, &[(3, FIRST)]),
            // NFT_NAT_DNAT.
            Self::Destination(family, port) => {
                put(to, &[(1, 1), (2, family), (3, FIRST), (5, port.0)]);
            }
            Self::Source(family) => put(to, &[(1, 0), (2, family), (3, FIRST)]),
            Self::Masquerade => {}
            Self::Count => {
                to.put(1, &[0; 8]);
                to.put(2, &[0; 8]);
            }
            // NFT_RT_TCPMSS.
            Self::RouteSegment => put(to, &[(1, FIRST), (2, 3)]),
            // NFT_BYTEORDER_HTON, two bytes as one number.
            Self::SegmentOrder => put(to, &[(1, FIRST), (2, FIRST), (3, 1), (4, 2), (5, 2)]),
            // TCPOPT_MAXSEG, two bytes from its second on, NFT_EXTHDR_OP_TCPOPT.
            Self::SetSegment => {
                to.put(2, &[2]);
                put(to, &[(3, 2), (4, 2), (6, 1), (7, FIRST)]);
            }
            Self::End(verdict) => {
                put(to, &[(1, 0)]);
                to.nest(2, |data| {
                    data.nest(2, |inner| write_verdict(inner, verdict))
                });
            }
        }
    }
}

fn put(to: &mut Message, attributes: &[(u16, u32)]) {
    for (kind, value) in attributes {
        to.put_be32(*kind, *value);
    }
}

fn compare(to: &mut Message, operator: u32, bytes: &[u8]) {
    put(to, &[(1, Register::FIRST.0), (2, operator)]);
    to.nest(3, |data| data.put(1, bytes));
}

fn lookup(to: &mut Message, set: &str, more: &[(u16, u32)]) {
    to.put_text(1, set);
    put(to, &[(2, Register::FIRST.0)]);
    put(to, more);
}

const fn meta(key: Meta) -> u32 {
    match key {
        Meta::EtherType => 1,
        Meta::InName => 6,
        Meta::OutName => 7,
        Meta::Family => 15,
        Meta::Transport => 16,
    }
}

fn write_verdict(to: &mut Message, verdict: Verdict<'_>) {
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
        Verdict::Return => (-5, None),
    };
    to.put_be32(1, i32::cast_unsigned(code));
    if let Some(chain) = chain {
        to.put_text(2, chain);
    }
}
