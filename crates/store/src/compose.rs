//! Layers that are made here: of an upper directory, or entry by entry.
//!
//! Nothing of them is stored but the layer itself. Its digest is that of its canonical tar, which [`Store::write_layer_tar`] writes again
//! whenever somebody wants it. Layers that came as a tar have the blob that it came in.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use spec::{BlobDigest, DiffId, Hasher, LayerId};

use crate::compression::Plain;
use crate::erofs::Source;
use crate::error::{Error, Kind, Result, shown};
use crate::layer::canonical::{settled, write_tree, write_walk};
use crate::layer::directory::DirectorySink;
use crate::layer::image::ImageSink;
use crate::layer::receive::{is_mark, remembered};
use crate::layer::resolve::Recorded;
use crate::layer::{FileData, Sink};
use crate::snapshot::Snapshot;
use crate::store::{Format, Store};
use crate::tar::{Entry, Kind as EntryKind};
use crate::unpack::{Half as Received, Layer, Named, Pending, publish, resolve_above};
use crate::walk::{self, Walk};

const OP: &str = "make layer";

/// Takes the entries of a new layer. Dropped before [`LayerWriter::finish`], nothing of it is left.
pub struct LayerWriter {
    store: Store,
    half: Half,
    memory: u64,
}

enum Half {
    Image(Box<ImageSink>, Vec<Recorded<<ImageSink as Sink>::Data>>),
    Directory(
        Box<DirectorySink>,
        Vec<Recorded<<DirectorySink as Sink>::Data>>,
    ),
}

impl fmt::Debug for LayerWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerWriter").finish_non_exhaustive()
    }
}

impl Store {
    /// Begins a layer.
    ///
    /// # Errors
    /// Its file can't be made.
    pub fn layer_writer(&self) -> Result<LayerWriter> {
        let layers = self.layers();
        self.make_directory(&layers)?;
        let half = match self.format() {
            Format::Erofs => Half::Image(Box::new(ImageSink::create(&layers)?), Vec::new()),
            Format::Directory => {
                Half::Directory(Box::new(DirectorySink::create(&layers)?), Vec::new())
            }
        };
        Ok(LayerWriter {
            store: self.clone(),
            half,
            memory: 0,
        })
    }

    /// Makes a layer of what overlayfs wrote into an upper directory above `parents`, bottom first. Sockets are left out, as Docker leaves them.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a file that no layer can have, or something can't be read or written.
    pub fn layer_from_upper(&self, upper: impl AsFd, parents: &[LayerId]) -> Result<Layer> {
        self.layer_of(upper, parents, |_| true)
    }

    fn layer_of(
        &self,
        upper: impl AsFd,
        parents: &[LayerId],
        is_seen: impl Fn(&[u8]) -> bool,
    ) -> Result<Layer> {
        let mut writer = self.layer_writer()?;
        let mut walk = Walk::marked(upper)?;
        while let Some(walked) = walk.next_entry()? {
            if !is_seen(&walked.entry.path) {
                continue;
            }
            match walked.file {
                Some(file) => {
                    let mut data = walk::FileData::new(&walked.entry, file);
                    writer.add(walked.entry, &mut data)?;
                }
                None => writer.add(walked.entry, &mut io::empty())?,
            }
        }
        writer.finish(parents)
    }

    /// Makes a layer of all that was written into a snapshot, above the snapshot's layers. The snapshot stays as it is; whoever
    /// writes to it meanwhile decides himself whether he gets what he wanted.
    ///
    /// # Errors
    /// As [`Store::layer_from_upper`].
    pub fn layer_from_snapshot(&self, snapshot: &Snapshot) -> Result<Layer> {
        let is_seen = |path: &[u8]| !snapshot.is_unseen(path);
        self.layer_of(snapshot.open_upper()?, snapshot.layers(), is_seen)
    }

    /// Writes the tar of a layer, the one with the layer's diff id: of the blob that it is kept in, or of the layer itself.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::Corrupt`] if another tar comes of it: then the layer or its blob was changed.
    pub fn write_layer_tar(&self, id: &LayerId, out: &mut dyn Write) -> Result<u64> {
        let rows = self.layer_rows(&[*id])?;
        let hashed = Hashed {
            out,
            hasher: Hasher::sha256(),
        };
        let (hashed, size) = match rows.first().and_then(|row| row.blob) {
            Some(blob) => self.write_blob_plain(&blob, hashed)?,
            None => write_walk(Walk::marked(self.layer_root(id)?)?, hashed)?,
        };
        let diff = DiffId::new(hashed.hasher.finish());
        if rows.first().is_some_and(|row| row.diff_id != diff) {
            let why = "its tar has another digest than the layer: get the image again";
            return Err(Error::because(Kind::Corrupt, "write tar of layer", id, why));
        }
        Ok(size)
    }
}

impl Store {
    /// Writes what a blob is when it is not compressed.
    fn write_blob_plain<W: Write>(&self, blob: &BlobDigest, mut out: W) -> Result<(W, u64)> {
        let mut plain = Plain::new(self.blob(blob)?, self.limits())?;
        let size = io::copy(&mut plain, &mut out).map_err(|e| Error::io(OP, blob, e))?;
        Ok((out, size))
    }
}

impl Pending {
    /// Makes a layer of the same entries whose tar is the canonical one, so that no tar needs to be kept of it. It has the digest of that, not
    /// of the tar that came.
    ///
    /// # Errors
    /// As [`Pending::finish`].
    pub fn remake(self, parents: &[LayerId]) -> Result<Layer> {
        match self.received {
            Received::Image(half) => remake(&self.store, half.0, half.1.entries, parents),
            Received::Directory(half) => remake(&self.store, half.0, half.1.entries, parents),
        }
    }
}

fn remake<S: Sink>(
    store: &Store,
    sink: S,
    mut entries: Vec<Recorded<S::Data>>,
    parents: &[LayerId],
) -> Result<Layer> {
    for recorded in &mut entries {
        recorded.entry.mtime = settled(recorded.entry.mtime);
    }
    finish(store, sink, entries, parents)
}

impl LayerWriter {
    /// Adds an entry, as a tar would have it: names that begin with `.wh.` mark what is removed from the layers below. Of a regular file `data`
    /// are the bytes, of a sparse one those of its segments.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if there are fewer data than the entry says, [`Kind::Limit`], or they can't be read or written.
    pub fn add(&mut self, mut entry: Entry, data: &mut dyn Read) -> Result<()> {
        entry.mtime = settled(entry.mtime);
        let limits = self.store.limits();
        self.memory += remembered(&entry);
        if self.memory > limits.memory {
            let why = format!(
                "its names and attributes take more than {} bytes",
                limits.memory
            );
            return Err(Error::limit(OP, "entries", why));
        }
        match &mut self.half {
            Half::Image(sink, entries) => keep(&mut **sink, entries, entry, data),
            Half::Directory(sink, entries) => keep(&mut **sink, entries, entry, data),
        }
    }

    /// Makes the layer above `parents`, bottom first: symlinks in paths are followed and directories that nobody mentioned are taken from
    /// there. It is there, whole and on disk, when this returns.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for entries that make no sense there, [`Kind::NotFound`] for a parent.
    pub fn finish(self, parents: &[LayerId]) -> Result<Layer> {
        match self.half {
            Half::Image(sink, entries) => finish(&self.store, *sink, entries, parents),
            Half::Directory(sink, entries) => finish(&self.store, *sink, entries, parents),
        }
    }
}

fn keep<S: Sink>(
    sink: &mut S,
    entries: &mut Vec<Recorded<S::Data>>,
    mut entry: Entry,
    data: &mut dyn Read,
) -> Result<()> {
    let mut kept = None;
    if entry.kind == EntryKind::File && !is_mark(&entry.path) {
        let sparse = entry.sparse.take();
        let file = FileData {
            size: entry.size,
            sparse: sparse.as_deref(),
            xattrs: &entry.xattrs,
        };
        let capacity = usize::try_from(entry.size).unwrap_or(usize::MAX);
        let mut source = Input(BufReader::with_capacity(capacity.clamp(1, 256 << 10), data));
        let stored = sink.store(&file, &mut source);
        kept = Some(stored.map_err(|e| Error::caused(e.kind, OP, shown(&entry.path), e))?);
    }
    entries.push(Recorded { entry, data: kept });
    Ok(())
}

fn finish<S: Sink>(
    store: &Store,
    mut sink: S,
    entries: Vec<Recorded<S::Data>>,
    parents: &[LayerId],
) -> Result<Layer> {
    let resolved = resolve_above(store, &mut sink, entries, parents)?;
    let hashed = Hashed {
        out: io::sink(),
        hasher: Hasher::sha256(),
    };
    let (hashed, tar_size) = write_tree(&resolved.tree, &sink, hashed)?;
    let named = Named {
        diff_id: DiffId::new(hashed.hasher.finish()),
        tar_size,
        // The tree has everything that was taken from below, and so has its tar.
        asked: false,
        blob: None,
    };
    publish(store, sink, &resolved.tree, named, parents)
}

/// Data for a sink.
struct Input<'a>(BufReader<&'a mut dyn Read>);

impl Source for Input<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        self.0.fill_buf().map_err(|e| Error::io(OP, "data", e))
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

/// Hashes what passes.
struct Hashed<W> {
    out: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The root of a layer, for reading it alone.
impl Store {
    pub(crate) fn layer_root(&self, id: &LayerId) -> Result<OwnedFd> {
        let root = self.mounted(id)?;
        rustix::fs::openat(
            &root,
            c".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(|e| Error::io("open layer", id, e.into()))
    }
}
