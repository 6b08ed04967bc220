//! Passwords, as `htpasswd -B` keeps them.
//!
//! A wrong one costs as much as a right one and then some time; however many are tried, two threads at most compare them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use ring::hmac;
use tokio::sync::Semaphore;

use crate::error::{Error, Kind, Result};

/// Comparisons at a time, and those that may wait for their turn.
const THREADS: usize = 2;
const WAITING: usize = 64;
/// How long a comparison that succeeded needs no other, and how many of them are remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
const MOST: usize = 1024;
/// How long whoever is wrong waits.
const PENALTY: Duration = Duration::from_millis(300);
/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// bcrypt looks at no more bytes than this.
const LONGEST: usize = 72;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
    /// Too many are being compared.
    Busy,
}

/// A file of users.
#[derive(Debug)]
pub(crate) struct Passwords {
    path: PathBuf,
    file: RwLock<File>,
    turns: Arc<Semaphore>,
    /// Those that may be compared or wait for it.
    places: Semaphore,
    key: hmac::Key,
    right: Mutex<HashMap<[u8; 32], Instant>>,
}

#[derive(Debug)]
struct File {
    hashes: HashMap<String, String>,
    /// What it was when it was read.
    stamp: Option<(SystemTime, u64)>,
    looked: Instant,
}

impl Passwords {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let file = File::read(&path)?;
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| {
            Error::new(Kind::System, "get", "random bytes", "the system gives none")
        })?;
        Ok(Self {
            path,
            file: RwLock::new(file),
            turns: Arc::new(Semaphore::new(THREADS)),
            places: Semaphore::new(WAITING),
            key,
            right: Mutex::default(),
        })
    }

    /// Compares what a client says with what is known. `complain` hears what is wrong with the file.
    pub(crate) async fn check(
        &self,
        user: &str,
        password: &str,
        complain: &(dyn Fn(&Error) + Send + Sync),
    ) -> Verdict {
        self.refresh(complain);
        let known = {
            let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
            file.hashes.get(user).cloned()
        };
        let proof = self.proof(user, password, known.as_deref().unwrap_or_default());
        if known.is_some() && self.is_remembered(&proof) {
            return Verdict::Right;
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Verdict::Busy;
        };
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return Verdict::Busy;
        };
        let password = password.to_owned();
        let is_known = known.is_some();
        let compared = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let hash = known.unwrap_or_else(|| nobody().to_owned());
            // More than bcrypt looks at is never the password.
            password.len() <= LONGEST && bcrypt::verify(&password, &hash).unwrap_or(false)
        });
        if compared.await.unwrap_or(false) && is_known {
            self.remember(proof);
            return Verdict::Right;
        }
        tokio::time::sleep(PENALTY).await;
        Verdict::Wrong
    }

    /// Whether there is such a user, still.
    pub(crate) fn knows(&self, user: &str, complain: &(dyn Fn(&Error) + Send + Sync)) -> bool {
        self.refresh(complain);
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        file.hashes.contains_key(user)
    }

    /// What is remembered tells nothing to whoever reads the memory.
    fn proof(&self, user: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user, password, hash] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut proof = [0; 32];
        proof.copy_from_slice(context.sign().as_ref());
        proof
    }

    fn is_remembered(&self, proof: &[u8; 32]) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(proof).is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn remember(&self, proof: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= MOST {
            right.clear();
        }
        right.insert(proof, Instant::now());
    }

    /// Reads the file again if it has changed. One that makes no sense is told, and the last that did stays.
    fn refresh(&self, complain: &(dyn Fn(&Error) + Send + Sync)) {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if file.looked.elapsed() < LOOK {
            return;
        }
        file.looked = Instant::now();
        let stamp = stamp(&self.path);
        if stamp == file.stamp {
            return;
        }
        match File::read(&self.path) {
            Ok(new) => *file = new,
            Err(error) => {
                file.stamp = stamp;
                complain(&error);
            }
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let stamp = stamp(path);
        let text =
            fs::read_to_string(path).map_err(|e| Error::system("read users", path.display(), e))?;
        let mut hashes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| {
                let why = format!("line {}: {why}", number + 1);
                Err(Error::new(Kind::System, "read users", path.display(), why))
            };
            let Some((user, hash)) = line.split_once(':') else {
                return wrong("expected user:password".to_owned());
            };
            if !["$2a$", "$2b$", "$2y$"]
                .iter()
                .any(|start| hash.starts_with(start))
            {
                return wrong(format!(
                    "the password of {user} is not hashed by bcrypt: make it with 'htpasswd -B'"
                ));
            }
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        Ok(Self {
            hashes,
            stamp,
            looked: Instant::now(),
        })
    }
}

/// The hash of no password: what an unknown user costs.
fn nobody() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| bcrypt::hash("", bcrypt::DEFAULT_COST).unwrap_or_default())
}
