//! Attaching to a container's streams. The log is the buffer: whoever attaches before a start begins where the log ends now, and
//! is served by the start itself, so that nothing is lost of the briefest life.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::log::{Position, Reader, Segments};
use protocol::{From, Phase, Reply, Request};
use spec::ContainerId;
use state::ContainerRow;
use tokio::sync::oneshot;

use super::lookup;
use super::stored::Stored;
use super::{AttachRequest, Attached};
use crate::error::{Error, Result};
use crate::event::Happened;
use crate::launch::open_dir;
use crate::link;
use crate::log::{Live, Records, Source};
use crate::open::{Engine, Inner, lock};
use crate::stdin::{Pipe, StdinWriter};
use crate::truth::{self, Now};

/// How often is looked for a start by another process.
const POLL: Duration = Duration::from_millis(10);

/// Somebody who attached to what has not been started yet. Whoever takes the wish serves it: the start in this process, or
/// the waiter itself that sees another's.
#[derive(Debug, Clone)]
pub(crate) struct PendingAttach(Arc<Mutex<Option<Wish>>>);

#[derive(Debug)]
struct Wish {
    from: From,
    output: oneshot::Sender<Source>,
    input: Option<oneshot::Sender<Option<Pipe>>>,
}

/// A source that will be there when the container is started.
#[derive(Debug)]
pub(crate) struct Waiting {
    engine: Engine,
    row: ContainerRow,
    pending: PendingAttach,
    receiver: oneshot::Receiver<Source>,
}

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Started,
    Failed,
}

pub(super) fn attach(engine: &Engine, name: &str, request: AttachRequest) -> Result<Attached> {
    let inner = &*engine.0;
    let row = lookup::find(inner, name)?;
    inner.record(Happened::to_container(&row, "attach"));
    let stored = Stored::parse(&row.id, &row.config)?;
    let stdin = request.stdin && stored.config.open_stdin;
    let now = truth::look(inner, &row)?;
    let (source, stdin) = if !request.stream {
        let log = request.logs.then(|| file(inner, &row.id, None));
        (log.transpose()?.unwrap_or(Source::Ended), None)
    } else if let Now::Running(alive) = &now
        && matches!(alive.condition.phase, Phase::Restarting(_))
    {
        return Err(super::pause::restarting(&row));
    } else if now.is_alive() {
        let from = if request.logs { From::Start } else { From::Now };
        match open(inner, &row.id, from, stdin)? {
            Some(streams) => streams,
            None => (Source::Ended, None),
        }
    } else {
        let from = match request.logs {
            true => From::Start,
            false => end_of_log(inner, &row.id)?.map_or(From::Start, From::Position),
        };
        let (source, stdin) = wait(engine, &row, from, stdin);
        return Ok(attached(&row, &stored, source, stdin, &request));
    };
    let stdin = stdin.map(StdinWriter::open);
    Ok(attached(&row, &stored, source, stdin, &request))
}

fn attached(
    row: &ContainerRow,
    stored: &Stored,
    source: Source,
    stdin: Option<StdinWriter>,
    request: &AttachRequest,
) -> Attached {
    Attached {
        id: row.id,
        tty: stored.config.tty,
        output: Records::chunks(source, request.stdout, request.stderr),
        stdin,
    }
}

/// The streams of a running container; none if it has ended.
fn open(
    inner: &Inner,
    id: &ContainerId,
    from: From,
    stdin: bool,
) -> Result<Option<(Source, Option<Pipe>)>> {
    let Some(mut connection) = link::connect(inner, id)? else {
        return Ok(None);
    };
    let fds = match connection.call(&Request::Attach { from, stdin }, &[]) {
        Ok((Reply::Attached { .. }, fds)) => fds,
        Ok(_) => return Ok(None),
        Err(e) => return link::closed(e),
    };
    let (read, write) = link::stream(connection.into_stream())?.into_split();
    let live = Source::Live(Live::new(read));
    match fds.into_iter().next() {
        Some(fd) => Ok(Some((live, Some(Pipe::new(fd, Some(write))?)))),
        None => {
            // Dropped, it would say that there is no more input.
            write.forget();
            Ok(Some((live, None)))
        }
    }
}

/// What a running container writes from here on; none if it has ended.
pub(crate) fn follow(inner: &Inner, id: &ContainerId, from: From) -> Result<Option<Source>> {
    Ok(open(inner, id, from, false)?.map(|(source, _)| source))
}

/// What is in the log from a place on.
fn file(inner: &Inner, id: &ContainerId, from: Option<Position>) -> Result<Source> {
    let directory = inner.container_dir(id);
    if !directory.join("log").exists() {
        return Ok(Source::Ended);
    }
    let mut reader = Reader::open(open_dir(&directory)?, from)?;
    reader.pin()?;
    Ok(Source::File(Box::new(reader)))
}

/// Where the next record will be written; none without a log.
fn end_of_log(inner: &Inner, id: &ContainerId) -> Result<Option<Position>> {
    let directory = inner.container_dir(id);
    if !directory.join("log").exists() {
        return Ok(None);
    }
    let segments = Segments::open(open_dir(&directory)?)?;
    let Some(segment) = segments.list()?.last().copied() else {
        return Ok(None);
    };
    let Some(file) = segments.read(segment)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(file.as_fd())
        .map_err(|e| Error::internal("look at the log", std::io::Error::from(e)))?;
    Ok(Some(Position {
        segment,
        offset: stat.st_size.unsigned_abs(),
    }))
}

fn wait(
    engine: &Engine,
    row: &ContainerRow,
    from: From,
    stdin: bool,
) -> (Source, Option<StdinWriter>) {
    let (output, receiver) = oneshot::channel();
    let (input, writer) = if stdin {
        let (sender, receiver) = oneshot::channel();
        (Some(sender), Some(StdinWriter::waiting(receiver)))
    } else {
        (None, None)
    };
    let pending = PendingAttach(Arc::new(Mutex::new(Some(Wish {
        from,
        output,
        input,
    }))));
    lock(&engine.0.pending)
        .entry(row.id)
        .or_default()
        .push(pending.clone());
    let waiting = Waiting {
        engine: engine.clone(),
        row: row.clone(),
        pending,
        receiver,
    };
    (Source::Waiting(Box::new(waiting)), writer)
}

/// Serves all who wait for this start. The caller holds the container's lock, so that its log is still there.
pub(crate) fn serve_pending(inner: &Inner, id: &ContainerId, outcome: Outcome) {
    let all = lock(&inner.pending).remove(id).unwrap_or_default();
    for pending in all {
        if let Some(wish) = pending.take() {
            wish.serve(inner, id, outcome);
        }
    }
}

impl PendingAttach {
    fn take(&self) -> Option<Wish> {
        lock(&self.0).take()
    }
}

impl Wish {
    fn serve(self, inner: &Inner, id: &ContainerId, outcome: Outcome) {
        let stdin = self.input.is_some();
        let streams = match outcome {
            Outcome::Failed => Ok((Source::Ended, None)),
            Outcome::Started => self.open(inner, id, stdin),
        };
        // What can't be opened ends: the wait beside it says how the container did.
        let (source, pipe) = streams.unwrap_or((Source::Ended, None));
        if let Some(input) = self.input {
            drop(input.send(pipe));
        }
        drop(self.output.send(source));
    }

    fn open(&self, inner: &Inner, id: &ContainerId, stdin: bool) -> Result<(Source, Option<Pipe>)> {
        if let Some(streams) = open(inner, id, self.from, stdin)? {
            return Ok(streams);
        }
        // It has ended already.
        let from = match self.from {
            From::Position(position) => Some(position),
            From::Start | From::Now => None,
        };
        Ok((file(inner, id, from)?, None))
    }
}

impl Waiting {
    /// The source, once the container was started.
    pub(crate) async fn source(&mut self) -> Result<Source> {
        loop {
            match tokio::time::timeout(POLL, &mut self.receiver).await {
                Ok(Ok(source)) => return Ok(source),
                Ok(Err(_)) => return Ok(Source::Ended),
                Err(_) => self.look().await?,
            }
        }
    }

    /// Looks whether another process started the container, or removed it.
    async fn look(&self) -> Result<()> {
        let (row, pending) = (self.row.clone(), self.pending.clone());
        self.engine
            .step(move |engine| {
                let inner = &*engine.0;
                let outcome = match truth::look(inner, &row)? {
                    Now::Running(_) => Outcome::Started,
                    Now::Gone => Outcome::Failed,
                    Now::Starting => return Ok(()),
                    Now::Stopped(_) if inner.db.read(|tx| tx.container(&row.id))?.is_none() => {
                        Outcome::Failed
                    }
                    Now::Stopped(_) => return Ok(()),
                };
                if let Some(wish) = pending.take() {
                    wish.serve(inner, &row.id, outcome);
                }
                Ok(())
            })
            .await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = lock(&self.engine.0.pending);
        if let Some(waiting) = all.get_mut(&self.row.id) {
            waiting.retain(|other| !Arc::ptr_eq(&other.0, &self.pending.0));
            if waiting.is_empty() {
                all.remove(&self.row.id);
            }
        }
    }
}
