//! Netlink messages as bytes: header, fixed part, attributes (linux/netlink.h).

/// The bytes of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// The bytes of `struct nlattr`.
const ATTRIBUTE: usize = 4;

/// NLA_F_NESTED.
const NESTED: u16 = 1 << 15;

/// NLA_F_NET_BYTEORDER and NLA_F_NESTED are no part of an attribute's kind.
const KIND: u16 = 0x3fff;

/// One request, as it will be sent. An attribute is never cut short: what doesn't fit its 16 bits of length makes the message unsendable (CVE-2021-43784).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Message {
    /// A request of this kind. NLM_F_REQUEST is added to the flags.
    #[must_use]
    pub fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | 1).to_ne_bytes());
        Self {
            bytes,
            too_long: false,
        }
    }

    /// Adds the fixed part of a kind of message, or more of it.
    #[must_use]
    pub fn body(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    /// Adds an attribute.
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(value);
        self.end(start);
    }

    /// Adds an attribute with a number in the host's byte order, as rtnetlink has them.
    pub fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Adds an attribute with a number in network byte order, as nfnetlink has them.
    pub fn put_be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Adds an attribute with a text and its NUL. A NUL within would end it early, so that makes the message unsendable.
    pub fn put_text(&mut self, kind: u16, value: &str) {
        let start = self.begin(kind);
        self.too_long |= value.contains('\0');
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.end(start);
    }

    /// Adds an attribute that consists of attributes.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.begin(kind | NESTED);
        fill(self);
        self.end(start);
    }

    /// Adds the fixed part with which some attributes begin; see [`Message::nest`].
    pub fn put_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// How many bytes it has by now.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it always has a header")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn begin(&mut self, kind: u16) -> usize {
        self.pad();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes()),
            Err(_) => self.too_long = true,
        }
        self.pad();
    }

    fn pad(&mut self) {
        let aligned = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(aligned, 0);
    }

    /// Adds flags that say how it is to be answered.
    pub(super) fn add_flags(&mut self, flags: u16) {
        for (byte, more) in self.bytes[6..8].iter_mut().zip(flags.to_ne_bytes()) {
            *byte |= more;
        }
    }

    /// The bytes to send under this number; `None` for a message that can't be said.
    pub(super) fn finish(&mut self, sequence: u32) -> Option<&[u8]> {
        let length = u32::try_from(self.bytes.len()).ok()?;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        (!self.too_long).then_some(&self.bytes)
    }
}

/// One message of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its kind.
    pub kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// All after its header.
    pub payload: Vec<u8>,
}

impl Reply {
    /// The attributes after a fixed part of `fixed` bytes.
    #[must_use]
    pub fn attributes(&self, fixed: usize) -> Attributes<'_> {
        Attributes(self.payload.get(fixed..).unwrap_or_default())
    }
}

/// The messages in what one read has brought. Ends at the first that is none.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = Reply> + '_ {
    std::iter::from_fn(move || {
        let length = usize::try_from(number(bytes, 0)?).ok()?;
        let payload = bytes.get(HEADER..length)?.to_vec();
        let reply = Reply {
            kind: short(bytes, 4)?,
            flags: short(bytes, 6)?,
            sequence: number(bytes, 8)?,
            payload,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(reply)
    })
}

/// The attributes in some bytes: pairs of kind and value.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of a kind.
    #[must_use]
    pub fn get(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(k, value)| (k == kind).then_some(value))
    }

    /// The attributes that an attribute consists of; none if it isn't there.
    #[must_use]
    pub fn nested(self, kind: u16) -> Attributes<'a> {
        Attributes(self.get(kind).unwrap_or_default())
    }

    /// A text, without its NUL.
    #[must_use]
    pub fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.get(kind)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).ok()
    }

    /// A number in the host's byte order.
    #[must_use]
    pub fn u32(self, kind: u16) -> Option<u32> {
        number(self.get(kind)?, 0)
    }

    /// A number in network byte order.
    #[must_use]
    pub fn be32(self, kind: u16) -> Option<u32> {
        let bytes = self.get(kind)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A long number in network byte order.
    #[must_use]
    pub fn be64(self, kind: u16) -> Option<u64> {
        let bytes = self.get(kind)?.first_chunk()?;
        Some(u64::from_be_bytes(*bytes))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(short(self.0, 0)?);
        let kind = short(self.0, 2)? & KIND;
        let value = self.0.get(ATTRIBUTE..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
