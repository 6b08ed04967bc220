//! Images from an archive, in one pass: layers are stored as they stream by, and named when the manifest is known, which may
//! come last.

mod catalogue;
mod growing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use failpoint::failpoint;
use spec::image::ImageConfig;
use spec::{BlobDigest, Digest, ImageId, LayerId, Platform, Reference};
use state::{Durability, EntryId, ImageRow};
use store::{Pending, Store};

use super::Loaded;
use super::archive::{Archive, Kind as EntryKind};
use super::import::{Adding, store_small};
use crate::error::{Error, Kind, Result};
use crate::open::Inner;
use catalogue::{Catalogue, Wanted};

pub(super) use catalogue::{NAME, ORIGINAL, REF_NAME};

/// A document of an archive is not larger, and all together are not.
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_DOCUMENTS: u64 = 64 << 20;
const CHUNK: u64 = 256 * 1024;

/// What to take from an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRequest {
    /// Images for this platform; none for whatever docker's own archives have, and this machine's of an OCI layout.
    pub platform: Option<Platform>,
}

pub(super) fn load(
    inner: &Inner,
    request: &LoadRequest,
    archive: impl Read + Send,
) -> Result<Loaded> {
    let adding = Adding::begin(inner, "load")?;
    let entry = adding.entry;
    let turns = Turns::new(thread::available_parallelism().map_or(2, usize::from));
    let added = thread::scope(|scope| {
        let contents = Contents::read(inner.store()?, archive, scope, &turns)?;
        add(inner, request, contents, entry)
    });
    adding.end(added)
}

/// What an archive has, by name.
#[derive(Debug, Default)]
pub(super) struct Contents<'s> {
    documents: BTreeMap<String, Vec<u8>>,
    layers: HashMap<String, Arrived<'s>>,
    links: BTreeMap<String, String>,
    bytes: u64,
}

/// A layer that streamed by.
#[derive(Debug)]
enum Arrived<'s> {
    /// It is being unpacked, or was; perhaps it is none. Its bytes are kept as they came: they can't be made again.
    New {
        worker: ScopedJoinHandle<'s, store::Result<Pending>>,
        blob: BlobDigest,
    },
    /// By its name the store has it already, so it was not read.
    Known,
}

fn add(
    inner: &Inner,
    request: &LoadRequest,
    mut contents: Contents<'_>,
    entry: EntryId,
) -> Result<Loaded> {
    let store = inner.store()?;
    failpoint!("image.load.after_layers");
    let catalogue = Catalogue::of(&contents, request.platform.as_ref())?;
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

fn image(
    inner: &Inner,
    store: &Store,
    contents: &mut Contents<'_>,
    wanted: &Wanted,
) -> Result<Made> {
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
        let layer = match store.find_layer(diff_id, &layers)? {
            Some(layer) => layer,
            None => match contents.layer(path) {
                Some(Arrived::New { worker, blob }) => {
                    let pending = joined(worker);
                    let layer =
                        pending.and_then(|p| p.verify(diff_id)?.kept_in(blob).finish(&layers));
                    layer.map_err(|e| Error::from(e).context(path))?
                }
                Some(Arrived::Known) | None => return Err(missing(path)),
            },
        };
        // What the manifest names stays as it came.
        if manifest.is_some()
            && let Some(named) = blob_of(path)
            && store.has_blob(&named)?
        {
            blobs.push(named);
        }
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

fn joined<T>(worker: ScopedJoinHandle<'_, T>) -> T {
    match worker.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl<'s> Contents<'s> {
    /// Reads the whole archive. Its layers are unpacked beside it.
    fn read<'e>(
        store: &'e Store,
        input: impl Read + Send,
        scope: &'s Scope<'s, 'e>,
        turns: &'e Turns,
    ) -> Result<Self> {
        let mut archive = Archive::new(store::plain(input)?);
        let mut contents = Self::default();
        while let Some(entry) = archive.next().map_err(unreadable)? {
            match entry.kind {
                EntryKind::Link(target) => {
                    contents.links.insert(entry.name, target);
                }
                EntryKind::File(size) => {
                    let layer = contents.file(entry.name, size, &mut archive)?;
                    if let Some((name, head)) = layer {
                        let arrived = receive(store, &name, head, &mut archive, (scope, turns))?;
                        contents.layers.insert(name, arrived);
                    }
                }
                EntryKind::Other => {}
            }
        }
        archive.finish().map_err(unreadable)?;
        Ok(contents)
    }

    /// Keeps a document; gives the name and the beginning of what is none.
    fn file(
        &mut self,
        name: String,
        size: u64,
        input: &mut impl Read,
    ) -> Result<Option<(String, Vec<u8>)>> {
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
            return Ok(None);
        }
        Ok(Some((name, head)))
    }

    /// A document of the archive.
    pub(super) fn document(&self, name: &str) -> Result<&[u8]> {
        let found = self.documents.get(&self.real(name)).map(Vec::as_slice);
        found.ok_or_else(|| missing(name))
    }

    fn layer(&mut self, name: &str) -> Option<Arrived<'s>> {
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

/// How many layers may be unpacked at the same time.
#[derive(Debug)]
struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    fn new(most: usize) -> Self {
        Self {
            free: Mutex::new(most),
            freed: Condvar::new(),
        }
    }

    fn take<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let done = work();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
        done
    }
}

/// Stores what may be a layer as it streams by, and has it unpacked beside that.
fn receive<'s, 'e>(
    store: &'e Store,
    name: &str,
    head: Vec<u8>,
    input: &mut impl Read,
    (scope, turns): (&'s Scope<'s, 'e>, &'e Turns),
) -> Result<Arrived<'s>> {
    let expected = blob_of(name);
    if let Some(expected) = &expected
        && store.has_layer_of(expected)?
    {
        return Ok(Arrived::Known);
    }
    let mut writer = store.blob_writer()?;
    let (growth, growing) = growing::growing(writer.reader()?);
    let worker = scope.spawn(move || turns.take(|| store.receive(growing)));
    let mut piece = head;
    while !piece.is_empty() {
        writer
            .write_all(&piece)
            .map_err(|e| Error::internal("write blob", e))?;
        growth.grown(writer.size());
        piece.clear();
        input
            .take(CHUNK)
            .read_to_end(&mut piece)
            .map_err(unreadable)?;
    }
    growth.end();
    let blob = writer.commit(expected.as_ref())?.0;
    Ok(Arrived::New { worker, blob })
}
