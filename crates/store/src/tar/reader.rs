//! The stream of entries.

use std::fmt;
use std::io::{self, BufRead, Read};

use super::header::{Format, Header, Refused, sparse_block};
use super::pax::{self, Pax};
use super::{BLOCK, Entry, Kind, Segment, Time, sparse};
use crate::error::{Error, Result, shown};
use crate::limits::Limits;

const OP: &str = "read tar";

/// Reads a tar entry by entry; the data of the last entry are read between.
pub struct Reader<R> {
    input: R,
    limits: Limits,
    /// Bytes read so far, for messages.
    position: u64,
    /// Bytes of the current entry's data that nobody has read yet, and of the padding behind them.
    left: u64,
    padding: u64,
    entries: u64,
}

/// What extended headers said about the entry that follows them.
#[derive(Default)]
struct Extended {
    pax: Option<Pax>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.path.is_none() && self.link.is_none()
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// The data of the present entry; of a sparse file, those of its segments.
impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let data = self.data()?;
        let count = data.len().min(out.len());
        out[..count].copy_from_slice(&data[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> Reader<R> {
    /// Nothing is read yet.
    pub fn new(input: R, limits: &Limits) -> Self {
        Self {
            input,
            limits: limits.clone(),
            position: 0,
            left: 0,
            padding: 0,
            entries: 0,
        }
    }

    /// The next entry; none at the end of the archive. Data of the entry before that nobody read are skipped.
    ///
    /// # Errors
    /// The archive is malformed or beyond the limits, or can't be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.skip_data()?;
            let Some(block) = self.header_block()? else {
                return if extended.is_empty() {
                    Ok(None)
                } else {
                    Err(self.truncated())
                };
            };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(self.over(format!("more than {} entries", self.limits.entries)));
            }
            let header = Header::new(&block).map_err(|why| self.bad(why))?;
            let size = header.size().map_err(|why| self.bad(why))?;
            match header.type_flag() {
                b'x' => extended.pax = Some(self.pax(size)?),
                // Docker ignores global headers: git writes its commit there. Malformed ones are refused all the same.
                b'g' => drop(self.pax(size)?),
                b'L' => extended.path = Some(self.long_name(size)?),
                b'K' => extended.link = Some(self.long_name(size)?),
                _ => return self.entry(&header, size, extended).map(Some),
            }
        }
    }

    /// Some bytes of the current entry's data; none at their end. For a sparse file the holes are left out.
    pub(crate) fn data(&mut self) -> Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let position = self.position;
        let available = self
            .input
            .fill_buf()
            .map_err(|e| Error::io(OP, at(position), e))?;
        if available.is_empty() {
            return Err(truncated(position));
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(&available[..available.len().min(wanted)])
    }

    /// Marks `count` bytes of what [`Reader::data`] returned as read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.position += count as u64;
        self.left -= count as u64;
    }

    /// Reads what is behind the archive's end, which no reader minds but which belongs to its digest. Returns the
    /// number of all bytes.
    ///
    /// # Errors
    /// It can't be read.
    pub fn finish(mut self) -> Result<u64> {
        loop {
            let count = self
                .input
                .fill_buf()
                .map_err(|e| Error::io(OP, at(self.position), e))?
                .len();
            if count == 0 {
                return Ok(self.position);
            }
            self.input.consume(count);
            self.position += count as u64;
        }
    }

    fn entry(&mut self, header: &Header<'_>, size: u64, extended: Extended) -> Result<Entry> {
        let mut pax = extended.pax.unwrap_or_default();
        let path = extended.path.or(pax.path).unwrap_or_else(|| header.path());
        let link = extended
            .link
            .or(pax.link)
            .unwrap_or_else(|| header.link().to_vec());
        let size = pax.size.unwrap_or(size);
        let named = |why: Refused| Error::invalid(OP, format_args!("entry {}", shown(&path)), why);
        let kind = match header.type_flag() {
            // V7 and BSD mark directories by the slash alone.
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'3' => header
                .device()
                .map(|(major, minor)| Kind::Character(major, minor))
                .map_err(named)?,
            b'4' => header
                .device()
                .map(|(major, minor)| Kind::Block(major, minor))
                .map_err(named)?,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            _ => return Err(named("unknown type of entry")),
        };
        let is_regular = matches!(header.type_flag(), b'0' | 0 | b'7' | b'S');
        // Only regular files have data, whatever size the others claim: Go reads so.
        self.left = if is_regular { size } else { 0 };
        self.padding = self.left.wrapping_neg() % BLOCK as u64;
        let mut entry = Entry {
            mode: header.mode().map_err(named)?,
            uid: pax
                .uid
                .map_or_else(|| header.uid(), Ok)
                .and_then(|id| owner(id, "the owner is out of range"))
                .map_err(named)?,
            gid: pax
                .gid
                .map_or_else(|| header.gid(), Ok)
                .and_then(|id| owner(id, "the group is out of range"))
                .map_err(named)?,
            mtime: bounded(
                pax.mtime
                    .map_or_else(|| header.mtime(), Ok)
                    .map_err(named)?,
            ),
            size: if kind == Kind::File { size } else { 0 },
            sparse: None,
            xattrs: std::mem::take(&mut pax.xattrs),
            kind,
            path: path.clone(),
        };
        entry.xattrs.sort();
        if entry.kind == Kind::File {
            self.sparse(header, pax.sparse, &mut entry)?;
        }
        self.check(&entry)?;
        Ok(entry)
    }

    /// The limits of what one entry says.
    fn check(&self, entry: &Entry) -> Result<()> {
        let over = |why: String| {
            Err(Error::limit(
                OP,
                format_args!("entry {}", shown(&entry.path)),
                why,
            ))
        };
        let (count, bytes) = self.limits.xattrs;
        let xattr_bytes: usize = entry
            .xattrs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if entry.path.len() > self.limits.path {
            return over(format!(
                "its path is longer than {} bytes",
                self.limits.path
            ));
        }
        if let Kind::HardLink(target) | Kind::Symlink(target) = &entry.kind {
            // Links' targets are what the kernel takes: one byte of PATH_MAX is the NUL.
            if target.len() >= self.limits.path {
                return over(format!(
                    "its link is longer than {} bytes",
                    self.limits.path
                ));
            }
            if target.is_empty() {
                return Err(Error::invalid(
                    OP,
                    format_args!("entry {}", shown(&entry.path)),
                    "its link is empty",
                ));
            }
        }
        if entry.xattrs.len() > count || xattr_bytes > bytes {
            return over(format!(
                "more than {count} extended attributes or {bytes} bytes of them"
            ));
        }
        if entry
            .xattrs
            .iter()
            .any(|(name, _)| name.is_empty() || name.len() > 255)
        {
            return over(
                "the name of an extended attribute is empty or longer than 255 bytes".into(),
            );
        }
        if i64::try_from(entry.size).is_err() {
            return over("its size is beyond what any file system has".into());
        }
        Ok(())
    }

    /// Reads the map, wherever this kind of sparse file has it.
    fn sparse(
        &mut self,
        header: &Header<'_>,
        sparse: pax::Sparse,
        entry: &mut Entry,
    ) -> Result<()> {
        let subject = shown(&entry.path);
        let named = |why: Refused| Error::invalid(OP, format_args!("entry {subject}"), why);
        let (map, size) = if header.type_flag() == b'S' {
            if header.format() != Format::Gnu {
                return Err(named("a sparse file without GNU's magic"));
            }
            let (mut map, mut more, size) = header.sparse().map_err(named)?;
            while more {
                let Some(block) = self.block()? else {
                    return Err(self.truncated());
                };
                more = sparse_block(&block, &mut map).map_err(named)?;
                self.check_map(map.len() as u64 * 24)?;
            }
            (map, size)
        } else if sparse.in_data {
            let size = sparse
                .size
                .ok_or_else(|| named("a sparse file without its size"))?;
            (self.map_in_data()?, size)
        } else if let Some(map) = sparse.map {
            (
                map,
                sparse
                    .size
                    .ok_or_else(|| named("a sparse file without its size"))?,
            )
        } else {
            return Ok(());
        };
        if let Some(name) = sparse.name {
            entry.path = name;
        }
        entry.size = size;
        entry.sparse = Some(sparse::check(map, size, self.left).map_err(named)?);
        Ok(())
    }

    fn check_map(&self, bytes: u64) -> Result<()> {
        if bytes > self.limits.sparse_map {
            return Err(self.over(format!(
                "a sparse map of more than {} bytes",
                self.limits.sparse_map
            )));
        }
        Ok(())
    }

    /// The map of version 1.0: decimal numbers, a line each, padded to whole blocks, before the data.
    fn map_in_data(&mut self) -> Result<Vec<Segment>> {
        const BAD: Refused = "the sparse map is malformed";
        let mut numbers = Vec::new();
        let mut digits = Vec::new();
        let mut wanted = None;
        let mut used = 0;
        while wanted.is_none_or(|wanted| numbers.len() < wanted) {
            if self.left < BLOCK as u64 {
                return Err(self.bad(BAD));
            }
            let Some(block) = self.block()? else {
                return Err(self.truncated());
            };
            self.left -= BLOCK as u64;
            used += BLOCK as u64;
            self.check_map(used)?;
            for &byte in &block {
                if wanted.is_some_and(|wanted| numbers.len() >= wanted) {
                    break;
                }
                if byte != b'\n' {
                    digits.push(byte);
                    continue;
                }
                let number = pax::unsigned(&digits).ok_or_else(|| self.bad(BAD))?;
                digits.clear();
                if wanted.is_none() {
                    // Each segment takes four bytes at least.
                    self.check_map(number.saturating_mul(4))?;
                    wanted = usize::try_from(number).ok().and_then(|n| n.checked_mul(2));
                } else {
                    numbers.push(number);
                }
            }
        }
        Ok(numbers
            .chunks_exact(2)
            .map(|pair| Segment {
                offset: pair[0],
                length: pair[1],
            })
            .collect())
    }

    fn pax(&mut self, size: u64) -> Result<Pax> {
        let records = self.extended(size)?;
        Pax::parse(&records).map_err(|why| self.bad(why))
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut name = self.extended(size)?;
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    /// The content of an extended header. Nothing is reserved for what is only announced.
    fn extended(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > self.limits.header {
            return Err(self.over(format!(
                "an extended header of {size} bytes, more than {}",
                self.limits.header
            )));
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        let mut content = Vec::new();
        while self.left > 0 {
            let data = self.data()?;
            content.extend_from_slice(data);
            let count = data.len();
            self.consume(count);
        }
        Ok(content)
    }

    fn skip_data(&mut self) -> Result<()> {
        self.left += self.padding;
        self.padding = 0;
        while self.left > 0 {
            let count = self.data()?.len();
            self.consume(count);
        }
        Ok(())
    }

    /// The next block that is a header; none at the archive's end, which two blocks of zeros mark, or the stream's end.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(block) if block != [0; BLOCK] => Err(self.bad("a lone block of zeros")),
            _ => Ok(None),
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let available = self
                .input
                .fill_buf()
                .map_err(|e| Error::io(OP, at(self.position), e))?;
            if available.is_empty() {
                return if filled == 0 {
                    Ok(None)
                } else {
                    Err(self.truncated())
                };
            }
            let count = available.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&available[..count]);
            self.input.consume(count);
            self.position += count as u64;
            filled += count;
        }
        Ok(Some(block))
    }

    fn bad(&self, why: impl Into<String>) -> Error {
        Error::invalid(OP, at(self.position), why)
    }

    fn over(&self, why: impl Into<String>) -> Error {
        Error::limit(OP, at(self.position), why)
    }

    fn truncated(&self) -> Error {
        truncated(self.position)
    }
}

fn at(position: u64) -> String {
    format!("at byte {position}")
}

fn truncated(position: u64) -> Error {
    Error::invalid(
        OP,
        at(position),
        "it ends too early: the archive is truncated",
    )
}

/// All but the last number, which means "none" to the kernel.
fn owner(id: i64, why: Refused) -> Result<u32, Refused> {
    u32::try_from(id)
        .ok()
        .filter(|&id| id != u32::MAX)
        .ok_or(why)
}

/// Times that Go's nanoseconds don't hold are 1970, as Docker has it.
fn bounded(time: Time) -> Time {
    const MOST: i64 = i64::MAX / 1_000_000_000;
    if (0..MOST).contains(&time.seconds) {
        time
    } else {
        Time::default()
    }
}
