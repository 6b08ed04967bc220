//! Messages of protocol buffers, as far as CRIU's need them.

/// A message being written.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// The value of a field that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

const NUMBER: u64 = 0;
const WIDE: u64 = 1;
const BYTES: u64 = 2;
const NARROW: u64 = 5;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or(0));
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.varint(u64::from(field) << 3 | wire);
    }

    /// A number or an enumeration's value.
    pub(crate) fn number(&mut self, field: u32, value: u64) {
        self.key(field, NUMBER);
        self.varint(value);
    }

    /// A truth value.
    pub(crate) fn flag(&mut self, field: u32, value: bool) {
        self.number(field, u64::from(value));
    }

    /// A text.
    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A message in this one.
    pub(crate) fn message(&mut self, field: u32, value: Self) {
        self.bytes(field, &value.0);
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, BYTES);
        self.varint(u64::try_from(value.len()).unwrap_or(0));
        self.0.extend(value);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The fields of a message, in order; `None` if it is none.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let value = match key & 7 {
            NUMBER => Value::Number(take_varint(&mut bytes)?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                Value::Bytes(take(&mut bytes, length)?)
            }
            WIDE => Value::Bytes(take(&mut bytes, 8)?),
            NARROW => Value::Bytes(take(&mut bytes, 4)?),
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Message::default();
        inner.text(1, "text");
        let mut outer = Message::default();
        outer.number(1, 300);
        outer.flag(50, true);
        outer.message(2, inner);
        let bytes = outer.into_bytes();
        // As the specification of protocol buffers writes them.
        assert_eq!(bytes[..3], [0x08, 0xac, 0x02]);
        let fields = fields(&bytes).unwrap();
        assert_eq!(fields[0], (1, Value::Number(300)));
        assert_eq!(fields[1], (50, Value::Number(1)));
        let Value::Bytes(inner) = fields[2].1 else {
            panic!("no message");
        };
        assert_eq!(super::fields(inner).unwrap()[0], (1, Value::Bytes(b"text")));
    }

    #[test]
    fn what_is_cut_off_is_none() {
        for bytes in [&[0x08][..], &[0x12, 5, 1], &[0x80], &[0x0b], &[0xff; 11]] {
            assert_eq!(fields(bytes), None, "{bytes:?}");
        }
    }
}
