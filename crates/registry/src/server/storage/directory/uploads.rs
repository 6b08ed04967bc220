//! Uploads as files that grow. Of what came, all stays, whoever is killed: the file's length is how far it is.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use spec::{Algorithm, Digest, Hasher};
use tokio::task::JoinHandle;

use super::{blocking, make, names, there, touched};
use crate::error::{Error, Kind, Result};
use crate::server::storage::{Answer, Pieces, Upload, Uploads};

/// What is written and hashed at once, while the next comes.
const BATCH: usize = 512 << 10;
/// Hashers that are remembered; more uploads than that are read once more at their end.
const HASHERS: usize = 4096;
/// How often, and how long after, one that somebody else adds to is looked at again.
const ATTEMPTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// Where whole uploads go.
pub trait Shelf: Send + Sync {
    /// Keeps a file of that digest and size, which is at `path` and may be moved from there, as a blob. It is on disk then.
    ///
    /// # Errors
    /// It can't be kept: the upload stays.
    fn keep(&self, file: &File, path: &Path, digest: &Digest, size: u64) -> Result<()>;
}

/// Uploads in a directory.
pub struct UploadFiles {
    root: PathBuf,
    shelf: Arc<dyn Shelf>,
    hashers: Arc<Hashers>,
}

/// How far which upload was hashed.
#[derive(Default)]
struct Hashers(Mutex<HashMap<String, Hashed>>);

struct Hashed {
    hasher: Hasher,
    size: u64,
}

impl Default for Hashed {
    fn default() -> Self {
        Self {
            hasher: Hasher::new(Algorithm::Sha256),
            size: 0,
        }
    }
}

impl Hashers {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Hashed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that somebody adds to: locked. However that ends, what was hashed is remembered before the lock goes.
struct Open {
    id: String,
    file: File,
    hashed: Option<Hashed>,
    hashers: Arc<Hashers>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut hashers = self.hashers.all();
        if let Some(hashed) = self.hashed.take()
            && hashers.len() < HASHERS
        {
            hashers.insert(std::mem::take(&mut self.id), hashed);
        }
    }
}

impl std::fmt::Debug for UploadFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadFiles")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

fn system(id: &str) -> impl Fn(io::Error) -> Error + '_ {
    move |e| Error::system("upload", id, e)
}

fn gone(id: &str) -> Error {
    Error::new(Kind::NotFound, "upload", id, "there is no such upload")
}

fn conflict(id: &str, why: impl Into<String>) -> Error {
    Error::new(Kind::Conflict, "upload", id, why)
}

impl UploadFiles {
    /// Those in this directory, which is made if it is not there. It must be on the file system of the shelf.
    ///
    /// # Errors
    /// It can't be made.
    pub fn new(root: PathBuf, shelf: Arc<dyn Shelf>) -> Result<Self> {
        make(&root)?;
        Ok(Self {
            root,
            shelf,
            hashers: Arc::default(),
        })
    }

    fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    fn owner(&self, id: &str) -> PathBuf {
        self.root.join(format!(".{id}"))
    }

    /// Opens one alone, with a hasher of all that it has. Whoever adds to it is about to end: waits a little for that.
    async fn open(&self, id: &str) -> Result<Open> {
        for _ in 0..ATTEMPTS {
            let (path, hashers) = (self.path(id), Arc::clone(&self.hashers));
            let id = id.to_owned();
            if let Some(open) = blocking(move || open_at(id, &path, hashers)).await? {
                return Ok(open);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(conflict(id, "somebody else adds to it"))
    }

    /// Writes and hashes one batch while the next comes. Gives what it has then.
    async fn add(&self, mut open: Open, mut pieces: Pieces) -> Result<u64> {
        let id = open.id.clone();
        let (mut batch, mut end) = gather(&mut pieces).await;
        loop {
            let writing = tokio::task::spawn_blocking(move || open.write(&batch));
            let next = match &end {
                None => Some(gather(&mut pieces).await),
                Some(_) => None,
            };
            open = written(writing, &id).await?;
            match (next, end) {
                (Some((more, last)), _) => (batch, end) = (more, last),
                (None, Some(Err(e))) => {
                    return Err(Error::caused(Kind::Unavailable, "upload", &id, e));
                }
                (None, _) => return Ok(open.size()),
            }
        }
    }
}

/// None while somebody else adds to it.
fn open_at(id: String, path: &Path, hashers: Arc<Hashers>) -> Result<Option<Open>> {
    let mut options = OpenOptions::new();
    let file = there(options.read(true).append(true).open(path)).map_err(system(&id))?;
    let mut file = file.ok_or_else(|| gone(&id))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(e)) => return Err(system(&id)(e)),
    }
    // Under the lock: a finished upload may have become a blob since.
    let same = there(fs::metadata(path)).map_err(system(&id))?;
    let metadata = file.metadata().map_err(system(&id))?;
    if !same.is_some_and(|same| is_same(&same, &metadata)) {
        return Err(gone(&id));
    }
    let known = hashers.all().remove(&id);
    let mut hashed = known
        .filter(|known| known.size <= metadata.len())
        .unwrap_or_default();
    hash_rest(&mut file, &mut hashed).map_err(system(&id))?;
    Ok(Some(Open {
        id,
        file,
        hashed: Some(hashed),
        hashers,
    }))
}

async fn written(job: JoinHandle<io::Result<Open>>, id: &str) -> Result<Open> {
    match job.await {
        Ok(written) => written.map_err(system(id)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::system("upload", id, error)),
        },
    }
}

impl Open {
    fn size(&self) -> u64 {
        self.hashed.as_ref().map_or(0, |hashed| hashed.size)
    }

    fn write(mut self, batch: &[Bytes]) -> io::Result<Self> {
        // After a short write nobody knows what is hashed: it is read again.
        let mut hashed = self.hashed.take().unwrap_or_default();
        for piece in batch {
            self.file.write_all(piece)?;
            hashed.hasher.update(piece);
            hashed.size += piece.len() as u64;
        }
        self.hashed = Some(hashed);
        Ok(self)
    }
}

/// Collects what comes, up to a batch; with the end, if it came.
async fn gather(pieces: &mut Pieces) -> (Vec<Bytes>, Option<io::Result<()>>) {
    let mut batch = Vec::new();
    let mut size = 0;
    while size < BATCH {
        match pieces.next().await {
            None => return (batch, Some(Ok(()))),
            Some(Err(e)) => return (batch, Some(Err(e))),
            Some(Ok(piece)) => {
                size += piece.len();
                batch.push(piece);
            }
        }
    }
    (batch, None)
}

fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Takes the bytes of a file that are not hashed yet: somebody was killed after writing them.
fn hash_rest(file: &mut File, hashed: &mut Hashed) -> io::Result<()> {
    if file.metadata()?.len() == hashed.size {
        return Ok(());
    }
    file.seek(SeekFrom::Start(hashed.size))?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        hashed.hasher.update(&buffer[..count]);
        hashed.size += count as u64;
    }
}

fn digest_of(file: &mut File, algorithm: Algorithm) -> io::Result<Digest> {
    let mut hashed = Hashed {
        hasher: Hasher::new(algorithm),
        size: 0,
    };
    hash_rest(file, &mut hashed)?;
    Ok(hashed.hasher.finish())
}

impl Uploads for UploadFiles {
    fn begin<'a>(&'a self, id: &'a str, owner: &'a str) -> Answer<'a, ()> {
        let (path, whose) = (self.path(id), self.owner(id));
        let (id, owner) = (id.to_owned(), owner.to_owned());
        Box::pin(blocking(move || {
            let create = |path: &Path| {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true).mode(0o600);
                options.open(path)
            };
            // The owner first: an upload that is there has one.
            create(&whose)
                .and_then(|mut file| file.write_all(owner.as_bytes()))
                .and_then(|()| create(&path).map(drop))
                .map_err(system(&id))
        }))
    }

    fn look<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Upload>> {
        let (path, whose, id) = (self.path(id), self.owner(id), id.to_owned());
        Box::pin(blocking(move || {
            let Some(metadata) = there(fs::metadata(path)).map_err(system(&id))? else {
                return Ok(None);
            };
            let owner = there(fs::read_to_string(whose)).map_err(system(&id))?;
            Ok(owner.map(|owner| Upload {
                owner,
                size: metadata.len(),
                touched: touched(&metadata),
            }))
        }))
    }

    fn append<'a>(&'a self, id: &'a str, at: u64, pieces: Pieces) -> Answer<'a, u64> {
        Box::pin(async move {
            let open = self.open(id).await?;
            match open.size() {
                size if size == at => self.add(open, pieces).await,
                size => Err(conflict(id, format!("it has {size} bytes, not {at}"))),
            }
        })
    }

    fn finish<'a>(&'a self, id: &'a str, digest: &'a Digest) -> Answer<'a, u64> {
        Box::pin(async move {
            let mut open = self.open(id).await?;
            let shelf = Arc::clone(&self.shelf);
            let (path, whose) = (self.path(id), self.owner(id));
            let (id, digest) = (id.to_owned(), *digest);
            blocking(move || {
                let hashed = open.hashed.take().unwrap_or_default();
                let found = match digest.algorithm() {
                    Algorithm::Sha256 => hashed.hasher.finish(),
                    other => digest_of(&mut open.file, other).map_err(system(&id))?,
                };
                if found != digest {
                    let why = format!("its content has the digest {found}");
                    return Err(Error::new(Kind::Invalid, "finish upload", digest, why));
                }
                shelf.keep(&open.file, &path, &digest, hashed.size)?;
                there(fs::remove_file(whose)).map_err(system(&id))?;
                Ok(hashed.size)
            })
            .await
        })
    }

    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        self.hashers.all().remove(id);
        let (path, whose, id) = (self.path(id), self.owner(id), id.to_owned());
        Box::pin(blocking(move || {
            let gone = there(fs::remove_file(path)).map_err(system(&id))?;
            there(fs::remove_file(whose)).map_err(system(&id))?;
            Ok(gone.is_some())
        }))
    }

    fn list(&self) -> Answer<'_, Vec<String>> {
        let (root, hashers) = (self.root.clone(), Arc::clone(&self.hashers));
        Box::pin(blocking(move || {
            let names = names(&root)?;
            let there: HashSet<&String> = names.iter().collect();
            hashers.all().retain(|id, _| there.contains(id));
            Ok(names)
        }))
    }
}
