//! What a pull tells while it goes on.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use spec::{BlobDigest, Digest};
use tokio::sync::mpsc::Sender;

use crate::open::lock;

/// How often it is told how far a layer is.
const OFTEN: Duration = Duration::from_millis(100);

/// Something that a pull has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullNews {
    /// The registry has it: what comes is known from here on.
    Found {
        /// The repository in its registry: `library/busybox`.
        repository: String,
        /// The tag or digest.
        name: String,
    },
    /// A layer.
    Layer(BlobDigest, LayerNews),
    /// All of it is there.
    Done {
        /// The digest of what the reference leads to.
        digest: Digest,
        /// What was pulled, as people write it.
        reference: String,
        /// Whether it was not there before.
        newer: bool,
    },
}

/// What a layer has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerNews {
    /// The store has it.
    Exists,
    /// It is wanted.
    Wanted,
    /// It waits for its turn, or for another who gets it.
    Waiting,
    /// So much of it has come.
    Downloading(Amount),
    /// Its digest is being compared.
    Verifying,
    /// All of it has come.
    Downloaded,
    /// It is being written down.
    Extracting(Amount),
    /// It is in the store.
    Complete,
}

/// How much of how much, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// So much.
    pub current: u64,
    /// In all.
    pub total: u64,
}

/// Tells news of one layer. What is only an amount may be left out, what is a change may not.
#[derive(Debug)]
pub(super) struct Teller {
    digest: BlobDigest,
    news: Sender<PullNews>,
    last: Mutex<Option<Instant>>,
}

impl Teller {
    pub(super) fn new(digest: BlobDigest, news: &Sender<PullNews>) -> Self {
        Self {
            digest,
            news: news.clone(),
            last: Mutex::new(None),
        }
    }

    pub(super) async fn tell(&self, what: LayerNews) {
        // Nobody to hear it: the pull is ended by whoever waits for it.
        drop(self.news.send(PullNews::Layer(self.digest, what)).await);
    }

    /// Tells an amount, unless one was told just now or the last ones are not heard yet.
    pub(super) fn amount(&self, amount: Amount) {
        let mut last = lock(&self.last);
        if last.is_none_or(|at| at.elapsed() >= OFTEN) {
            *last = Some(Instant::now());
            let what = LayerNews::Downloading(amount);
            drop(self.news.try_send(PullNews::Layer(self.digest, what)));
        }
    }
}
