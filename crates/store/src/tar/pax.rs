//! PAX extended headers: records of `length keyword=value`.

use super::header::Refused;
use super::{Segment, Time};

/// What the records of one extended header say; what they don't is none.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Sparse,
}

/// GNU's records of sparse files.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// Version 1.0: the map is in the data.
    pub(super) in_data: bool,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Versions 0.0 and 0.1: the map is in the records.
    pub(super) map: Option<Vec<Segment>>,
    major: Option<u64>,
    minor: Option<u64>,
    /// Version 0.0 says offsets and lengths in turn.
    offset: Option<u64>,
}

impl Pax {
    /// Reads the records of an extended header of one entry.
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, Refused> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let (key, value, rest) = record(records)?;
            pax.take(key, value)?;
            records = rest;
        }
        pax.sparse.finish()?;
        Ok(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        let given = !value.is_empty();
        match key {
            b"path" => self.path = text(value)?.filter(|_| given),
            b"linkpath" => self.link = text(value)?.filter(|_| given),
            b"size" => {
                self.size = given
                    .then(|| unsigned(value).ok_or("the PAX size is no number"))
                    .transpose()?
            }
            b"uid" => {
                self.uid = given
                    .then(|| signed(value).ok_or("the PAX uid is no number"))
                    .transpose()?
            }
            b"gid" => {
                self.gid = given
                    .then(|| signed(value).ok_or("the PAX gid is no number"))
                    .transpose()?
            }
            b"mtime" => {
                self.mtime = given
                    .then(|| time(value).ok_or("the PAX mtime is no time"))
                    .transpose()?
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattr(name.to_vec(), value.to_vec());
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    let name = percent_decoded(name)
                        .ok_or("the name of an extended attribute is malformed")?;
                    let value = base64_decoded(value)
                        .ok_or("the value of an extended attribute is malformed")?;
                    // bsdtar writes both kinds; Schily's is not encoded.
                    if !self.xattrs.iter().any(|(known, _)| *known == name) {
                        self.xattr(name, value);
                    }
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.take(key, value)?;
                }
            }
        }
        Ok(())
    }

    /// The last record of a name counts.
    fn xattr(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.xattrs.retain(|(known, _)| *known != name);
        self.xattrs.push((name, value));
    }
}

impl Sparse {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        let number = || unsigned(value).ok_or("a GNU.sparse record is no number");
        match key {
            b"major" => self.major = Some(number()?),
            b"minor" => self.minor = Some(number()?),
            b"name" => self.name = text(value)?,
            b"size" | b"realsize" => self.size = Some(number()?),
            b"numblocks" => {
                number()?;
                self.map.get_or_insert_default();
            }
            b"offset" => self.offset(number()?)?,
            b"numbytes" => {
                let offset = self.offset.take().ok_or("the sparse map is malformed")?;
                self.map.get_or_insert_default().push(Segment {
                    offset,
                    length: number()?,
                });
            }
            b"map" => {
                let mut numbers = value.split(|&b| b == b',').map(unsigned);
                let mut map = Vec::new();
                while let Some(offset) = numbers.next().filter(|_| !value.is_empty()) {
                    let (Some(offset), Some(Some(length))) = (offset, numbers.next()) else {
                        return Err("the sparse map is malformed");
                    };
                    map.push(Segment { offset, length });
                }
                self.map = Some(map);
            }
            _ => {}
        }
        Ok(())
    }

    fn offset(&mut self, offset: u64) -> Result<(), Refused> {
        match self.offset.replace(offset) {
            Some(_) => Err("the sparse map is malformed"),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Refused> {
        if self.offset.is_some() {
            return Err("the sparse map is malformed");
        }
        match (self.major, self.minor) {
            (None | Some(0), _) => Ok(()),
            (Some(1), Some(0) | None) => {
                self.in_data = true;
                Ok(())
            }
            _ => Err("the sparse file has an unknown version"),
        }
    }
}

/// Keyword, value, and the records behind.
type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// The first record. The length counts the whole record, its own digits and the newline.
fn record(records: &[u8]) -> Result<Record<'_>, Refused> {
    const BAD: Refused = "a PAX record is malformed";
    let space = records
        .iter()
        .take(20)
        .position(|&b| b == b' ')
        .ok_or(BAD)?;
    let length = unsigned(&records[..space])
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(BAD)?;
    if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
        return Err(BAD);
    }
    let body = &records[space + 1..length - 1];
    let equals = body.iter().position(|&b| b == b'=').ok_or(BAD)?;
    let (key, value) = (&body[..equals], &body[equals + 1..]);
    if key.is_empty() || key.contains(&0) {
        return Err(BAD);
    }
    Ok((key, value, &records[length..]))
}

fn text(value: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    if value.contains(&0) {
        Err("a path contains a NUL byte")
    } else {
        Ok(Some(value.to_vec()))
    }
}

/// Decimal digits only: no sign, no blanks.
pub(super) fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

fn signed(digits: &[u8]) -> Option<i64> {
    match digits.strip_prefix(b"-") {
        Some(digits) => unsigned(digits)?.try_into().ok().map(i64::wrapping_neg),
        None => unsigned(digits)?.try_into().ok(),
    }
}

/// Seconds with a fraction of any length.
fn time(value: &[u8]) -> Option<Time> {
    let point = value.iter().position(|&b| b == b'.').unwrap_or(value.len());
    let (whole, fraction) = (&value[..point], value.get(point + 1..).unwrap_or_default());
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = |i: usize| fraction.get(i).map_or(0, |b| u32::from(b - b'0'));
    let nanos = (0..9).fold(0, |nanos, i| nanos * 10 + digits(i));
    let seconds = signed(whole)?;
    if whole.starts_with(b"-") && nanos > 0 {
        return Some(Time {
            seconds: seconds.checked_sub(1)?,
            nanos: 1_000_000_000 - nanos,
        });
    }
    Some(Time { seconds, nanos })
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
        } else {
            byte
        });
    }
    (!out.contains(&0)).then_some(out)
}

/// Base64 with or without padding.
fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0_u32);
    let end = text.iter().rposition(|&b| b != b'=').map_or(0, |i| i + 1);
    for &byte in &text[..end] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}
