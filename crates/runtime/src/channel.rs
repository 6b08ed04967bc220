//! What a container's first process and its parent say to each other, one message a packet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::Pid;
use kernel::socket::{recv_with_fds, send_with_fds};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::{Error, Report, Result};

/// More than any message has: a report is cut to fit.
const LIMIT: usize = 8192;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What the child says.
#[derive(Debug)]
pub(crate) enum News {
    /// All is made; it waits for its start. With the terminal's master if it has one.
    Ready(Option<OwnedFd>),
    /// The process that was forked into the container, and its descriptor.
    Forked(Pid, OwnedFd),
    /// It waits for the hooks that run outside ([`Word::Go`]).
    Hooks,
    /// Its user namespace has no maps yet; it waits ([`Word::Go`]).
    Unmapped,
    /// Its filter of system calls is loaded, and this is the number of its listener; it waits ([`Word::Go`]).
    Listener(i32),
    /// It failed, and is gone.
    Failed(Error),
    /// The other end is closed: by execve(2), or by the end of the process.
    Closed,
}

/// What the parent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Word {
    /// The container is started.
    Start = b'S',
    /// What was asked for is done.
    Go = b'G',
}

const READY: u8 = b'R';
const FORKED: u8 = b'F';
const FAILED: u8 = b'E';
const HOOKS: u8 = b'H';
const LISTENER: u8 = b'L';
const PLACE: u8 = b'P';
const UNMAPPED: u8 = b'U';

pub(crate) fn pair() -> Result<(Channel, Channel)> {
    let (a, b) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(Error::at("make", "socket pair"))?;
    Ok((Channel(a), Channel(b)))
}

impl Channel {
    pub(crate) fn try_clone(&self) -> Result<Self> {
        Ok(Self(
            self.0
                .try_clone()
                .map_err(Error::at("duplicate", "socket"))?,
        ))
    }

    pub(crate) fn send_ready(&self, console: Option<BorrowedFd<'_>>) -> Result<()> {
        let fds: Vec<BorrowedFd<'_>> = console.into_iter().collect();
        send_with_fds(&self.0, &[READY], &fds)?;
        Ok(())
    }

    pub(crate) fn send_forked(&self, pid: Pid, pidfd: BorrowedFd<'_>) -> Result<()> {
        let mut bytes = vec![FORKED];
        bytes.extend(pid.as_raw_nonzero().get().to_ne_bytes());
        send_with_fds(&self.0, &bytes, &[pidfd])?;
        Ok(())
    }

    pub(crate) fn send_hooks(&self) -> Result<()> {
        send_with_fds(&self.0, &[HOOKS], &[])?;
        Ok(())
    }

    pub(crate) fn send_unmapped(&self) -> Result<()> {
        send_with_fds(&self.0, &[UNMAPPED], &[])?;
        Ok(())
    }

    /// Tells the number of the listener. write(2), as a filter of system calls is in force.
    pub(crate) fn send_listener(&self, number: i32) -> Result<()> {
        let mut bytes = vec![LISTENER];
        bytes.extend(number.to_ne_bytes());
        rustix::io::write(&self.0, &bytes).map_err(Error::at("tell of", "seccomp listener"))?;
        Ok(())
    }

    /// Tells of `error` as well as it can: there is nobody else to tell.
    pub(crate) fn send_failure(&self, error: &Error) {
        let mut bytes = vec![FAILED];
        bytes.extend(report(error));
        // write(2), not sendmsg(2): a filter of system calls may already be in force, and every filter allows it.
        rustix::io::write(&self.0, &bytes).unwrap_or_default();
    }

    pub(crate) fn receive_news(&self) -> Result<News> {
        let mut buffer = vec![0; LIMIT];
        let (length, mut fds) = match recv_with_fds(&self.0, &mut buffer) {
            // The other end closed with a message unread. That is told once, before what it had said.
            Err(e) if e.errno() == Errno::CONNRESET => recv_with_fds(&self.0, &mut buffer)?,
            other => other?,
        };
        let bytes = &buffer[..length];
        Ok(match bytes.split_first() {
            None => News::Closed,
            Some((&READY, _)) => News::Ready(fds.pop()),
            Some((&FORKED, pid)) => {
                let pid = pid
                    .try_into()
                    .ok()
                    .map(i32::from_ne_bytes)
                    .and_then(Pid::from_raw);
                match (pid, fds.pop()) {
                    (Some(pid), Some(pidfd)) => News::Forked(pid, pidfd),
                    _ => return Err(garbled()),
                }
            }
            Some((&HOOKS, _)) => News::Hooks,
            Some((&UNMAPPED, _)) => News::Unmapped,
            Some((&LISTENER, number)) => {
                let number = number.try_into().map_err(|_| garbled())?;
                News::Listener(i32::from_ne_bytes(number))
            }
            Some((&FAILED, text)) => News::Failed(failure(text).ok_or_else(garbled)?),
            Some(_) => return Err(garbled()),
        })
    }

    /// Gives the child the files through which it enters its cgroups.
    pub(crate) fn send_place(&self, files: &[BorrowedFd<'_>]) -> Result<()> {
        send_with_fds(&self.0, &[PLACE], files)?;
        Ok(())
    }

    pub(crate) fn receive_place(&self) -> Result<Vec<OwnedFd>> {
        let mut buffer = [0];
        let (_, fds) = recv_with_fds(&self.0, &mut buffer)?;
        if buffer == [PLACE] {
            Ok(fds)
        } else {
            Err(abandoned())
        }
    }

    pub(crate) fn say(&self, word: Word) -> Result<()> {
        send_with_fds(&self.0, &[word as u8], &[])?;
        Ok(())
    }

    /// Waits for `word`. An end of the parent is an error: nobody is there to be a parent of. read(2), as a filter of system calls may be in force.
    pub(crate) fn wait_for(&self, word: Word) -> Result<()> {
        let mut buffer = [0];
        rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut buffer))
            .map_err(Error::at("wait for", "the runtime"))?;
        if buffer == [word as u8] {
            Ok(())
        } else {
            Err(abandoned())
        }
    }

    /// Whether the other end is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok()
            && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `error` as bytes that [`failure`] reads.
pub(crate) fn report(error: &Error) -> Vec<u8> {
    let mut report = Report::from(error);
    report.limit(LIMIT / 8);
    serde_json::to_vec(&report).unwrap_or_default()
}

pub(crate) fn failure(bytes: &[u8]) -> Option<Error> {
    serde_json::from_slice::<Report>(bytes)
        .ok()
        .map(Error::from)
}

fn garbled() -> Error {
    Error::io(
        "read message of",
        "the container's first process",
        Errno::PROTO,
    )
}

fn abandoned() -> Error {
    Error::io("wait for", "the runtime", Errno::PIPE)
}
