//! nf_tables: batches of changes that are made together or not at all (linux/netfilter/nf_tables.h).

use rustix::io::Errno;

use super::expression::Expression;
use super::message::{Message, Reply};
use super::socket::{Socket, Topic};
use crate::Result;

const SUBSYSTEM: u16 = 10 << 8;
const NEWTABLE: u16 = 0;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;
const NEWRULE: u16 = 6;
const GETRULE: u16 = 7;
const DELRULE: u16 = 8;
const DELCHAIN: u16 = 5;
const DELSET: u16 = 11;
const NEWSET: u16 = 9;
const NEWELEMENT: u16 = 12;
const DELELEMENT: u16 = 14;
const GETTABLE: u16 = 1;
const GETELEMENT: u16 = 13;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

const F_EXCL: u16 = 0x200;
const F_CREATE: u16 = 0x400;
/// NLM_F_APPEND: behind the other rules.
const F_APPEND: u16 = 0x800;

/// NFNLGRP_NFTABLES.
const GROUP: u32 = 7;

/// The bytes of `struct nfgenmsg`.
const GENERIC: usize = 4;

/// Elements of one message: with keys and data of at most 60 bytes each, far from the 64 KiB that an attribute can hold.
const ELEMENTS: usize = 300;

/// What packets a table sees: NFPROTO_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Frames on bridges.
    Bridge,
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Bridge => 7,
            Self::Ip6 => 10,
        }
    }
}

/// Where a base chain sees packets: NF_INET_*, which for bridges are the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// To the host.
    Input,
    /// Through the host.
    Forward,
    /// From the host.
    Output,
    /// After routing.
    Postrouting,
}

/// What makes a chain a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// `filter` or `nat`.
    pub kind: &'static str,
    /// Where.
    pub hook: Hook,
    /// Before whom: lower numbers come first.
    pub priority: i32,
}

/// A set of keys, or a map from keys to data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// What a key consists of.
    pub key: &'static [Field],
    /// What a map's data consist of; a set has none.
    pub data: &'static [Field],
}

/// A part of a key. Each takes a multiple of four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// An IPv4 address: 4 bytes.
    Ipv4,
    /// An IPv6 address: 16 bytes.
    Ipv6,
    /// An Ethernet address: 6 bytes of 8.
    Mac,
    /// An IP protocol: 1 byte of 4.
    Protocol,
    /// A port: 2 bytes of 4.
    Port,
    /// An interface's name: 16 bytes.
    Interface,
}

impl Field {
    /// The number by which the `nft` program knows the type, when it lists a set.
    const fn datatype(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::Mac => 9,
            Self::Protocol => 12,
            Self::Port => 13,
            Self::Interface => 41,
        }
    }

    const fn size(self) -> u32 {
        match self {
            Self::Ipv4 | Self::Protocol | Self::Port => 4,
            Self::Mac => 8,
            Self::Ipv6 | Self::Interface => 16,
        }
    }

    /// What a value of one field alone takes: not padded.
    const fn bare_size(self) -> u32 {
        match self {
            Self::Protocol => 1,
            Self::Port => 2,
            Self::Ipv4 => 4,
            Self::Mac => 6,
            Self::Ipv6 | Self::Interface => 16,
        }
    }
}

fn shape(fields: &[Field]) -> (u32, u32) {
    let kind = fields.iter().fold(0, |all, one| all << 6 | one.datatype());
    let size = match fields {
        [one] => one.bare_size(),
        many => many.iter().map(|one| one.size()).sum(),
    };
    (kind, size)
}

/// A key, and the data that a map has for it: bytes, each part padded to a multiple of four unless it is alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The key.
    pub key: Vec<u8>,
    /// The data; empty in a set.
    pub data: Vec<u8>,
}

impl Element {
    fn write(&self, to: &mut Message) {
        to.nest(1, |key| key.put(1, &self.key));
        if !self.data.is_empty() {
            to.nest(2, |data| data.put(1, &self.data));
        }
    }
}

/// A part of a key or of data as bytes: see [`Field`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The one part of a key that has no other: not padded.
    #[must_use]
    pub fn bare(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Adds a part, padded to a multiple of four.
    #[must_use]
    pub fn part(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an interface's name.
    #[must_use]
    pub fn interface(self, name: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        self.part(&bytes)
    }

    /// All of it.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Changes to be made together. A table is named once; all that follows is in it.
#[derive(Clone, Debug)]
pub struct Batch {
    family: Family,
    table: String,
    messages: Vec<Message>,
    sets: u32,
}

fn generic(kind: u16, flags: u16, family: u8) -> Message {
    Message::new(SUBSYSTEM | kind, flags).body(&[family, 0, 0, 0])
}

fn limit(kind: u16) -> Message {
    // NFNL_SUBSYS_NFTABLES is whom the batch is for.
    Message::new(kind, 0).body(&[0, 0, 0, 10])
}

impl Batch {
    /// No change yet, in this table.
    #[must_use]
    pub fn new(family: Family, table: &str) -> Self {
        Self {
            family,
            table: table.to_owned(),
            messages: Vec::new(),
            sets: 0,
        }
    }

    /// The same changes first, then others in another table.
    pub fn turn_to(&mut self, family: Family, table: &str) {
        self.family = family;
        table.clone_into(&mut self.table);
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn message(&self, kind: u16, flags: u16) -> Message {
        let mut message = generic(kind, flags, self.family.number());
        message.put_text(1, &self.table);
        message
    }

    /// Makes the table, if it isn't there.
    pub fn add_table(&mut self) {
        let message = self.message(NEWTABLE, F_CREATE);
        self.messages.push(message);
    }

    /// Makes the table, which must not be there.
    pub fn create_table(&mut self) {
        let message = self.message(NEWTABLE, F_CREATE | F_EXCL);
        self.messages.push(message);
    }

    /// Removes the table, which must be there, with all that is in it.
    pub fn delete_table(&mut self) {
        let message = self.message(DELTABLE, 0);
        self.messages.push(message);
    }

    /// Makes a chain.
    pub fn add_chain(&mut self, name: &str, base: Option<Base>) {
        let mut message = self.message(NEWCHAIN, F_CREATE);
        message.put_text(3, name);
        if let Some(base) = base {
            message.nest(4, |hook| {
                hook.put_be32(1, base.hook as u32);
                hook.put_be32(2, base.priority.cast_unsigned());
            });
            // NF_ACCEPT.
            message.put_be32(5, 1);
            message.put_text(7, base.kind);
        }
        self.messages.push(message);
    }

    /// Makes a set or map.
    pub fn add_set(&mut self, set: &Set) {
        const MAP: u32 = 8;
        self.sets += 1;
        let mut message = self.message(NEWSET, F_CREATE);
        message.put_text(2, set.name);
        let (kind, size) = shape(set.key);
        let map = if set.data.is_empty() { 0 } else { MAP };
        message.put_be32(3, map);
        message.put_be32(4, kind);
        message.put_be32(5, size);
        if map != 0 {
            let (kind, size) = shape(set.data);
            message.put_be32(6, kind);
            message.put_be32(7, size);
        }
        message.put_be32(10, self.sets);
        // For the `nft` program, which else lists names of interfaces backwards: key and data are in network (2) or the host's (1) byte order.
        let order = |fields: &[Field]| {
            if fields == [Field::Interface] {
                1
            } else {
                2_u32
            }
        };
        let mut notes = vec![0, 4];
        notes.extend(order(set.key).to_ne_bytes());
        notes.extend([1, 4]);
        notes.extend(order(set.data).to_ne_bytes());
        message.put(13, &notes);
        self.messages.push(message);
    }

    /// Puts elements into a set. One that is there already, with the same data, is no error.
    pub fn add_elements(&mut self, set: &str, elements: &[Element]) {
        self.elements(NEWELEMENT, F_CREATE, set, elements);
    }

    /// Takes elements out of a set, which all must be there.
    pub fn delete_elements(&mut self, set: &str, elements: &[Element]) {
        self.elements(DELELEMENT, 0, set, elements);
    }

    fn elements(&mut self, kind: u16, flags: u16, set: &str, elements: &[Element]) {
        for some in elements.chunks(ELEMENTS) {
            let message = self.elements_message(kind, flags, set, some);
            self.messages.push(message);
        }
    }

    fn elements_message(&self, kind: u16, flags: u16, set: &str, some: &[Element]) -> Message {
        let mut message = self.message(kind, flags);
        message.put_text(2, set);
        message.nest(3, |list| {
            for one in some {
                list.nest(1, |element| one.write(element));
            }
        });
        message
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(&mut self, chain: &str, expressions: &[Expression<'_>]) {
        let message = self.rule(chain, expressions, F_CREATE | F_APPEND);
        self.messages.push(message);
    }

    /// The changes of another batch too.
    pub fn append(&mut self, other: Self) {
        self.messages.extend(other.messages);
    }

    /// Adds a rule at the end of a chain, with a mark of whose it is.
    pub fn append_rule(&mut self, chain: &str, mark: &[u8], expressions: &[Expression<'_>]) {
        let mut message = self.rule(chain, expressions, F_CREATE | F_APPEND);
        message.put(7, mark);
        self.messages.push(message);
    }

    /// Adds a rule at the start of a chain, or before the rule `before` (Linux 3.13), with a mark of whose it is.
    pub fn insert_rule(
        &mut self,
        chain: &str,
        before: Option<u64>,
        mark: &[u8],
        expressions: &[Expression<'_>],
    ) {
        let mut message = self.rule(chain, expressions, F_CREATE);
        if let Some(before) = before {
            message.put(6, &before.to_be_bytes());
        }
        message.put(7, mark);
        self.messages.push(message);
    }

    fn rule(&self, chain: &str, expressions: &[Expression<'_>], flags: u16) -> Message {
        let mut message = self.message(NEWRULE, flags);
        message.put_text(2, chain);
        message.nest(4, |list| {
            for expression in expressions {
                list.nest(1, |one| expression.write(one));
            }
        });
        message
    }

    /// Removes a rule by its number.
    pub fn delete_rule(&mut self, chain: &str, handle: u64) {
        let mut message = self.message(DELRULE, 0);
        message.put_text(2, chain);
        message.put(3, &handle.to_be_bytes());
        self.messages.push(message);
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// The first change that was refused, with the kernel's reason: `ENOENT` if a table, chain, set or element is not there.
    pub fn commit(self, socket: &Socket) -> Result<()> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let mut all = Vec::with_capacity(self.messages.len() + 2);
        all.push(limit(BATCH_BEGIN));
        all.extend(self.messages);
        all.push(limit(BATCH_END));
        socket.commit("nftables change", all)
    }
}

/// A base chain that is there, anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whether it lets pass what no rule of it decides.
    pub accepts: bool,
}

fn missing<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.errno() == Errno::NOENT => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a table is there.
///
/// # Errors
/// The kernel has no nf_tables, or no right.
pub fn has_table(socket: &Socket, family: Family, table: &str) -> Result<bool> {
    let mut message = generic(GETTABLE, 0, family.number());
    message.put_text(1, table);
    Ok(missing(socket.get("nftables table", message))?.is_some())
}

/// A chain that is there; `None` if it isn't.
///
/// # Errors
/// The kernel has no nf_tables, or no right.
pub fn chain(socket: &Socket, family: Family, table: &str, name: &str) -> Result<Option<Chain>> {
    let mut message = generic(GETCHAIN, 0, family.number());
    message.put_text(1, table);
    message.put_text(3, name);
    let found = missing(socket.get("nftables chain", message))?;
    Ok(found.map(|reply| Chain {
        // A chain that is no base chain has no policy; NF_DROP is 0.
        accepts: reply.attributes(GENERIC).be32(5) != Some(0),
    }))
}

/// A rule of anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub handle: u64,
    /// What its maker wrote beside it.
    pub mark: Vec<u8>,
    /// The names of its expressions.
    pub expressions: Vec<String>,
}

/// The rules of a chain, in order; none if it isn't there.
///
/// # Errors
/// The kernel has no nf_tables, or no right.
pub fn rules(socket: &Socket, family: Family, table: &str, chain: &str) -> Result<Vec<Rule>> {
    let mut message = generic(GETRULE, 0, family.number());
    message.put_text(1, table);
    message.put_text(2, chain);
    let replies = missing(socket.dump("nftables rules", &message))?.unwrap_or_default();
    let read = |reply: &Reply| {
        let attributes = reply.attributes(GENERIC);
        let names = attributes.nested(4).filter_map(|(_, one)| {
            let name = super::message::Attributes(one).text(1)?;
            Some(name.to_owned())
        });
        Some(Rule {
            handle: attributes.be64(3)?,
            mark: attributes.get(7).unwrap_or_default().to_owned(),
            expressions: names.collect(),
        })
    };
    Ok(replies.iter().filter_map(read).collect())
}

/// The elements of a set; none if it isn't there.
///
/// # Errors
/// The kernel has no nf_tables, or no right.
pub fn elements(socket: &Socket, family: Family, table: &str, set: &str) -> Result<Vec<Element>> {
    let mut message = generic(GETELEMENT, 0, family.number());
    message.put_text(1, table);
    message.put_text(2, set);
    let replies = missing(socket.dump("nftables elements", &message))?.unwrap_or_default();
    let mut all = Vec::new();
    for reply in &replies {
        for (_, one) in reply.attributes(GENERIC).nested(3) {
            let one = super::message::Attributes(one);
            let value = |kind| one.nested(kind).get(1).unwrap_or_default().to_owned();
            all.push(Element {
                key: value(1),
                data: value(2),
            });
        }
    }
    Ok(all)
}

/// Hears whenever rules are removed: `nft flush ruleset` and its like. The descriptor becomes readable; one process of an installation listens.
#[derive(Debug)]
pub struct Watch(Socket);

impl Watch {
    /// Begins to listen, in the calling thread's network namespace.
    ///
    /// # Errors
    /// The kernel has no nf_tables, or no right.
    pub fn open() -> Result<Self> {
        let socket = Socket::open(Topic::Netfilter)?;
        socket.join(GROUP)?;
        // A flush of thousands of elements is as many notifications. What does not fit is lost, which is heard too.
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 1024 * 1024).ok();
        Ok(Self(socket))
    }

    /// Whether a table of this name, or rules, chains or sets of it were removed and the table not made again, or something was lost, since the last time. Elements
    /// come and go all the time. Does not wait.
    ///
    /// # Errors
    /// netlink failed.
    pub fn removed(&self, table: &str) -> Result<bool> {
        let replies = match self.0.notifications() {
            Err(error) if error.errno() == Errno::NOBUFS => return Ok(true),
            other => other?,
        };
        let mut gone = false;
        for reply in &replies {
            let ours = reply.kind & 0xff00 == SUBSYSTEM
                && reply.attributes(GENERIC).text(1) == Some(table);
            match reply.kind & 0xff {
                // Whoever makes the table again makes it whole.
                NEWTABLE if ours => gone = false,
                // Rules, chains and sets may go one by one, as `nft flush table` does.
                DELTABLE | DELRULE | DELCHAIN | DELSET if ours => gone = true,
                _ => {}
            }
        }
        Ok(gone)
    }
}

impl std::os::fd::AsFd for Watch {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
