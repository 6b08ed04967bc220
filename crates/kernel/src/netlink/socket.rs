//! A netlink socket: requests go out, answers come back.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, send,
    socket_with, sockopt,
};

use super::message::{self, Attributes, Message, Reply};
use crate::error::At;
use crate::{Error, Result, raw};

/// What a netlink socket is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Links, addresses, routes: rtnetlink(7).
    Route,
    /// nf_tables and connection tracking.
    Netfilter,
}

/// NLMSG_ERROR and NLMSG_DONE.
const ERROR: u16 = 2;
const DONE: u16 = 3;

const F_MULTI: u16 = 2;
const F_ACK: u16 = 4;
const F_DUMP_INTR: u16 = 0x10;
const F_DUMP: u16 = 0x300;
/// NLM_F_CAPPED and NLM_F_ACK_TLVS: whether an error's copy of the request is cut, and whether attributes follow it.
const F_CAPPED: u16 = 0x100;
const F_ACK_TLVS: u16 = 0x200;
/// NLMSGERR_ATTR_MSG.
const ATTR_MSG: u16 = 1;

/// Dumps come in pieces of at most 32 KiB; a piece that does not fit is lost.
const BUFFER: usize = 64 * 1024;

/// How often a dump is asked for again that changed while it was read.
const ATTEMPTS: usize = 8;

/// A socket of the network namespace in which it was opened, wherever its user goes later.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    sequence: AtomicU32,
}

impl Socket {
    /// Opens one in the calling thread's network namespace.
    ///
    /// # Errors
    /// The kernel has no such topic.
    pub fn open(topic: Topic) -> Result<Self> {
        let protocol = match topic {
            Topic::Route => None,
            Topic::Netfilter => Some(netlink::NETFILTER),
        };
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        );
        let fd = fd.at("open", "netlink socket")?;
        // Reasons in words (Linux 4.12), and the filters of dumps honoured (4.20): without them it works all the same.
        raw::netlink::set(fd.as_fd(), raw::netlink::CAP_ACK, 1).ok();
        raw::netlink::set(fd.as_fd(), raw::netlink::EXT_ACK, 1).ok();
        if topic == Topic::Route {
            raw::netlink::set(fd.as_fd(), raw::netlink::GET_STRICT_CHK, 1).ok();
        }
        Ok(Self {
            fd,
            sequence: AtomicU32::new(1),
        })
    }

    /// Joins a group of notifications.
    ///
    /// # Errors
    /// No right, or no such group.
    pub fn join(&self, group: u32) -> Result<()> {
        // A socket without an address hears nothing; the kernel chooses one.
        bind(&self.fd, &netlink::SocketAddrNetlink::new(0, 0)).at("bind", "netlink socket")?;
        raw::netlink::set(self.fd.as_fd(), raw::netlink::ADD_MEMBERSHIP, group)
            .at("join netlink group", group)
    }

    /// Makes requests and waits until each was carried out. All are sent in one call; the kernel carries them out in turn, also those after one that fails.
    ///
    /// # Errors
    /// The first one that failed, said as `what`.
    pub fn request(&self, what: &str, messages: Vec<Message>) -> Result<()> {
        let count = messages.len();
        let first = self.send_all(what, messages, F_ACK)?;
        let mut failed = None;
        let mut open = count;
        while open > 0 {
            for reply in self.receive(what, RecvFlags::empty())? {
                if reply.kind != ERROR || reply.sequence.wrapping_sub(first) as usize >= count {
                    continue;
                }
                open -= 1;
                if let (Some(error), None) = (refusal(what, &reply), &failed) {
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Makes one request and gives its one answer.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn get(&self, what: &str, message: Message) -> Result<Reply> {
        let sequence = self.send_all(what, vec![message], 0)?;
        loop {
            for reply in self.receive(what, RecvFlags::empty())? {
                if reply.sequence != sequence {
                    continue;
                }
                if reply.kind != ERROR {
                    return Ok(reply);
                }
                if let Some(error) = refusal(what, &reply) {
                    return Err(error);
                }
            }
        }
    }

    /// Makes one request and gives all that it lists. A list that changed while it was read is read again.
    ///
    /// # Errors
    /// The kernel refused, or the list never stood still.
    pub fn dump(&self, what: &str, message: &Message) -> Result<Vec<Reply>> {
        for _ in 0..ATTEMPTS {
            if let Some(all) = self.dump_once(what, message.clone())? {
                return Ok(all);
            }
        }
        Err(Error::new("list", what, Errno::INTR))
    }

    fn dump_once(&self, what: &str, message: Message) -> Result<Option<Vec<Reply>>> {
        let sequence = self.send_all(what, vec![message], F_DUMP)?;
        let mut all = Vec::new();
        let mut changed = false;
        loop {
            for reply in self.receive(what, RecvFlags::empty())? {
                if reply.sequence != sequence {
                    continue;
                }
                changed |= reply.flags & F_DUMP_INTR != 0;
                match reply.kind {
                    DONE => return Ok((!changed).then_some(all)),
                    ERROR => match refusal(what, &reply) {
                        Some(error) if error.errno() == Errno::INTR => return Ok(None),
                        Some(error) => return Err(error),
                        None => {}
                    },
                    _ => all.push(reply),
                }
            }
        }
    }

    /// Sends an nf_tables batch whose messages are carried out together or not at all, and waits for the verdict.
    pub(super) fn commit(&self, what: &str, messages: Vec<Message>) -> Result<()> {
        let count = messages.len();
        // Room for what is sent in one piece, and for an answer to each message; without the right to it the usual room must do.
        let room: usize = messages.iter().map(Message::len).sum();
        if room > BUFFER {
            sockopt::set_socket_send_buffer_size_force(&self.fd, room * 2).ok();
        }
        let mut messages = messages;
        // The last one before the end of the batch answers for all: an acknowledgement of the end itself is of Linux 6.10.
        if let Some(last) = count.checked_sub(2).and_then(|n| messages.get_mut(n)) {
            last.add_flags(F_ACK);
        }
        let first = self.send_all(what, messages, 0)?;
        let last = first.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX).wrapping_sub(2));
        let mut failed: Option<Error> = None;
        let mut acknowledged = false;
        loop {
            // All was carried out within the send; once the last answer was seen, only what is already there counts.
            let settled = acknowledged || failed.is_some();
            let flags = if settled {
                RecvFlags::DONTWAIT
            } else {
                RecvFlags::empty()
            };
            let replies = match self.receive(what, flags) {
                Err(error) if settled && error.errno() == Errno::AGAIN => {
                    return failed.map_or(Ok(()), Err);
                }
                // So many errors that they don't fit: it failed.
                Err(error) if error.errno() == Errno::NOBUFS => {
                    failed = failed.or(Some(error));
                    continue;
                }
                other => other?,
            };
            for reply in replies {
                let ours = reply.sequence.wrapping_sub(first) as usize <= count;
                if reply.kind != ERROR || !ours {
                    continue;
                }
                acknowledged |= reply.sequence == last;
                if let (Some(error), None) = (refusal(what, &reply), &failed) {
                    failed = Some(error);
                }
            }
        }
    }

    /// What has come by itself since the last time: notifications. Does not wait.
    ///
    /// # Errors
    /// `ENOBUFS`: some were lost.
    pub fn notifications(&self) -> Result<Vec<Reply>> {
        let mut all = Vec::new();
        loop {
            match self.receive("notifications", RecvFlags::DONTWAIT) {
                Ok(replies) => all.extend(replies),
                Err(error) if error.errno() == Errno::AGAIN => return Ok(all),
                Err(error) => return Err(error),
            }
        }
    }

    /// The number of the first message that was sent.
    fn send_all(&self, what: &str, messages: Vec<Message>, flags: u16) -> Result<u32> {
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let first = self.sequence.fetch_add(count, Ordering::Relaxed);
        let mut bytes = Vec::with_capacity(messages.iter().map(Message::len).sum());
        for (mut message, sequence) in messages
            .into_iter()
            .zip((0..count).map(|n| first.wrapping_add(n)))
        {
            message.add_flags(flags);
            let one = message.finish(sequence).ok_or_else(|| {
                Error::invalid("send", what, "a value does not fit a netlink attribute")
            })?;
            bytes.extend_from_slice(one);
        }
        loop {
            match send(&self.fd, &bytes, SendFlags::empty()) {
                Err(Errno::INTR) => {}
                result => {
                    result.at("send", what)?;
                    return Ok(first);
                }
            }
        }
    }

    fn receive(&self, what: &str, flags: RecvFlags) -> Result<Vec<Reply>> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match recv(&self.fd, &mut buffer[..], flags) {
                Err(Errno::INTR) => {}
                result => {
                    let (got, _) = result.at("receive", what)?;
                    return Ok(message::split(&buffer[..got]).collect());
                }
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What an answer refuses; `None` if it confirms. The kernel's own words are part of it.
fn refusal(what: &str, reply: &Reply) -> Option<Error> {
    let code = i32::from_ne_bytes(*reply.payload.first_chunk()?);
    if code == 0 {
        return None;
    }
    let errno = Errno::from_raw_os_error(code.saturating_neg());
    let words = words(reply).map(|words| format!(": {words}"));
    let subject = format!("{what}{}", words.unwrap_or_default());
    Some(Error::new("ask the kernel for", subject, errno))
}

/// NLMSGERR_ATTR_MSG: behind the code comes the request's header, and unless it is capped the request.
fn words(reply: &Reply) -> Option<&str> {
    if reply.flags & F_ACK_TLVS == 0 {
        return None;
    }
    let mut skip = 4 + message::HEADER;
    if reply.flags & F_CAPPED == 0 {
        let request = message::number(&reply.payload, 4)?;
        skip = 4 + usize::try_from(request).ok()?.next_multiple_of(4);
    }
    let attributes = Attributes(reply.payload.get(skip..)?);
    attributes.text(ATTR_MSG)
}

impl Reply {
    /// Whether more of the same list follow.
    #[must_use]
    pub const fn is_part_of_list(&self) -> bool {
        self.flags & F_MULTI != 0
    }
}
