//! What an exec writes: its own pipes or its terminal, read by this process.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::log::{Record, Stream};
use crate::readiness;

/// How long output is read on when the program has ended and somebody else still holds the other end.
const LAST_WORDS: Duration = Duration::from_millis(500);
const CHUNK: usize = 32 * 1024;

/// The reading ends.
#[derive(Debug)]
pub(crate) struct ExecOutput {
    stdout: Option<AsyncFd<OwnedFd>>,
    stderr: Option<AsyncFd<OwnedFd>>,
    /// Whether the program has ended.
    ended: watch::Receiver<bool>,
}

impl ExecOutput {
    pub(crate) fn new(
        stdout: OwnedFd,
        stderr: Option<OwnedFd>,
        ended: watch::Receiver<bool>,
    ) -> Result<Self> {
        Ok(Self {
            stdout: Some(watch(stdout)?),
            stderr: stderr.map(watch).transpose()?,
            ended,
        })
    }

    /// The next piece; none when both have ended. May be cancelled.
    pub(crate) async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if self.stdout.is_none() && self.stderr.is_none() {
                // The end of the stream means the end of the program: whoever asks for its code then gets it.
                drop(self.ended.wait_for(|ended| *ended).await);
                return Ok(None);
            }
            let mut ended = self.ended.clone();
            let late = async {
                drop(ended.wait_for(|ended| *ended).await);
                tokio::time::sleep(LAST_WORDS).await;
            };
            let (stream, read) = tokio::select! {
                biased;
                read = read(self.stdout.as_ref()) => (Stream::Stdout, read),
                read = read(self.stderr.as_ref()) => (Stream::Stderr, read),
                () = late => {
                    self.stdout = None;
                    self.stderr = None;
                    continue;
                }
            };
            let bytes = read.map_err(|e| Error::internal("read the exec's output", e))?;
            if !bytes.is_empty() {
                return Ok(Some(Record {
                    stream,
                    time: jiff::Timestamp::now(),
                    bytes,
                }));
            }
            match stream {
                Stream::Stdout => self.stdout = None,
                Stream::Stderr => self.stderr = None,
            }
        }
    }
}

fn watch(fd: OwnedFd) -> Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)
        .map_err(io::Error::from)
        .and_then(|()| readiness::watch(fd, Interest::READABLE))
        .map_err(|e| Error::internal("use the exec's output", e))
}

/// The next bytes; empty at the end.
async fn read(fd: Option<&AsyncFd<OwnedFd>>) -> io::Result<Bytes> {
    let Some(fd) = fd else {
        return std::future::pending().await;
    };
    fd.async_io(Interest::READABLE, |fd| {
        let mut buffer = vec![0; CHUNK];
        match rustix::io::read(fd, &mut buffer) {
            Ok(count) => {
                buffer.truncate(count);
                Ok(Bytes::from(buffer))
            }
            // A terminal without a slave says so instead of an end.
            Err(rustix::io::Errno::IO) => Ok(Bytes::new()),
            Err(e) => Err(e.into()),
        }
    })
    .await
}
