//! Messages of D-Bus, little-endian: the specification's "Marshaling (Wire Format)" and "Message Protocol", as much as systemd's manager needs.

use rustix::io::Errno;

use crate::error::{Error, Result};

/// A value that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    U64(u64),
    Text(String),
    U32s(Vec<u32>),
    Bytes(Vec<u8>),
    /// `a(sv)`.
    Properties(Vec<(&'static str, Value)>),
    /// An empty `a(sa(sv))`: units besides.
    NoUnits,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Bool(_) => "b",
            Self::U64(_) => "t",
            Self::Text(_) => "s",
            Self::U32s(_) => "au",
            Self::Bytes(_) => "ay",
            Self::Properties(_) => "a(sv)",
            Self::NoUnits => "a(sa(sv))",
        }
    }
}

/// A message that was received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) reply_to: Option<u32>,
    pub(crate) member: String,
    pub(crate) error: String,
    pub(crate) signature: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) const CALL: u8 = 1;
pub(crate) const RETURN: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const SIGNAL: u8 = 4;

/// No answer of systemd's is longer; the specification allows 128 MiB.
const LONGEST: u32 = 1 << 20;

/// What is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) destination: &'static str,
    pub(crate) path: &'static str,
    pub(crate) interface: &'static str,
}

/// A method call.
pub(crate) fn call(serial: u32, target: Target, member: &str, args: &[Value]) -> Vec<u8> {
    let mut body = Writer::default();
    args.iter().for_each(|arg| body.value(arg));
    let signature: String = args.iter().map(Value::signature).collect();
    let mut fields = Writer::default();
    for (code, kind, text) in [
        (1, "o", target.path),
        (2, "s", target.interface),
        (3, "s", member),
        (6, "s", target.destination),
    ] {
        fields.align(8);
        fields.bytes.push(code);
        fields.signature(kind);
        fields.text(text);
    }
    if !signature.is_empty() {
        fields.align(8);
        fields.bytes.push(8);
        fields.signature("g");
        fields.signature(&signature);
    }
    let mut all = Writer {
        bytes: vec![b'l', CALL, 0, 1],
    };
    all.number(length(&body.bytes));
    all.number(serial);
    // The fields begin at 16, so they are aligned as they were written.
    all.number(length(&fields.bytes));
    all.bytes.extend(fields.bytes);
    all.align(8);
    all.bytes.extend(body.bytes);
    all.bytes
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[derive(Debug, Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.as_bytes()));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// At most 255 bytes; ours are.
    fn signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// An array: its length counts neither the padding before its first element.
    fn array(&mut self, align: usize, fill: impl FnOnce(&mut Self)) {
        self.number(0);
        let at = self.bytes.len() - 4;
        self.align(align);
        let begin = self.bytes.len();
        fill(self);
        let count = length(&self.bytes[begin..]);
        self.bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(on) => self.number(u32::from(*on)),
            Value::U64(number) => {
                self.align(8);
                self.bytes.extend(number.to_le_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::U32s(numbers) => {
                self.array(4, |w| numbers.iter().for_each(|n| w.number(*n)));
            }
            Value::Bytes(bytes) => self.array(1, |w| w.bytes.extend(bytes)),
            Value::Properties(all) => self.array(8, |w| {
                for (name, value) in all {
                    w.align(8);
                    w.text(name);
                    w.signature(value.signature());
                    w.value(value);
                }
            }),
            Value::NoUnits => self.array(8, |_| ()),
        }
    }
}

/// How many bytes the message has that begins with these 16; an error if it is none that is taken.
pub(crate) fn whole(head: &[u8; 16]) -> Result<usize> {
    let mut reader = Reader { bytes: head, at: 4 };
    let (body, _, fields) = (reader.number()?, reader.number()?, reader.number()?);
    if head[0] != b'l' || head[3] != 1 || body > LONGEST || fields > LONGEST {
        return Err(garbled());
    }
    let size = |number: u32| usize::try_from(number).map_err(|_| garbled());
    Ok((16 + size(fields)?).next_multiple_of(8) + size(body)?)
}

/// The message that is all of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message> {
    let mut reader = Reader { bytes, at: 4 };
    let body = usize::try_from(reader.number()?).map_err(|_| garbled())?;
    let _serial = reader.number()?;
    let fields = usize::try_from(reader.number()?).map_err(|_| garbled())?;
    let end = 16_usize.checked_add(fields).ok_or_else(garbled)?;
    let mut message = Message {
        kind: bytes[1],
        ..Message::default()
    };
    while reader.at < end {
        reader.align(8);
        let code = reader.byte()?;
        let kind = reader.signature()?;
        match (code, kind.as_str()) {
            (3, "s") => message.member = reader.text()?,
            (4, "s") => message.error = reader.text()?,
            (5, "u") => message.reply_to = Some(reader.number()?),
            (8, "g") => message.signature = reader.signature()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "u") => drop(reader.number()?),
            (_, "g") => drop(reader.signature()?),
            _ => return Err(garbled()),
        }
    }
    let begin = end.next_multiple_of(8);
    let rest = bytes.get(begin..begin + body).ok_or_else(garbled)?;
    message.body = rest.to_vec();
    Ok(message)
}

impl Message {
    /// The texts and numbers of its body, numbers as text: what signals and answers of systemd's manager have.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        let mut reader = Reader {
            bytes: &self.body,
            at: 0,
        };
        let mut words = Vec::new();
        for kind in self.signature.chars() {
            words.push(match kind {
                's' | 'o' => reader.text()?,
                'u' => reader.number()?.to_string(),
                'g' => reader.signature()?,
                _ => return Ok(words),
            });
        }
        Ok(words)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(garbled)?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u32> {
        self.align(4);
        let end = self.at.checked_add(4).ok_or_else(garbled)?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(garbled)?;
        self.at = end;
        Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| garbled())?))
    }

    fn text(&mut self) -> Result<String> {
        let count = usize::try_from(self.number()?).map_err(|_| garbled())?;
        self.take(count)
    }

    fn signature(&mut self) -> Result<String> {
        let count = usize::from(self.byte()?);
        self.take(count)
    }

    /// Bytes with a zero behind them.
    fn take(&mut self, count: usize) -> Result<String> {
        let end = self.at.checked_add(count).ok_or_else(garbled)?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(garbled)?;
        if self.bytes.get(end) != Some(&0) {
            return Err(garbled());
        }
        self.at = end + 1;
        String::from_utf8(bytes.to_vec()).map_err(|_| garbled())
    }
}

pub(crate) fn garbled() -> Error {
    Error::io("read message of", "systemd's bus", Errno::PROTO)
}
