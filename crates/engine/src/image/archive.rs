//! The outer tar of an archive of images: a stream of named files. Strict, and nothing of it is ever unpacked by its name.

#[cfg(test)]
mod tests;

use std::io::{self, Read};

/// The longest name, and the longest of the records that hold long names.
const MAX_NAME: u64 = 64 * 1024;
const BLOCK: usize = 512;

/// A tar as it streams by.
#[derive(Debug)]
pub(super) struct Archive<R> {
    input: R,
    /// Bytes of the present file that were not read yet, and of its padding.
    left: u64,
    padding: u64,
}

/// What a tar has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name, without a leading `./`.
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file with so many bytes.
    File(u64),
    /// A link to another name: `layer.tar` in archives of old versions of docker.
    Link(String),
    /// A directory or anything else: of no use.
    Other,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            left: 0,
            padding: 0,
        }
    }

    /// The next entry; what was not read of the last is skipped. None at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut long = Long::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = long
                .size
                .take()
                .map_or_else(|| number(&header[124..136]), Ok)?;
            self.left = size;
            self.padding = size.next_multiple_of(BLOCK as u64) - size;
            match header[156] {
                b'L' => long.name = Some(zero_ended(&self.record(size)?)),
                b'K' => long.link = Some(zero_ended(&self.record(size)?)),
                b'x' => long.pax(&self.record(size)?)?,
                b'g' => {}
                kind => {
                    let name = long.name.take().unwrap_or_else(|| ustar_name(&header));
                    let link = long.link.take();
                    let kind = match kind {
                        b'0' | 0 | b'7' if !name.ends_with('/') => Kind::File(size),
                        b'1' | b'2' => {
                            Kind::Link(link.unwrap_or_else(|| zero_ended(&header[157..257])))
                        }
                        _ => Kind::Other,
                    };
                    return Ok(Some(Entry {
                        name: plain(&name),
                        kind,
                    }));
                }
            }
        }
    }

    /// Reads to the end of the stream, behind the archive's own end, so that whoever sends it is not cut off.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self.input, &mut io::sink()).map(drop)
    }

    fn skip(&mut self) -> io::Result<()> {
        let all = self.left + self.padding;
        let skipped = io::copy(&mut (&mut self.input).take(all), &mut io::sink())?;
        if skipped < all {
            return Err(truncated());
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(truncated()),
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    u64::from(b' ')
                } else {
                    u64::from(*byte)
                }
            })
            .sum();
        if number(&block[148..156])? != sum {
            return Err(malformed("a header's checksum is wrong"));
        }
        Ok(Some(block))
    }

    fn record(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_NAME {
            return Err(malformed("a name is too long"));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The present file.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(out.len());
        if most == 0 {
            return Ok(0);
        }
        match self.input.read(&mut out[..most])? {
            0 => Err(truncated()),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}

/// What comes before a header and belongs to it.
#[derive(Debug, Default)]
struct Long {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl Long {
    /// `length key=value\n`, one after the other.
    fn pax(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let bad = || malformed("an extended header is malformed");
        while !bytes.is_empty() {
            let space = bytes.iter().position(|b| *b == b' ').ok_or_else(bad)?;
            let length: usize = std::str::from_utf8(&bytes[..space])
                .ok()
                .and_then(|n| n.parse().ok())
                .ok_or_else(bad)?;
            let record = bytes.get(space + 1..length).ok_or_else(bad)?;
            let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
            let value = String::from_utf8_lossy(&record[equals + 1..]).into_owned();
            match &record[..equals] {
                b"path" => self.name = Some(value),
                b"linkpath" => self.link = Some(value),
                b"size" => self.size = Some(value.parse().map_err(|_| bad())?),
                _ => {}
            }
            bytes = &bytes[length..];
        }
        Ok(())
    }
}

fn zero_ended(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn ustar_name(header: &[u8; BLOCK]) -> String {
    let name = zero_ended(&header[..100]);
    let prefix = zero_ended(&header[345..500]);
    if &header[257..262] == b"ustar" && header[262] == 0 && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// A name as manifests write it.
pub(super) fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Octal digits, or a binary number with its highest bit set.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let mut value = u64::from(field[0] & 0x7f);
        for byte in &field[1..] {
            value = value
                .checked_mul(256)
                .and_then(|v| v.checked_add(u64::from(*byte)))
                .ok_or_else(|| malformed("a number is too large"))?;
        }
        return Ok(value);
    }
    let text = zero_ended(field);
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 8).map_err(|_| malformed("a number is malformed"))
}

fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it ends too early: the archive is truncated",
    )
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is no tar archive: {why}"),
    )
}
