//! What a server does by itself, from time to time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Damaged, Retention, Server};

/// When to do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Dropping uploads that have lain for too long; none for never.
    pub expire: Option<Duration>,
    /// Taking away what nobody needs; none for never.
    pub collect: Option<Duration>,
    /// What of it is kept.
    pub retention: Retention,
    /// Comparing blobs with their digests; none for never.
    pub scrub: Option<Duration>,
    /// What to do with those that do not have theirs.
    pub damaged: Damaged,
}

impl Default for Schedule {
    fn default() -> Self {
        let hour = Duration::from_secs(60 * 60);
        Self {
            expire: Some(hour),
            collect: Some(hour),
            retention: Retention::default(),
            scrub: Some(hour * 24 * 7),
            damaged: Damaged::Remove,
        }
    }
}

/// Something that comes again and again.
struct Due {
    every: Option<Duration>,
    at: Instant,
}

impl Due {
    fn new(every: Option<Duration>) -> Self {
        let at = Instant::now() + every.unwrap_or_default();
        Self { every, at }
    }

    async fn comes(&self) {
        match self.every {
            Some(_) => sleep_until(self.at).await,
            None => std::future::pending().await,
        }
    }

    /// After it was done, however long that took.
    fn again(&mut self) {
        *self = Self::new(self.every);
    }
}

impl Server {
    /// Keeps the storage in order for as long as it is polled. What fails is told, and tried again when it is due again.
    pub async fn maintain(&self, schedule: Schedule) {
        let mut expire = Due::new(schedule.expire);
        let mut collect = Due::new(schedule.collect);
        let mut scrub = Due::new(schedule.scrub);
        loop {
            let done = tokio::select! {
                () = expire.comes() => {
                    let done = self.expire().await.map(drop);
                    expire.again();
                    done
                }
                () = collect.comes() => {
                    let done = self.collect(schedule.retention).await.map(drop);
                    collect.again();
                    done
                }
                () = scrub.comes() => {
                    let done = self.scrub(schedule.damaged).await.map(drop);
                    scrub.again();
                    done
                }
            };
            if let Err(error) = done {
                self.complain(&error);
            }
        }
    }
}
