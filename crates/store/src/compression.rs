//! One layer of compression, recognised by its first bytes: media types lie.

use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use crate::error::{Error, Result};
use crate::limits::Limits;

const OP: &str = "decompress";
/// zstd's window: 128 MiB, what the command line tool takes without being told (security rule D8).
const WINDOW_LOG: u32 = 27;
/// Memory for xz, whose best level needs 65 MiB (security rule D8).
const XZ_MEMORY: u64 = 128 << 20;
/// What is read at once.
const CHUNK: usize = 256 << 10;

/// The plain bytes of a stream that may be compressed, within the limits.
pub(crate) struct Plain<'a> {
    inner: Inner<'a>,
    given: u64,
    limits: Limits,
}

type Input<'a> = BufReader<Counted<Box<dyn Read + Send + 'a>>>;

enum Inner<'a> {
    Same(Input<'a>),
    Gzip(Gzip<'a>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Input<'a>>>),
    Xz(Box<XzDecoder<Input<'a>>>),
    Bzip2(Box<MultiBzDecoder<Input<'a>>>),
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// Members of gzip one after the other, perhaps with zeros behind them, as gzip(1) takes them.
enum Gzip<'a> {
    Member(Box<GzDecoder<Input<'a>>>),
    Between(Input<'a>),
    Moved,
}

/// The plain bytes of a stream that may be compressed by gzip, zstd, xz or bzip2, for archives that hold more than one layer.
///
/// # Errors
/// The stream can't be read, or is compressed in a way that isn't known.
pub fn plain<'a>(input: impl Read + Send + 'a) -> Result<impl Read + Send + 'a> {
    Plain::new(input, &Limits::default())
}

impl<'a> Plain<'a> {
    /// Looks at the first bytes of `input`.
    pub(crate) fn new(input: impl Read + Send + 'a, limits: &Limits) -> Result<Self> {
        let counted = Counted {
            inner: Box::new(input) as Box<dyn Read + Send + 'a>,
            count: 0,
        };
        let mut input = BufReader::with_capacity(CHUNK, counted);
        let head = fill(&mut input, 10).map_err(|e| Error::io("read", "layer", e))?;
        let inner = match head {
            [0x1f, 0x8b, ..] => Inner::Gzip(Gzip::Between(input)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)
                    .map_err(|e| Error::io(OP, "zstd", e))?;
                decoder
                    .window_log_max(WINDOW_LOG)
                    .map_err(|e| Error::io(OP, "zstd", e))?;
                Inner::Zstd(Box::new(decoder))
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)
                    .map_err(|e| Error::io(OP, "xz", e.into()))?;
                Inner::Xz(Box::new(XzDecoder::new_stream(input, stream)))
            }
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => {
                Inner::Bzip2(Box::new(MultiBzDecoder::new(input)))
            }
            _ => Inner::Same(input),
        };
        Ok(Self {
            inner,
            given: 0,
            limits: limits.clone(),
        })
    }

    /// How many bytes were read so far, compressed.
    fn taken(&self) -> u64 {
        match &self.inner {
            Inner::Same(input) | Inner::Gzip(Gzip::Between(input)) => input.get_ref().count,
            Inner::Gzip(Gzip::Member(decoder)) => decoder.get_ref().get_ref().count,
            Inner::Gzip(Gzip::Moved) => 0,
            Inner::Zstd(decoder) => decoder.get_ref().get_ref().count,
            Inner::Xz(decoder) => decoder.get_ref().get_ref().count,
            Inner::Bzip2(decoder) => decoder.get_ref().get_ref().count,
        }
    }

    fn check(&self) -> io::Result<()> {
        let Limits {
            bytes, free, ratio, ..
        } = self.limits;
        if self.given > bytes {
            return Err(
                Error::limit(OP, "layer", format!("it is larger than {bytes} bytes")).into(),
            );
        }
        let compressed = !matches!(self.inner, Inner::Same(_));
        if compressed && self.given > free && self.given / ratio > self.taken() {
            let why = format!("it becomes more than {ratio} times larger: this looks like a bomb");
            return Err(Error::limit(OP, "layer", why).into());
        }
        Ok(())
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (count, name) = match &mut self.inner {
            Inner::Same(input) => (input.read(out), "tar"),
            Inner::Gzip(gzip) => (gzip.read(out), "gzip"),
            Inner::Zstd(decoder) => (decoder.read(out), "zstd"),
            Inner::Xz(decoder) => (decoder.read(out), "xz"),
            Inner::Bzip2(decoder) => (decoder.read(out), "bzip2"),
        };
        let count = count.map_err(|e| explained(e, name))?;
        self.given += count as u64;
        self.check()?;
        Ok(count)
    }
}

impl Read for Gzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Self::Moved) {
                Self::Member(mut decoder) => match decoder.read(out) {
                    Ok(0) if !out.is_empty() => *self = Self::Between(decoder.into_inner()),
                    result => {
                        *self = Self::Member(decoder);
                        return result;
                    }
                },
                Self::Between(mut input) => {
                    if is_end(&mut input)? {
                        *self = Self::Between(input);
                        return Ok(0);
                    }
                    *self = Self::Member(Box::new(GzDecoder::new(input)));
                }
                Self::Moved => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// Whether nothing follows, or nothing but zeros: no member begins behind padding.
fn is_end(input: &mut Input<'_>) -> io::Result<bool> {
    if input.fill_buf()?.first().is_some_and(|&b| b != 0) {
        return Ok(false);
    }
    loop {
        let more = input.fill_buf()?;
        if more.is_empty() {
            return Ok(true);
        }
        if more.iter().any(|&b| b != 0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "garbage behind its end",
            ));
        }
        let count = more.len();
        input.consume(count);
    }
}

/// At least `count` bytes of what comes, if so many come.
fn fill<'i>(input: &'i mut Input<'_>, count: usize) -> io::Result<&'i [u8]> {
    // A reader may give single bytes; the buffer must be asked again, which BufReader does only when it is empty.
    if input.fill_buf()?.len() < count {
        return peek_slowly(input, count);
    }
    Ok(input.buffer())
}

fn peek_slowly<'i>(input: &'i mut Input<'_>, count: usize) -> io::Result<&'i [u8]> {
    let mut head = input.buffer().to_vec();
    let had = head.len();
    input.consume(had);
    while head.len() < count {
        let more = input.fill_buf()?;
        if more.is_empty() {
            break;
        }
        let taken = more.len().min(count - head.len());
        head.extend_from_slice(&more[..taken]);
        input.consume(taken);
    }
    let rest = [head.as_slice(), input.buffer()].concat();
    let used = input.buffer().len();
    input.consume(used);
    let inner = std::mem::replace(&mut input.get_mut().inner, Box::new(io::empty()));
    input.get_mut().inner = Box::new(io::Cursor::new(rest).chain(inner));
    input.fill_buf()
}

/// What a decoder's error means to somebody who has only the file.
fn explained(error: io::Error, name: &'static str) -> io::Error {
    match error.kind() {
        _ if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error,
        io::ErrorKind::UnexpectedEof => {
            Error::invalid(OP, name, "it ends too early: the file is truncated").into()
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
            if error.raw_os_error().is_none() =>
        {
            Error::invalid(OP, name, error.to_string()).into()
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests;
