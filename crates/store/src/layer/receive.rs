//! The first pass: data are stored, entries remembered.

use std::io::{BufRead, Read};

use spec::DiffId;

use super::path::{Name, cleaned};
use super::resolve::Recorded;
use super::{FileData, Sink};
use crate::compression::Plain;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::pipeline;
use crate::tar::{Entry, Kind, Reader};

/// A tar that was read to its end.
#[derive(Debug)]
pub(crate) struct Received<D> {
    pub(crate) entries: Vec<Recorded<D>>,
    pub(crate) diff_id: DiffId,
    /// Bytes of the tar, uncompressed.
    pub(crate) tar_size: u64,
}

/// Reads a tar, perhaps compressed, to its end.
pub(crate) fn receive<S: Sink>(
    input: impl Read + Send,
    limits: &Limits,
    sink: &mut S,
) -> Result<Received<S::Data>> {
    let plain = Plain::new(input, limits)?;
    let (result, diff_id) = pipeline::run(plain, |stream| read(stream, limits, sink));
    let (entries, tar_size) = result?;
    Ok(Received {
        entries,
        diff_id,
        tar_size,
    })
}

fn read<S: Sink>(
    stream: impl BufRead,
    limits: &Limits,
    sink: &mut S,
) -> Result<(Vec<Recorded<S::Data>>, u64)> {
    let mut reader = Reader::new(stream, limits);
    let mut entries = Vec::new();
    let mut memory = 0;
    while let Some(mut entry) = reader.next_entry()? {
        memory += remembered(&entry);
        if memory > limits.memory {
            let why = format!(
                "its names and attributes take more than {} bytes",
                limits.memory
            );
            return Err(Error::limit("unpack layer", "entries", why));
        }
        let data = if entry.kind == Kind::File && !is_mark(&entry.path) {
            let sparse = entry.sparse.take();
            let file = FileData {
                size: entry.size,
                sparse: sparse.as_deref(),
                xattrs: &entry.xattrs,
            };
            Some(sink.store(&file, &mut reader)?)
        } else {
            None
        };
        entries.push(Recorded { entry, data });
    }
    Ok((entries, reader.finish()?))
}

/// Whether an entry is a whiteout, whose data nobody needs.
pub(crate) fn is_mark(path: &[u8]) -> bool {
    cleaned(path)
        .last()
        .is_none_or(|name| !matches!(Name::of(name), Some(Name::Plain(_))))
}

/// About how many bytes of memory an entry takes until the end.
pub(crate) fn remembered(entry: &Entry) -> u64 {
    let link = match &entry.kind {
        Kind::HardLink(target) | Kind::Symlink(target) => target.len(),
        _ => 0,
    };
    let xattrs: usize = entry
        .xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 48)
        .sum();
    let map = entry.sparse.as_ref().map_or(0, |map| map.len() * 16);
    (2 * size_of::<Entry>() + 2 * entry.path.len() + link + xattrs + map) as u64
}
