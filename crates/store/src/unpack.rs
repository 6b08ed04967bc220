//! From a stream to a layer in the store.

use std::fmt;
use std::io::Read;

use rustix::fd::OwnedFd;
use spec::{BlobDigest, ChainId, DiffId, LayerId};
use state::{LayerRow, LockKind};

use crate::error::{Error, Kind, Result};
use crate::layer::Sink;
use crate::layer::below::Below;
use crate::layer::directory::DirectorySink;
use crate::layer::image::ImageSink;
use crate::layer::lower::{Lower, Nothing};
use crate::layer::receive::{Received, receive};
use crate::layer::resolve::{Recorded, Resolved, resolve};
use crate::layer::tree::Tree;
use crate::store::{Format, PATIENCE, Store};

const OP: &str = "unpack layer";

/// A layer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the store.
    pub id: LayerId,
    /// The digest of its tar.
    pub diff_id: DiffId,
    /// The chain that it ends, for which it was asked.
    pub chain_id: ChainId,
    /// Bytes of its tar, uncompressed.
    pub size: u64,
    /// Bytes on disk.
    pub disk_size: u64,
}

/// A layer whose data are stored, and which has no name yet: it waits for those below it. Dropped, it is gone.
pub struct Pending {
    pub(crate) store: Store,
    pub(crate) received: Half,
    blob: Option<BlobDigest>,
}

pub(crate) enum Half {
    Image(Box<(ImageSink, Received<<ImageSink as Sink>::Data>)>),
    Directory(Box<(DirectorySink, Received<<DirectorySink as Sink>::Data>)>),
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("diff_id", &self.diff_id())
            .field("tar_size", &self.tar_size())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a layer of a tar that may be compressed, above the layers `parents`, bottom first.
    ///
    /// # Errors
    /// [`Kind::Invalid`] and [`Kind::Limit`] tell of the tar; nothing is left of it then.
    pub fn unpack(&self, input: impl Read + Send, parents: &[LayerId]) -> Result<Layer> {
        self.receive(input)?.finish(parents)
    }

    /// The first part of [`Store::unpack`], which needs no other layer: so several may be received at the same time.
    ///
    /// # Errors
    /// As [`Store::unpack`].
    pub fn receive(&self, input: impl Read + Send) -> Result<Pending> {
        let layers = self.layers();
        self.make_directory(&layers)?;
        let received = match self.format() {
            Format::Erofs => {
                let mut sink = ImageSink::create(&layers)?;
                let received = receive(input, self.limits(), &mut sink)?;
                Half::Image(Box::new((sink, received)))
            }
            Format::Directory => {
                let mut sink = DirectorySink::create(&layers)?;
                let received = receive(input, self.limits(), &mut sink)?;
                Half::Directory(Box::new((sink, received)))
            }
        };
        Ok(Pending {
            store: self.clone(),
            received,
            blob: None,
        })
    }

    /// The layer with this diff id above `parents`, if the store has it already.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a parent, or the database can't be read.
    pub fn find_layer(&self, diff_id: &DiffId, parents: &[LayerId]) -> Result<Option<Layer>> {
        let chain = self.chain(diff_id, parents)?;
        let find = |tx: &state::Tx<'_>| match tx.layer_of_diff(diff_id)? {
            Some(row) => Ok(Some(row)),
            None => tx.layer_of_chain(&chain),
        };
        let row = self
            .db()
            .read(find)
            .map_err(|e| Error::state("look for layer", diff_id, e))?;
        Ok(row.map(|row| layer(&row, chain)))
    }

    /// Whether there is a layer, of use above any others, whose tar has this digest, or the blob that the tar is kept in.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn has_layer_of(&self, digest: &BlobDigest) -> Result<bool> {
        let found = self.db().read(|tx| tx.has_layer_of(digest));
        found.map_err(|e| Error::state("look for layer", digest, e))
    }

    fn chain(&self, diff_id: &DiffId, parents: &[LayerId]) -> Result<ChainId> {
        let mut diffs: Vec<DiffId> = self
            .layer_rows(parents)?
            .into_iter()
            .map(|row| row.diff_id)
            .collect();
        diffs.push(*diff_id);
        Ok(ChainId::of(&diffs).unwrap_or_else(|| ChainId::bottom(diff_id)))
    }
}

fn layer(row: &LayerRow, chain_id: ChainId) -> Layer {
    Layer {
        id: row.id,
        diff_id: row.diff_id,
        chain_id,
        size: row.tar_size,
        disk_size: row.file_size,
    }
}

impl Pending {
    /// The digest of the tar.
    #[must_use]
    pub fn diff_id(&self) -> DiffId {
        match &self.received {
            Half::Image(half) => half.1.diff_id,
            Half::Directory(half) => half.1.diff_id,
        }
    }

    /// Bytes of the tar, uncompressed.
    #[must_use]
    pub fn tar_size(&self) -> u64 {
        match &self.received {
            Half::Image(half) => half.1.tar_size,
            Half::Directory(half) => half.1.tar_size,
        }
    }

    /// Refuses a tar that is not the one that was expected.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it has another digest.
    pub fn verify(self, expected: &DiffId) -> Result<Self> {
        let got = self.diff_id();
        if got == *expected {
            return Ok(self);
        }
        Err(Error::invalid(
            OP,
            expected,
            format!("the layer's content has the digest {got}"),
        ))
    }

    /// Says in which blob the tar is kept, as it came: it can't be made again of the layer. The blob stays as long as the layer.
    #[must_use]
    pub fn kept_in(mut self, blob: BlobDigest) -> Self {
        self.blob = Some(blob);
        self
    }

    /// Makes the layer above `parents`, bottom first. It is there, whole and on disk, when this returns.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for entries that make no sense there, [`Kind::NotFound`] for a parent.
    pub fn finish(self, parents: &[LayerId]) -> Result<Layer> {
        let (store, blob) = (&self.store, self.blob);
        match self.received {
            Half::Image(half) => finish(store, half.0, half.1, blob, parents),
            Half::Directory(half) => finish(store, half.0, half.1, blob, parents),
        }
    }
}

fn finish<S: Sink>(
    store: &Store,
    mut sink: S,
    received: Received<S::Data>,
    blob: Option<BlobDigest>,
    parents: &[LayerId],
) -> Result<Layer> {
    let Resolved { tree, asked } = resolve_above(store, &mut sink, received.entries, parents)?;
    let named = Named {
        diff_id: received.diff_id,
        tar_size: received.tar_size,
        asked,
        blob,
    };
    publish(store, sink, &tree, named, parents)
}

/// The tree of a layer above `parents`.
pub(crate) fn resolve_above<S: Sink>(
    store: &Store,
    sink: &mut S,
    entries: Vec<Recorded<S::Data>>,
    parents: &[LayerId],
) -> Result<Resolved<S::Data>> {
    if parents.is_empty() {
        return resolve(entries, &mut Nothing as &mut dyn Lower<S::Data>);
    }
    let rows = store.layer_rows(parents)?;
    // What is above the data themselves is for blocks that are not full.
    let held = rows.iter().map(|row| row.tar_size).sum::<u64>() + (64 << 20);
    let mount = || Ok(OwnedFd::from(store.view(parents)?));
    resolve(entries, &mut Below::new(sink, held, mount))
}

/// What a layer is called.
pub(crate) struct Named {
    pub(crate) diff_id: DiffId,
    pub(crate) tar_size: u64,
    /// Whether the layers below had a say in it.
    pub(crate) asked: bool,
    /// Where its tar is kept, if it is no canonical one.
    pub(crate) blob: Option<BlobDigest>,
}

/// Writes a layer down and puts it into the store.
pub(crate) fn publish<S: Sink>(
    store: &Store,
    sink: S,
    tree: &Tree<S::Data>,
    named: Named,
    parents: &[LayerId],
) -> Result<Layer> {
    let Named {
        diff_id,
        tar_size,
        asked,
        blob,
    } = named;
    let chain_id = store.chain(&diff_id, parents)?;
    let unusual = || Error::because(Kind::Invalid, OP, diff_id, "it is not a SHA-256 digest");
    let id = if asked {
        LayerId::from_chain(&chain_id)
    } else {
        LayerId::from_diff(&diff_id)
    }
    .ok_or_else(unusual)?;
    let name = id.to_string();
    let state = |e| Error::state(OP, id, e);
    // Content before layers: the order of locks.
    let _content = store.share_content()?;
    let _layer = store
        .locks()
        .lock(LockKind::Layer, &name, PATIENCE)
        .map_err(state)?;
    if let Some(row) = store.db().read(|tx| tx.layer(&id)).map_err(state)? {
        return Ok(layer(&row, chain_id));
    }
    failpoint::failpoint!("store.unpack.before_file");
    let written = sink.publish(tree, &name)?;
    failpoint::failpoint!("store.unpack.after_file");
    let row = LayerRow {
        id,
        diff_id,
        chain_id: asked.then_some(chain_id),
        format: S::FORMAT.to_owned(),
        tar_size,
        file_size: written.size,
        checksum: written.checksum,
        created_at: store.now(),
        blob,
    };
    store.db().write(|tx| tx.add_layer(&row)).map_err(state)?;
    failpoint::failpoint!("store.unpack.after_row");
    Ok(layer(&row, chain_id))
}
