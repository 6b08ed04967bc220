//! One header block.

use super::{BLOCK, Segment, Time};

/// Why a header is refused.
pub(super) type Refused = &'static str;

/// A block of 512 bytes that is a header.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    V7,
    Ustar,
    Gnu,
}

impl<'a> Header<'a> {
    /// The header in `block`, if its checksum is right. Some old tars summed signed bytes.
    pub(super) fn new(block: &'a [u8; BLOCK]) -> Result<Self, Refused> {
        let blanked = |i: usize| {
            if (148..156).contains(&i) {
                b' '
            } else {
                block[i]
            }
        };
        let unsigned: i64 = (0..BLOCK).map(|i| i64::from(blanked(i))).sum();
        let signed: i64 = (0..BLOCK)
            .map(|i| i64::from(blanked(i).cast_signed()))
            .sum();
        let header = Self(block);
        let sum = number(header.field(148, 8)).map_err(|_| "the header's checksum is no number")?;
        if sum == unsigned || sum == signed {
            Ok(header)
        } else {
            Err("the header's checksum is wrong")
        }
    }

    fn field(&self, start: usize, len: usize) -> &'a [u8] {
        &self.0[start..start + len]
    }

    pub(super) fn format(&self) -> Format {
        match self.field(257, 8) {
            b"ustar  \0" => Format::Gnu,
            magic if magic.starts_with(b"ustar\0") => Format::Ustar,
            _ => Format::V7,
        }
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// The name, with the prefix that ustar has for long ones. GNU keeps other things in the prefix.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(self.field(0, 100));
        let prefix = match self.format() {
            // Schily's star ends the block with its own magic and has times behind a shorter prefix.
            Format::Ustar if self.field(508, 4) == b"tar\0" => text(self.field(345, 131)),
            Format::Ustar => text(self.field(345, 155)),
            Format::Gnu | Format::V7 => b"",
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    pub(super) fn link(&self) -> &'a [u8] {
        text(self.field(157, 100))
    }

    pub(super) fn mode(&self) -> Result<u16, Refused> {
        let mode = number(self.field(100, 8)).map_err(|_| "the mode is no number")?;
        u16::try_from(mode & 0o7777).map_err(|_| "the mode is no number")
    }

    pub(super) fn uid(&self) -> Result<i64, Refused> {
        number(self.field(108, 8)).map_err(|_| "the owner is no number")
    }

    pub(super) fn gid(&self) -> Result<i64, Refused> {
        number(self.field(116, 8)).map_err(|_| "the group is no number")
    }

    pub(super) fn size(&self) -> Result<u64, Refused> {
        let size = number(self.field(124, 12)).map_err(|_| "the size is no number")?;
        u64::try_from(size).map_err(|_| "the size is negative")
    }

    pub(super) fn mtime(&self) -> Result<Time, Refused> {
        let seconds = number(self.field(136, 12)).map_err(|_| "the time is no number")?;
        Ok(Time { seconds, nanos: 0 })
    }

    pub(super) fn device(&self) -> Result<(u32, u32), Refused> {
        let part = |start| {
            let part = number(self.field(start, 8)).map_err(|_| "the device is no number")?;
            u32::try_from(part).map_err(|_| "the device's number is out of range")
        };
        Ok((part(329)?, part(337)?))
    }

    /// The first part of an old GNU sparse file's map, whether more follows, and the file's real size.
    pub(super) fn sparse(&self) -> Result<(Vec<Segment>, bool, u64), Refused> {
        let mut segments = Vec::new();
        sparse_slots(self.field(386, 4 * 24), &mut segments)?;
        let size =
            number(self.field(483, 12)).map_err(|_| "the sparse file's size is no number")?;
        let size = u64::try_from(size).map_err(|_| "the sparse file's size is negative")?;
        Ok((segments, self.0[482] != 0, size))
    }
}

/// More of an old GNU sparse file's map, and whether still more follows.
pub(super) fn sparse_block(
    block: &[u8; BLOCK],
    segments: &mut Vec<Segment>,
) -> Result<bool, Refused> {
    sparse_slots(&block[..21 * 24], segments)?;
    Ok(block[504] != 0)
}

fn sparse_slots(slots: &[u8], segments: &mut Vec<Segment>) -> Result<(), Refused> {
    for slot in slots.chunks_exact(24) {
        if slot[0] == 0 {
            break;
        }
        let part = |bytes| {
            number(bytes)
                .ok()
                .and_then(|n| u64::try_from(n).ok())
                .ok_or("the sparse map is malformed")
        };
        segments.push(Segment {
            offset: part(&slot[..12])?,
            length: part(&slot[12..])?,
        });
    }
    Ok(())
}

/// What is before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number: octal digits between blanks and NULs, or big-endian two's complement after a set top bit (GNU, star).
fn number(field: &[u8]) -> Result<i64, ()> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let first = if negative { field[0] } else { field[0] & 0x7f };
        let start = if negative { -1_i128 } else { 0 };
        let value = std::iter::once(&first)
            .chain(&field[1..])
            .fold(start, |value, &byte| {
                // 12 bytes at most, so nothing overflows.
                value << 8 | i128::from(byte)
            });
        return i64::try_from(value).map_err(|_| ());
    }
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let start = field.iter().position(|b| !blank(b)).unwrap_or(field.len());
    let end = field
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |i| i + 1);
    field[start..end]
        .iter()
        .try_fold(0_i64, |value, &byte| match byte {
            b'0'..=b'7' => Ok(value << 3 | i64::from(byte - b'0')),
            _ => Err(()),
        })
}
