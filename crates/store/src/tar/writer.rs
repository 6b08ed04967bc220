//! The canonical tar writer: the same entries always make the same bytes.
//!
//! Every header is ustar; what does not fit there (long or non-ASCII names, owners above 2^21, fractions of seconds, sizes from 8 GiB, attributes, maps of
//! sparse files) is in a PAX header before it, its records in one order. User and group names are never written.

use std::io::{self, Read, Write};

use super::{BLOCK, Entry, Kind, Segment, Time};
use crate::error::{Error, Result, shown};

const OP: &str = "write tar";
/// What an octal field of 8 and of 12 bytes holds.
const SMALL: u64 = 0o7_777_777;
const LARGE: u64 = 0o77_777_777_777;

/// Writes a tar to `W`.
#[derive(Debug)]
pub struct TarWriter<W> {
    out: W,
    size: u64,
}

impl<W: Write> TarWriter<W> {
    /// An archive without entries so far.
    pub fn new(out: W) -> Self {
        Self { out, size: 0 }
    }

    /// Appends an entry. Of a regular file `data` are the bytes; of a sparse one only those of its segments, which
    /// are whole blocks of 512 bytes but for the last: GNU tar reads no others. What is
    /// missing of them is filled with zeros, what is too much is left: a file that changes while it is read spoils no archive.
    ///
    /// # Errors
    /// What is read or written fails.
    pub fn entry(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<()> {
        let failed = |e| Error::io(OP, shown(&entry.path), e);
        let map = match (&entry.kind, &entry.sparse) {
            (Kind::File, Some(segments)) => Some((sparse_map(segments), segments)),
            _ => None,
        };
        let length = match (&entry.kind, &map) {
            (Kind::File, Some((text, segments))) => {
                text.len() as u64 + segments.iter().map(|s| s.length).sum::<u64>()
            }
            (Kind::File, None) => entry.size,
            _ => 0,
        };
        self.head(entry, length).map_err(failed)?;
        let mut left = length;
        if let Some((text, _)) = &map {
            self.put(text).map_err(failed)?;
            left -= text.len() as u64;
        }
        self.copy(left, data).map_err(failed)?;
        self.pad(length).map_err(failed)
    }

    /// Appends a regular file whose `entry.size` bytes are written by `data`.
    ///
    /// # Errors
    /// It writes more or fewer bytes, or fails.
    pub fn file(
        &mut self,
        entry: &Entry,
        data: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let failed = |e| Error::io(OP, shown(&entry.path), e);
        self.head(entry, entry.size).map_err(failed)?;
        let mut exact = Exact {
            out: &mut self.out,
            left: entry.size,
        };
        data(&mut exact).map_err(failed)?;
        if exact.left > 0 {
            let why = format!("it is {} bytes shorter than it was said to be", exact.left);
            return Err(Error::invalid(OP, shown(&entry.path), why));
        }
        self.size += entry.size;
        self.pad(entry.size).map_err(failed)
    }

    /// Ends the archive. Returns what was written to, and the number of all bytes.
    ///
    /// # Errors
    /// What is written fails.
    pub fn finish(mut self) -> Result<(W, u64)> {
        let end = self.put(&[0; 2 * BLOCK]).and_then(|()| self.out.flush());
        end.map_err(|e| Error::io(OP, "end", e))?;
        Ok((self.out, self.size))
    }

    /// The header of an entry with `length` bytes behind it, and the PAX header before it.
    fn head(&mut self, entry: &Entry, length: u64) -> io::Result<()> {
        let records = records(entry, length);
        if !records.is_empty() {
            let header = Fields {
                flag: b'x',
                path: b"PaxHeaders.0",
                mode: 0o644,
                size: records.len() as u64,
                ..Fields::default()
            };
            self.put(&header.block())?;
            self.put(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.put(&fields(entry, length).block())
    }

    fn copy(&mut self, mut left: u64, data: &mut dyn Read) -> io::Result<()> {
        if left == 0 {
            return Ok(());
        }
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(256 << 10)];
        let mut ended = false;
        while left > 0 {
            let most = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = if ended {
                0
            } else {
                read(data, &mut buffer[..most])?
            };
            if count == 0 {
                ended = true;
                buffer[..most].fill(0);
            }
            let count = if ended { most } else { count };
            self.put(&buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self, length: u64) -> io::Result<()> {
        let missing = usize::try_from(length.wrapping_neg() % BLOCK as u64).unwrap_or(0);
        self.put(&[0; BLOCK][..missing])
    }
}

/// Takes so many bytes and no more.
struct Exact<'a, W> {
    out: &'a mut W,
    left: u64,
}

impl<W: Write> Write for Exact<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is longer than it was said to be",
            ));
        }
        let count = self.out.write(bytes)?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn read(data: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match data.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The fields of a header block.
#[derive(Default)]
struct Fields<'a> {
    flag: u8,
    path: &'a [u8],
    link: &'a [u8],
    mode: u16,
    uid: u32,
    gid: u32,
    size: u64,
    seconds: u64,
    device: (u32, u32),
}

fn fields(entry: &Entry, length: u64) -> Fields<'_> {
    let (flag, link, device): (_, &[u8], _) = match &entry.kind {
        Kind::File => (b'0', b"", (0, 0)),
        Kind::HardLink(target) => (b'1', target, (0, 0)),
        Kind::Symlink(target) => (b'2', target, (0, 0)),
        Kind::Character(major, minor) => (b'3', b"", (*major, *minor)),
        Kind::Block(major, minor) => (b'4', b"", (*major, *minor)),
        Kind::Directory => (b'5', b"", (0, 0)),
        Kind::Fifo => (b'6', b"", (0, 0)),
    };
    let sparse = entry.kind == Kind::File && entry.sparse.is_some();
    Fields {
        flag,
        path: if sparse {
            b"GNUSparseFile.0"
        } else {
            &entry.path
        },
        link,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        size: length,
        seconds: u64::try_from(entry.mtime.seconds).unwrap_or(0),
        device,
    }
}

impl Fields<'_> {
    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put_text(&mut block[..100], self.path);
        octal(&mut block[100..108], self.mode.into());
        octal(&mut block[108..116], self.uid.into());
        octal(&mut block[116..124], self.gid.into());
        octal(&mut block[124..136], self.size);
        octal(&mut block[136..148], self.seconds);
        block[148..156].fill(b' ');
        block[156] = self.flag;
        put_text(&mut block[157..257], self.link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block[329..337], self.device.0.into());
        octal(&mut block[337..345], self.device.1.into());
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        octal(&mut block[148..155], sum);
        block
    }
}

/// A name, or what of it is ASCII and fits: then a PAX record has all of it.
fn put_text(field: &mut [u8], text: &[u8]) {
    let ascii = text.iter().filter(|byte| byte.is_ascii());
    for (place, &byte) in field.iter_mut().zip(ascii) {
        *place = byte;
    }
}

/// Octal digits and a NUL; zero for what does not fit, which a PAX record says then.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let fits = value >> (3 * digits) == 0;
    let mut left = if fits { value } else { 0 };
    for place in field[..digits].iter_mut().rev() {
        *place = b'0' + u8::try_from(left & 7).unwrap_or(0);
        left >>= 3;
    }
}

/// The PAX records that an entry needs.
fn records(entry: &Entry, length: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let long = |text: &[u8]| text.len() > 100 || !text.is_ascii();
    if entry.kind == Kind::File && entry.sparse.is_some() {
        record(&mut records, b"GNU.sparse.major", b"1");
        record(&mut records, b"GNU.sparse.minor", b"0");
        record(&mut records, b"GNU.sparse.name", &entry.path);
        record(
            &mut records,
            b"GNU.sparse.realsize",
            entry.size.to_string().as_bytes(),
        );
    } else if long(&entry.path) {
        record(&mut records, b"path", &entry.path);
    }
    if let Kind::HardLink(target) | Kind::Symlink(target) = &entry.kind
        && long(target)
    {
        record(&mut records, b"linkpath", target);
    }
    if u64::from(entry.uid) > SMALL {
        record(&mut records, b"uid", entry.uid.to_string().as_bytes());
    }
    if u64::from(entry.gid) > SMALL {
        record(&mut records, b"gid", entry.gid.to_string().as_bytes());
    }
    if length > LARGE {
        record(&mut records, b"size", length.to_string().as_bytes());
    }
    let fits = u64::try_from(entry.mtime.seconds).is_ok_and(|s| s <= LARGE);
    if entry.mtime.nanos != 0 || !fits {
        record(&mut records, b"mtime", time(entry.mtime).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        if name.contains(&b'=') {
            // Only bsdtar's encoding has a place for such a name.
            let key = [b"LIBARCHIVE.xattr.", percent_encoded(name).as_slice()].concat();
            record(&mut records, &key, &base64(value));
        } else {
            record(
                &mut records,
                &[b"SCHILY.xattr.", name.as_slice()].concat(),
                value,
            );
        }
    }
    records
}

/// `length key=value` and a newline; the length counts its own digits.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Seconds with a fraction, without zeros at its end. Before 1970 the fraction counts away from zero.
fn time(time: Time) -> String {
    let (sign, seconds, nanos) = match (time.seconds, time.nanos) {
        (seconds, 0) if seconds < 0 => ("-", seconds.unsigned_abs(), 0),
        (seconds, nanos) if seconds < 0 => {
            ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos)
        }
        (seconds, nanos) => ("", seconds.unsigned_abs(), nanos),
    };
    if nanos == 0 {
        return format!("{sign}{seconds}");
    }
    format!("{sign}{seconds}.{nanos:09}")
        .trim_end_matches('0')
        .to_owned()
}

/// The map of a sparse file as version 1.0 has it: numbers in decimal, a line each, in whole blocks before the data.
fn sparse_map(segments: &[Segment]) -> Vec<u8> {
    let mut text = format!("{}\n", segments.len()).into_bytes();
    for segment in segments {
        text.extend_from_slice(format!("{}\n{}\n", segment.offset, segment.length).as_bytes());
    }
    text.resize(text.len().next_multiple_of(BLOCK), 0);
    text
}

fn percent_encoded(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in name {
        if byte.is_ascii_graphic() && !matches!(byte, b'=' | b'%') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let part = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = part(0) << 16 | part(1) << 8 | part(2);
        for digit in 0..=chunk.len() {
            out.push(DIGITS[(word >> (18 - 6 * digit) & 63) as usize]);
        }
    }
    out
}
