//! Events, one after the other.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use jiff::Timestamp;
use protocol::EventReader;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Event, EventFilters, EventRequest};
use crate::error::Result;
use crate::open::Inner;
use crate::readiness;

/// How often is looked where the kernel can't tell (it has 128 watchers for each user).
const POLL: Duration = Duration::from_millis(100);
/// A watcher's queue may overflow; then this is the longest that an event is late.
const DOUBT: Duration = Duration::from_secs(5);

/// Events, oldest first.
#[derive(Debug)]
pub struct Events {
    reader: EventReader,
    watcher: Option<AsyncFd<OwnedFd>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    filters: EventFilters,
    /// Whether the time is over: what is written down by then is still told.
    over: bool,
}

impl Events {
    pub(super) fn begin(inner: &Inner, request: EventRequest) -> Result<Self> {
        let log = inner.events()?;
        let mut reader = log.reader()?;
        let past = request.until.is_some_and(|until| until <= inner.now());
        // First watch, then read: what happens between the two wakes us.
        let watcher = if past { None } else { watch(log) };
        if request.since.is_none() && !past {
            reader.skip_all()?;
        }
        Ok(Self {
            reader,
            watcher,
            since: request.since,
            until: request.until,
            filters: request.filters,
            over: false,
        })
    }

    /// The next event; none when the time is over. May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            match self.ready() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) if self.over => return None,
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            match self.left() {
                Some(Duration::ZERO) => self.over = true,
                left => {
                    self.changed(left.map_or(DOUBT, |left| left.min(DOUBT)))
                        .await
                }
            }
        }
    }

    /// The next event that is written down already.
    fn ready(&mut self) -> Result<Option<Event>> {
        while let Some(event) = self.reader.next_event()? {
            let event = Event::from(event);
            let early = self.since.is_some_and(|since| event.time < since);
            let late = self.until.is_some_and(|until| event.time > until);
            if !early && !late && self.filters.admit(&event) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// How long events are still wanted; none for ever.
    fn left(&self) -> Option<Duration> {
        let until = self.until?;
        let left = until.duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }

    /// Waits until something may have been written, at most so long.
    async fn changed(&mut self, most: Duration) {
        let Some(watcher) = &self.watcher else {
            return tokio::time::sleep(most.min(POLL)).await;
        };
        if let Ok(Ok(mut ready)) = tokio::time::timeout(most, watcher.readable()).await {
            drain(watcher.get_ref());
            ready.clear_ready();
        }
    }
}

fn watch(log: &protocol::EventLog) -> Option<AsyncFd<OwnedFd>> {
    let watcher = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let path = format!("/proc/self/fd/{}", fd_number(log));
    let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_FROM;
    inotify::add_watch(&watcher, path, flags).ok()?;
    readiness::watch(watcher, Interest::READABLE).ok()
}

fn fd_number(log: &protocol::EventLog) -> i32 {
    use std::os::fd::AsRawFd as _;
    log.as_fd().as_raw_fd()
}

/// What changed is of no interest, only that something did.
fn drain(watcher: &OwnedFd) {
    let mut scrap = [0; 4096];
    while matches!(rustix::io::read(watcher, &mut scrap), Ok(1..)) {}
}
