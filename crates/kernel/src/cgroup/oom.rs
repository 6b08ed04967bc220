//! Being told when a group runs out of memory.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::group::value_of;
use super::{Cgroup, Controller, Version};
use crate::error::At;
use crate::{Error, PidFd, Result};

/// Tells when a group runs out of memory.
#[derive(Debug)]
pub struct OomWatch {
    /// The file that counts.
    counter: File,
    /// Version 1 tells through this; version 2 by an exceptional condition of the counter.
    event: Option<OwnedFd>,
    seen: u64,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The group ran out of memory.
    Oom,
    /// The process ended.
    Ended,
    /// The time passed.
    Late,
}

impl Cgroup {
    /// Begins to watch for want of memory.
    ///
    /// # Errors
    /// The group has no memory controller, or the kernel refused.
    pub fn watch_oom(&self) -> Result<OomWatch> {
        const OP: &str = "watch memory of cgroup";
        let place = self.place_of(Controller::Memory).ok_or_else(|| {
            Error::unsupported(OP, self.path(), "the group has no memory controller")
        })?;
        let name = match place.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&place.dir, name, flags, Mode::empty()).at(OP, self.path())?;
        let mut watch = OomWatch {
            counter: File::from(file),
            event: None,
            seen: 0,
        };
        if place.version == Version::V1 {
            let event =
                eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).at(OP, self.path())?;
            let request = format!("{} {}", event.as_raw_fd(), watch.counter.as_raw_fd());
            place.write("cgroup.event_control", &request)?;
            watch.event = Some(event);
        }
        watch.seen = watch.count()?.unwrap_or(0);
        Ok(watch)
    }
}

impl OomWatch {
    /// Waits until the group runs out of memory or `process` ends, at most `timeout`.
    ///
    /// # Errors
    /// poll(2) failed, or the counter can't be read.
    pub fn wait(&mut self, process: &PidFd, timeout: Duration) -> Result<Woken> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::from(i32::MAX),
                tv_nsec: 0,
            });
            let told = match &self.event {
                Some(event) => PollFd::new(event, PollFlags::IN),
                None => PollFd::new(&self.counter, PollFlags::PRI),
            };
            let mut fds = [
                told,
                PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Ok(Woken::Late),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).at("wait for", "want of memory"),
            }
            let (told, ended) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
            if told && self.is_news()? {
                return Ok(Woken::Oom);
            }
            if ended {
                return Ok(Woken::Ended);
            }
        }
    }

    /// Whether what was told is want of memory: the end of the group and other counts are told in the same way.
    fn is_news(&mut self) -> Result<bool> {
        if let Some(event) = &self.event {
            match rustix::io::read(event, &mut [0; 8]) {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error).at("wait for", "want of memory"),
            }
        }
        let Some(count) = self.count()? else {
            return Ok(false);
        };
        // Version 1 tells of want of memory also where nobody is killed for it.
        let news = self.event.is_some() || count > self.seen;
        self.seen = count;
        Ok(news)
    }

    /// How often it happened; `None` if the group is gone.
    fn count(&mut self) -> Result<Option<u64>> {
        let mut text = String::new();
        let read = self
            .counter
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.counter.read_to_string(&mut text));
        match read {
            Ok(_) => Ok(Some(value_of(&text, "oom_kill").unwrap_or(0))),
            Err(error)
                if error.raw_os_error() == Some(Errno::NODEV.raw_os_error())
                    || error.kind() == ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error).at("read", "events of memory"),
        }
    }
}
