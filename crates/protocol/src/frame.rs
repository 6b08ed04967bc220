//! Messages on a stream socket: a header, JSON, and descriptors beside the first byte.
//!
//! Header: `T` `M`, the version, 0, then the JSON's length in four bytes, little endian. Never more is read than the message,
//! so that a connection can turn into a plain stream after one.

#[cfg(test)]
mod tests;

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};

/// The protocol's version.
pub const VERSION: u8 = 1;
/// The longest message.
pub const MAX_BODY: usize = 1024 * 1024;
/// The most descriptors that one message carries.
pub const MAX_FDS: usize = 3;

const HEADER: usize = 8;
const SUBJECT: &str = "monitor connection";

/// A message that was received.
#[derive(Debug)]
pub struct Message {
    /// Its JSON.
    pub body: Vec<u8>,
    /// The descriptors that came with it.
    pub fds: Vec<OwnedFd>,
}

impl Message {
    /// The message as a value.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| Error::malformed("parse", "message", e))
    }
}

/// What one [`Incoming::receive`] brought.
#[derive(Debug)]
pub enum Progress {
    /// A whole message.
    Message(Message),
    /// A part of one: call again.
    Partial,
    /// Nothing now.
    WouldBlock,
    /// The other side sends no more, and no message was begun.
    Closed,
}

/// A message that is being received.
#[derive(Debug, Default)]
pub struct Incoming {
    header: [u8; HEADER],
    have: usize,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Incoming {
    /// Receives once.
    ///
    /// # Errors
    /// The connection failed, closed in the middle of a message, or sent what is no message. Nothing more can be
    /// received after an error.
    pub fn receive(&mut self, socket: impl AsFd, flags: RecvFlags) -> Result<Progress> {
        let socket = socket.as_fd();
        let got = if self.have < HEADER {
            self.receive_header(socket, flags)
        } else {
            self.receive_body(socket, flags)
        };
        match got {
            Ok(0) if self.have == 0 => return Ok(Progress::Closed),
            Ok(0) => return Err(Error::new(Kind::Closed, "receive", SUBJECT)),
            Ok(n) => self.have += n,
            Err(Errno::INTR) => return Ok(Progress::Partial),
            Err(Errno::AGAIN) => return Ok(Progress::WouldBlock),
            Err(Errno::CONNRESET) => return Err(Error::new(Kind::Closed, "receive", SUBJECT)),
            Err(Errno::TOOBIG) => {
                return Err(Error::new(Kind::Malformed, "receive descriptors", SUBJECT));
            }
            Err(e) => return Err(Error::io("receive", SUBJECT, e)),
        }
        if self.have < HEADER || self.have < HEADER + self.length()? {
            return Ok(Progress::Partial);
        }
        let done = std::mem::take(self);
        Ok(Progress::Message(Message {
            body: done.body,
            fds: done.fds,
        }))
    }

    fn receive_header(&mut self, socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut target = [IoSliceMut::new(&mut self.header[self.have..])];
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let got = rustix::net::recvmsg(socket, &mut target, &mut control, flags)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        // The kernel closed what didn't fit.
        if got.flags.contains(ReturnFlags::CTRUNC) || self.fds.len() > MAX_FDS {
            return Err(Errno::TOOBIG);
        }
        Ok(got.bytes)
    }

    /// Descriptors that come beside the body are dropped by the kernel, as there is no room for them.
    fn receive_body(&mut self, socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<usize, Errno> {
        const STEP: usize = 16 * 1024;
        let start = self.body.len();
        let missing = self.length().map_err(|_| Errno::BADMSG)? - start;
        // Room grows with what came, not with what was announced.
        self.body.resize(start + missing.min(STEP), 0);
        let got = rustix::net::recv(socket, &mut self.body[start..], flags);
        let bytes = got.as_ref().map_or(0, |(n, _)| *n);
        self.body.truncate(start + bytes);
        got.map(|_| bytes)
    }

    /// The announced length of the body.
    fn length(&self) -> Result<usize> {
        let [t, m, version, zero, a, b, c, d] = self.header;
        if [t, m, zero] != [b'T', b'M', 0] {
            return Err(Error::new(Kind::Malformed, "receive", SUBJECT));
        }
        if version != VERSION {
            return Err(Error::new(
                Kind::Version,
                "understand",
                format!("monitor protocol of version {version} (this is version {VERSION})"),
            ));
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_BODY {
            return Err(Error::new(Kind::TooLarge, "receive", SUBJECT));
        }
        Ok(length)
    }
}

/// A message that is being sent.
#[derive(Debug)]
pub struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<OwnedFd>,
}

impl Outgoing {
    /// Prepares `message` with the descriptors beside it.
    ///
    /// # Errors
    /// It is too large, or there are too many descriptors.
    pub fn new(message: &impl Serialize, fds: Vec<OwnedFd>) -> Result<Self> {
        let mut bytes = vec![0; HEADER];
        serde_json::to_writer(&mut bytes, message)
            .map_err(|e| Error::malformed("encode", "message", e))?;
        let length = bytes.len() - HEADER;
        match u32::try_from(length) {
            Ok(announced) if length <= MAX_BODY && fds.len() <= MAX_FDS => {
                bytes[..4].copy_from_slice(&[b'T', b'M', VERSION, 0]);
                bytes[4..HEADER].copy_from_slice(&announced.to_le_bytes());
            }
            _ => return Err(Error::new(Kind::TooLarge, "send", SUBJECT)),
        }
        Ok(Self {
            bytes,
            sent: 0,
            fds,
        })
    }

    /// Sends what the socket takes; true when all was sent.
    ///
    /// # Errors
    /// The connection failed.
    pub fn send(&mut self, socket: impl AsFd, flags: SendFlags) -> Result<bool> {
        let flags = flags | SendFlags::NOSIGNAL;
        while self.sent < self.bytes.len() {
            let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
                return Err(Error::new(Kind::TooLarge, "send", SUBJECT));
            }
            let rest = [IoSlice::new(&self.bytes[self.sent..])];
            match rustix::net::sendmsg(&socket, &rest, &mut control, flags) {
                Ok(n) => {
                    self.sent += n;
                    if n > 0 {
                        self.fds.clear();
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    return Err(Error::new(Kind::Closed, "send", SUBJECT));
                }
                Err(e) => return Err(Error::io("send", SUBJECT, e)),
            }
        }
        Ok(true)
    }
}
