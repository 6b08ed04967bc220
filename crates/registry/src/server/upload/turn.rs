//! One request at a time adds to an upload: the last that came. The one before may be of a connection that is dead without this side
//! knowing it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Whose turn it is.
#[derive(Debug, Default, Clone)]
pub(in crate::server) struct Turns(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    current: Mutex<HashMap<String, (u64, watch::Sender<bool>)>>,
}

/// A turn; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    id: String,
    number: u64,
    ended: watch::Receiver<bool>,
}

impl Turns {
    /// Takes the turn, from whoever has it.
    pub(super) fn take(&self, id: &str) -> Turn {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, ended) = watch::channel(false);
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before)) = current.insert(id.to_owned(), (number, sender)) {
            before.send_replace(true);
        }
        Turn {
            turns: self.clone(),
            id: id.to_owned(),
            number,
            ended,
        }
    }

    /// Takes the turn from whoever has it.
    pub(super) fn interrupt(&self, id: &str) {
        let current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = current.get(id) {
            sender.send_replace(true);
        }
    }
}

impl Turn {
    /// Comes when somebody else takes it.
    pub(super) async fn taken(&mut self) {
        if self.ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let current = &self.turns.0.current;
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if current
            .get(&self.id)
            .is_some_and(|(n, _)| *n == self.number)
        {
            current.remove(&self.id);
        }
    }
}
