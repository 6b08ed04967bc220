//! One layer on its way: fetched, hashed, inflated and written down as it arrives.
//!
//! The bytes go into a file that outlives a break, and are read behind it. Others who want the same blob, in this process or
//! another, wait for whoever has its file, and then find it in the store.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use ::registry::client::{Download, Progress, Repository, Target};
use failpoint::failpoint;
use spec::image::Descriptor;
use spec::{BlobDigest, DiffId, Digest, Hasher, LayerId};
use store::{Arrival, Arriving, Layer, Partial, Pending, Store};
use tokio::sync::{Semaphore, oneshot};

use super::news::{Amount, LayerNews, Teller};
use crate::error::{Error, Result};
use crate::open::Engine;

/// How often it is looked whether another is done with a blob.
const LOOK: Duration = Duration::from_millis(50);

/// What one layer needs.
pub(super) struct Job<'a> {
    pub(super) engine: &'a Engine,
    pub(super) repository: &'a Repository,
    /// How many may be on their way at once.
    pub(super) turns: &'a Semaphore,
    pub(super) blob: &'a Descriptor,
    pub(super) diff: DiffId,
    pub(super) teller: Teller,
}

/// The layers below, once they are there, and who waits for this one.
pub(super) struct Place {
    pub(super) below: oneshot::Receiver<Vec<LayerId>>,
    pub(super) above: oneshot::Sender<Vec<LayerId>>,
}

/// A layer that is there, and its blob if it came now.
pub(super) struct Arrived {
    pub(super) layer: Layer,
    pub(super) blob: Option<BlobDigest>,
}

/// How a blob was got.
enum Got {
    /// The layer was there all the time, or another has got it.
    Layer,
    Pending(Box<Pending>),
}

/// Why bytes became no layer.
enum Failure {
    /// What is there is not what it should be, and some of it was there before: all of it again may help.
    Stale,
    Other(Error),
}

impl Job<'_> {
    fn name(&self) -> BlobDigest {
        BlobDigest::new(self.blob.digest)
    }

    /// Sees to it that the layer is in the store.
    pub(super) async fn run(self, place: Place) -> Result<Arrived> {
        let got = self.get().await?;
        // Nothing comes when the one below failed, whose error is told.
        let mut parents = place
            .below
            .await
            .map_err(|_| Error::invalid("a layer below it did not come"))?;
        let (diff, below, blob) = (self.diff, parents.clone(), self.name());
        if matches!(got, Got::Pending(_)) {
            let (current, total) = (self.blob.size, self.blob.size);
            let amount = Amount { current, total };
            self.teller.tell(LayerNews::Extracting(amount)).await;
        }
        let came = matches!(got, Got::Pending(_));
        let finish = move |engine: &Engine| -> Result<Option<Layer>> {
            let store = engine.0.store()?;
            if let Some(layer) = store.find_layer(&diff, &below)? {
                return Ok(Some(layer));
            }
            let Got::Pending(pending) = got else {
                return Ok(None);
            };
            let layer = pending.verify(&diff)?.kept_in(blob).finish(&below)?;
            failpoint!("image.pull.after_layer");
            Ok(Some(layer))
        };
        let layer = self.engine.long(finish).await?.ok_or_else(|| {
            Error::internal(
                format!("layer {} went away while the image was pulled", self.diff),
                io::Error::from(io::ErrorKind::NotFound),
            )
            .hint("pull it again")
        })?;
        parents.push(layer.id);
        drop(place.above.send(parents));
        self.teller
            .tell(if came {
                LayerNews::Complete
            } else {
                LayerNews::Exists
            })
            .await;
        let blob = self.kept(blob).await?;
        Ok(Arrived { layer, blob })
    }

    /// The blob, if the store has it: one whose layer was there already need not have come.
    async fn kept(&self, blob: BlobDigest) -> Result<Option<BlobDigest>> {
        self.engine
            .step(move |engine| Ok(engine.0.store()?.has_blob(&blob)?.then_some(blob)))
            .await
    }

    /// Whether a layer of the same tar is there that needs nothing below it.
    async fn is_there(&self) -> Result<bool> {
        let diff = self.diff;
        self.engine
            .step(move |engine| {
                let found = engine.0.store()?.find_layer(&diff, &[])?;
                Ok(found.is_some_and(|layer| Some(layer.id) == LayerId::from_diff(&diff)))
            })
            .await
    }

    async fn get(&self) -> Result<Got> {
        if self.is_there().await? {
            return Ok(Got::Layer);
        }
        self.teller.tell(LayerNews::Wanted).await;
        let _turn = match self.turns.try_acquire() {
            Ok(turn) => turn,
            Err(_) => {
                self.teller.tell(LayerNews::Waiting).await;
                let turn = self.turns.acquire().await;
                turn.map_err(|e| Error::internal("wait for other layers", e))?
            }
        };
        for again in [true, false] {
            let Some(partial) = self.partial().await? else {
                return Ok(Got::Layer);
            };
            let got = match self.kept(self.name()).await? {
                Some(_) => self.unpack_kept(partial).await,
                None => self.download(partial).await,
            };
            match got {
                Ok(pending) => {
                    self.teller.tell(LayerNews::Downloaded).await;
                    return Ok(Got::Pending(Box::new(pending)));
                }
                Err(Failure::Stale) if again => {}
                Err(Failure::Stale) => break,
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        Err(Error::invalid(format!(
            "{}: its content has another digest",
            self.blob.digest
        )))
    }

    /// Waits until nobody else gets the blob. None if the layer is there by then.
    async fn partial(&self) -> Result<Option<Partial>> {
        let mut waiting = false;
        loop {
            let (name, size) = (self.name(), self.blob.size);
            let partial = self
                .engine
                .step(move |engine| Ok(engine.0.store()?.partial(&name, size)?))
                .await?;
            if self.is_there().await? {
                if let Some(partial) = partial
                    && partial.reached() == 0
                {
                    partial.discard()?;
                }
                return Ok(None);
            }
            if partial.is_some() {
                return Ok(partial);
            }
            if !waiting {
                waiting = true;
                self.teller.tell(LayerNews::Waiting).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Of a blob that the store has although it has no layer of it.
    async fn unpack_kept(&self, partial: Partial) -> std::result::Result<Pending, Failure> {
        let (name, size) = (self.name(), self.blob.size);
        let unpack = move |engine: &Engine| -> Result<Option<Pending>> {
            let store = engine.0.store()?;
            partial.discard()?;
            let mut file = Hashed {
                file: store.blob(&name)?,
                hasher: name.digest().hasher(),
                size: 0,
            };
            let pending = store.receive(&mut file);
            let (digest, length) = file.finish().map_err(|e| Error::internal("read blob", e))?;
            if digest != *name.digest() || length != size {
                let why = format!("blob {name} in the store is not what it was");
                return Err(Error::new(crate::error::Kind::Internal, why)
                    .hint("remove the images that have it and pull them again"));
            }
            Ok(Some(pending?))
        };
        match self.engine.long(unpack).await {
            Ok(Some(pending)) => Ok(pending),
            Ok(None) => Err(Failure::Stale),
            Err(error) => Err(Failure::Other(error)),
        }
    }

    /// Forgets what came before and fits nothing that the registry has.
    async fn forget(&self) -> Result<()> {
        let (name, size) = (self.name(), self.blob.size);
        let forget = move |engine: &Engine| match engine.0.store()?.partial(&name, size)? {
            Some(partial) => Ok(partial.discard()?),
            None => Ok(()),
        };
        self.engine.step(forget).await
    }

    async fn download(&self, partial: Partial) -> std::result::Result<Pending, Failure> {
        let from = partial.reached();
        let arrival = partial.arrival();
        let reader = partial.reader();
        let worker = self
            .engine
            .long(move |engine| unpack(engine.0.store()?, reader, partial));
        let feed = async {
            let guard = Cut(&arrival);
            let sink = Sink {
                arrival: &arrival,
                teller: &self.teller,
                size: self.blob.size,
                from,
            };
            let download = Download {
                blob: self.blob,
                from,
            };
            let done = self.repository.download(download, &sink, &sink).await;
            if done.is_ok() {
                self.teller.tell(LayerNews::Verifying).await;
                std::mem::forget(guard);
            }
            done
        };
        let (unpacked, fed) = tokio::join!(worker, feed);
        // What broke off the stream is the cause of whatever the reader found.
        if let Err(error) = fed {
            if error.kind == registry::Kind::Restart && from > 0 {
                return Err(self
                    .forget()
                    .await
                    .map_or_else(Failure::Other, |()| Failure::Stale));
            }
            return Err(Failure::Other(error.into()));
        }
        match unpacked {
            Ok(Some(pending)) => Ok(pending),
            Ok(None) if from > 0 => Err(Failure::Stale),
            Ok(None) => Err(Failure::Other(Error::new(
                crate::error::Kind::Internal,
                format!(
                    "filesystem layer verification failed for digest {}: what the registry sent is something else",
                    self.blob.digest
                ),
            ))),
            Err(error) => Err(Failure::Other(error)),
        }
    }
}

/// Reads a blob to its end while it comes, and keeps both it and the layer. None if it has another digest.
fn unpack(store: &Store, mut reader: Arriving, partial: Partial) -> Result<Option<Pending>> {
    let pending = store.receive(&mut reader);
    // Before the tar's own faults: a damaged stream has any.
    let digest = match reader.finish() {
        Ok(digest) => digest,
        Err(cut) => return Err(Error::internal("get blob", cut)),
    };
    match partial.commit(&digest) {
        Ok(()) => Ok(Some(pending?)),
        Err(error) if error.kind == store::Kind::Invalid => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ends the stream for its reader when nothing more will come.
struct Cut<'a>(&'a Arrival);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// Where the registry's client puts the bytes.
struct Sink<'a> {
    arrival: &'a Arrival,
    teller: &'a Teller,
    size: u64,
    from: u64,
}

impl Target for Sink<'_> {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.arrival.write_at(offset, bytes)
    }
}

impl Progress for Sink<'_> {
    fn reached(&self, offset: u64) {
        self.arrival.reached(offset);
        let current = offset.max(self.from);
        self.teller.amount(Amount {
            current,
            total: self.size,
        });
    }

    fn received(&self, _bytes: u64) {}
}

/// A blob of the store, hashed as it is read.
struct Hashed {
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Read for Hashed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.hasher.update(&out[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

impl Hashed {
    fn finish(mut self) -> io::Result<(Digest, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((self.hasher.finish(), self.size))
    }
}
