//! Images from an archive, in one pass: layers are stored as they stream by, and named when the manifest is known, which may
//! come last.

mod catalogue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use failpoint::failpoint;
use spec::image::ImageConfig;
use spec::{BlobDigest, Digest, ImageId, LayerId, Reference};
use state::{Durability, EntryId, ImageRow};
use store::{BlobWriter, Pending, Store};

use super::Loaded;
use super::archive::{Archive, Kind as EntryKind};
use super::import::{Adding, store_small};
use crate::error::{Error, Kind, Result};
use crate::open::Inner;
use catalogue::{Catalogue, Wanted};

/// A document of an archive is not larger, and all together are not.
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_DOCUMENTS: u64 = 64 << 20;
const CHUNK: usize = 256 * 1024;

pub(super) fn load(inner: &Inner, archive: impl Read + Send) -> Result<Loaded> {
    let adding = Adding::begin(inner, "load")?;
    let added = add(inner, archive, adding.entry);
    adding.end(added)
}

/// What an archive has, by name.
#[derive(Debug, Default)]
pub(super) struct Contents {
    documents: BTreeMap<String, Vec<u8>>,
    layers: HashMap<String, Arrived>,
    links: BTreeMap<String, String>,
    bytes: u64,
}

/// A layer that streamed by, or why it is none.
#[derive(Debug)]
struct Arrived {
    layer: std::result::Result<Pending, store::Error>,
    /// Its compressed bytes, which are kept as they came.
    blob: Option<(BlobDigest, u64)>,
}

fn add(inner: &Inner, archive: impl Read + Send, entry: EntryId) -> Result<Loaded> {
    let store = inner.store()?;
    let plain = store::plain(archive).map_err(of_archive)?;
    let mut contents = Contents::read(store, plain)?;
    failpoint!("image.load.after_layers");
    let catalogue = Catalogue::of(&contents)?;
    let mut loaded = Loaded::default();
    let mut made = Vec::new();
    for wanted in &catalogue.images {
        made.push(image(inner, store, &mut contents, wanted)?);
    }
    failpoint!("image.load.after_blobs");
    let now = inner.nanos();
    inner.db.write_with(Durability::Full, |tx| {
        for (image, wanted) in made.iter().zip(&catalogue.images) {
            tx.add_image(&image.row, &image.layers, &image.blobs)?;
            for reference in &wanted.references {
                tx.set_tag(&reference.to_string(), &image.row.id, now)?;
            }
        }
        tx.finish(entry)
    })?;
    failpoint!("image.load.after_row");
    for (image, wanted) in made.iter().zip(&catalogue.images) {
        if wanted.references.is_empty() {
            loaded.ids.push(image.row.id);
        }
        let familiar = wanted.references.iter().map(Reference::familiar);
        loaded.references.extend(familiar);
    }
    Ok(loaded)
}

/// An image whose parts are all in the store.
struct Made {
    row: ImageRow,
    layers: Vec<LayerId>,
    blobs: Vec<BlobDigest>,
}

fn image(inner: &Inner, store: &Store, contents: &mut Contents, wanted: &Wanted) -> Result<Made> {
    let bytes = contents.document(&wanted.config)?.to_vec();
    let config = ImageConfig::parse(&bytes).map_err(|e| Error::invalid(e.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("{} is not text", wanted.config)))?;
    if config.rootfs.diff_ids.len() != wanted.layers.len() {
        return Err(Error::invalid(format!(
            "invalid archive: {} has {} layers, its manifest {}",
            wanted.config,
            config.rootfs.diff_ids.len(),
            wanted.layers.len()
        )));
    }
    let mut blobs = vec![store_small(inner, text.as_bytes())?];
    if let Some(manifest) = &wanted.manifest {
        blobs.push(store_small(inner, contents.document(manifest)?)?);
    }
    let manifest = wanted.manifest.as_ref().map(|_| blobs[blobs.len() - 1]);
    let (mut layers, mut size) = (Vec::new(), 0);
    for (path, diff_id) in wanted.layers.iter().zip(&config.rootfs.diff_ids) {
        let arrived = contents.layer(path);
        let blob = arrived.as_ref().and_then(|a| a.blob);
        let layer = match store.find_layer(diff_id, &layers)? {
            Some(layer) => layer,
            None => {
                let pending = arrived.ok_or_else(|| missing(path))?.layer;
                let layer = pending.and_then(|p| p.verify(diff_id)?.finish(&layers));
                layer.map_err(|e| of_archive(e).context(path))?
            }
        };
        blobs.extend(blob.map(|(digest, _)| digest));
        size += layer.size;
        layers.push(layer.id);
    }
    let created = config
        .created
        .as_deref()
        .and_then(|t| t.parse::<jiff::Timestamp>().ok());
    Ok(Made {
        row: ImageRow {
            id: ImageId::new(Digest::of(&text)),
            manifest,
            config: text,
            size,
            created_at: created.and_then(|t| i64::try_from(t.as_nanosecond()).ok()),
            added_at: inner.nanos(),
            tagged_at: None,
        },
        layers,
        blobs,
    })
}

fn missing(path: &str) -> Error {
    Error::invalid(format!("invalid archive: it lacks {path}"))
}

/// An error of the store that the archive is to blame for, unless the disk is.
fn of_archive(error: store::Error) -> Error {
    Error::from(error)
}

impl Contents {
    /// Reads the whole archive.
    fn read(store: &Store, input: impl Read + Send) -> Result<Self> {
        let unreadable = |e: io::Error| unreadable(e);
        let mut archive = Archive::new(input);
        let mut contents = Self::default();
        while let Some(entry) = archive.next().map_err(unreadable)? {
            match entry.kind {
                EntryKind::Link(target) => {
                    contents.links.insert(entry.name, target);
                }
                EntryKind::File(size) => {
                    contents.file(store, entry.name, size, &mut archive)?;
                }
                EntryKind::Other => {}
            }
        }
        archive.finish().map_err(unreadable)?;
        Ok(contents)
    }

    fn file(
        &mut self,
        store: &Store,
        name: String,
        size: u64,
        input: &mut (impl Read + Send),
    ) -> Result<()> {
        let mut head = Vec::new();
        input.take(512).read_to_end(&mut head).map_err(unreadable)?;
        if size <= MAX_DOCUMENT && is_document(&name, &head, size) {
            self.bytes += size;
            if self.bytes > MAX_DOCUMENTS {
                return Err(Error::invalid(
                    "invalid archive: its documents are too large",
                ));
            }
            input.read_to_end(&mut head).map_err(unreadable)?;
            self.documents.insert(name, head);
            return Ok(());
        }
        let expected = blob_of(&name);
        let arrived = receive(store, head, input, expected.as_ref())?;
        self.layers.insert(name, arrived);
        Ok(())
    }

    /// A document of the archive.
    pub(super) fn document(&self, name: &str) -> Result<&[u8]> {
        let found = self.documents.get(&self.real(name)).map(Vec::as_slice);
        found.ok_or_else(|| missing(name))
    }

    fn layer(&mut self, name: &str) -> Option<Arrived> {
        let real = self.real(name);
        self.layers.remove(&real)
    }

    /// The name behind links, which are relative to their own place.
    fn real(&self, name: &str) -> String {
        let mut name = super::archive::plain(name);
        for _ in 0..8 {
            let Some(target) = self.links.get(&name) else {
                break;
            };
            // A hard link's target is a whole name, a symbolic one's begins beside it.
            let whole = super::archive::plain(target);
            let beside = match name.rsplit_once('/') {
                Some((directory, _)) => super::archive::plain(&format!("{directory}/{target}")),
                None => whole.clone(),
            };
            let there = |n: &String| {
                self.layers.contains_key(n)
                    || self.documents.contains_key(n)
                    || self.links.contains_key(n)
            };
            name = if there(&beside) { beside } else { whole };
        }
        name
    }
}

/// What goes wrong with the stream itself.
fn unreadable(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull => Kind::Internal,
        _ => Kind::InvalidParameter,
    };
    Error::new(kind, "read archive of images").because(error)
}

/// A text in JSON, or one of the little files of old archives. The rest are layers.
fn is_document(name: &str, head: &[u8], size: u64) -> bool {
    let first = head.iter().find(|b| !b.is_ascii_whitespace());
    let json = matches!(first, Some(b'{' | b'['));
    json || name.ends_with(".json") || (size < 64 && !name.ends_with(".tar"))
}

/// The digest that a file of an OCI layout must have.
fn blob_of(name: &str) -> Option<BlobDigest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Stores a layer as it streams by, and its own bytes if they are compressed: those can't be made again.
fn receive(
    store: &Store,
    head: Vec<u8>,
    input: &mut (impl Read + Send),
    expected: Option<&BlobDigest>,
) -> Result<Arrived> {
    let mut writer = is_compressed(&head)
        .then(|| store.blob_writer())
        .transpose()?;
    let (sender, pieces) = sync_channel(4);
    let layer = thread::scope(|scope| -> Result<_> {
        let worker = scope.spawn(move || {
            store.receive(Pieces {
                pieces,
                current: Vec::new(),
                used: 0,
            })
        });
        let read = feed(head, input, &sender, writer.as_mut());
        // Now the worker's stream ends, or, after an error, is cut.
        if read.is_err() {
            drop(sender.send(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        drop(sender);
        let layer = match worker.join() {
            Ok(layer) => layer,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        read?;
        Ok(layer)
    })?;
    let blob = match writer {
        Some(writer) if layer.is_ok() => Some(writer.commit(expected)?),
        _ => None,
    };
    // A full disk is not the layer's fault, and nothing else will fare better.
    match layer {
        Err(error) if error.kind == store::Kind::NoSpace => Err(error.into()),
        layer => Ok(Arrived { layer, blob }),
    }
}

/// Reads all of the present file and passes it on. A worker that gave up is no reason to stop: the file may be no layer.
fn feed(
    head: Vec<u8>,
    input: &mut impl Read,
    sender: &SyncSender<io::Result<Vec<u8>>>,
    mut writer: Option<&mut BlobWriter>,
) -> Result<()> {
    let mut piece = head;
    let mut listening = true;
    while !piece.is_empty() {
        if let Some(writer) = writer.as_deref_mut() {
            writer
                .write_all(&piece)
                .map_err(|e| Error::internal("write blob", e))?;
        }
        listening = listening && sender.send(Ok(piece)).is_ok();
        let mut next = Vec::with_capacity(CHUNK);
        input
            .take(CHUNK as u64)
            .read_to_end(&mut next)
            .map_err(unreadable)?;
        piece = next;
    }
    Ok(())
}

/// The reading end of the worker.
struct Pieces {
    pieces: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    used: usize,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.used == self.current.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.current, self.used) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let count = out.len().min(self.current.len() - self.used);
        out[..count].copy_from_slice(&self.current[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}
