//! A container's or exec's streams, joined to this process's own.
//!
//! The engine's side is any reader and writer; the user's side is standard input, output and error, a terminal if
//! there is one, and signals.

use crate::error::{Error, Result};
use crate::flag::DetachKeys;
use crate::output;
use crate::signals::{self, Signals};
use crate::terminal::{self, Raw};
use api::stdcopy::{Decoder, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is moved at once: a pipe's capacity.
const CHUNK: usize = 64 << 10;

/// Which of this process's streams take part.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    /// A terminal's bytes come as they are, others in frames.
    pub(crate) tty: bool,
    /// The keys that leave a terminal.
    pub(crate) keys: DetachKeys,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The other side closed its output.
    Closed,
    /// The user typed the detach keys.
    Detached,
    /// A signal asked this process to end, not the container; with this exit code.
    Signalled(u8),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer<'a> {
    Container(&'a str),
    Exec(&'a str),
}

/// What is done with signals to this process when there is no terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// The container gets them.
    Yes,
    /// They have their usual effect.
    No,
}

/// A session made ready: signals are caught and the terminal is raw from now on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    client: &'a client::Client,
    wanted: Wanted,
    signals: Signals,
    terminal: Option<Raw>,
}

impl<'a> Session<'a> {
    pub(crate) fn prepare(
        client: &'a client::Client,
        wanted: Wanted,
        proxy: Proxy,
    ) -> Result<Self> {
        let terminal = if wanted.tty && wanted.stdin {
            Raw::enter()?
        } else {
            None
        };
        let signals = match proxy {
            _ if wanted.tty => Signals::for_terminal()?,
            Proxy::Yes => Signals::for_container()?,
            Proxy::No => Signals::none(),
        };
        Ok(Self {
            client,
            wanted,
            signals,
            terminal,
        })
    }

    /// Joins the streams until one side ends it.
    pub(crate) async fn hold(self, peer: Peer<'_>, streams: client::Hijacked) -> Result<Ended> {
        let Self {
            client,
            wanted,
            mut signals,
            terminal,
        } = self;
        let tty = wanted.tty;
        let joined = join(streams.reader, streams.writer, wanted);
        let handled = async {
            if tty {
                resize(client, peer).await;
            }
            loop {
                let came = signals.next().await;
                match peer {
                    _ if came == signals::WINCH => resize(client, peer).await,
                    Peer::Container(id) if !tty => {
                        // It may have ended meanwhile.
                        drop(client.containers().kill(id, Some(came.name)).await);
                    }
                    Peer::Container(_) | Peer::Exec(_) => return came.exit_code(),
                }
            }
        };
        let ended = tokio::select! {
            biased;
            ended = joined => ended,
            code = handled => Ok(Ended::Signalled(code)),
        };
        drop(terminal);
        if matches!(ended, Ok(Ended::Detached)) {
            output::say("read escape sequence");
        }
        ended
    }
}

/// Gives the other end the size of this terminal.
async fn resize(client: &client::Client, peer: Peer<'_>) {
    let Some((rows, columns)) = terminal::size() else {
        return;
    };
    // It may have ended meanwhile, or not have begun: its terminal was made with this size anyway.
    drop(match peer {
        Peer::Container(id) => client.containers().resize(id, rows, columns).await,
        Peer::Exec(id) => client.execs().resize(id, rows, columns).await,
    });
}

/// Joins the streams until the engine's output ends or the user detaches. The end of standard input is passed on and
/// ends nothing else.
async fn join(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    wanted: Wanted,
) -> Result<Ended> {
    let Wanted {
        stdin,
        stdout,
        stderr,
        tty,
        keys,
    } = wanted;
    let output = async {
        if tty {
            raw(reader, stdout).await
        } else {
            demultiplex(reader, stdout, stderr).await
        }
    };
    let input = async {
        if stdin && type_in(writer, tty.then_some(keys)).await {
            return;
        }
        // Nothing more to send, or nobody to take it: only the output decides now.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        done = output => done.map(|()| Ended::Closed),
        () = input => Ok(Ended::Detached),
    }
}

/// Sends standard input. Whether the user detached; the writer is shut down at the end of input.
async fn type_in(mut writer: impl AsyncWrite + Unpin, keys: Option<DetachKeys>) -> bool {
    let mut stdin = tokio::io::stdin();
    let mut chunk = vec![0; CHUNK];
    let mut keys = keys;
    let mut forward = Vec::new();
    loop {
        let Ok(count) = stdin.read(&mut chunk).await else {
            return false;
        };
        if count == 0 {
            // The program may have closed its input long ago.
            drop(writer.shutdown().await);
            return false;
        }
        let typed = &chunk[..count];
        let (bytes, detached) = match &mut keys {
            None => (typed, false),
            Some(keys) => {
                forward.clear();
                let detached = keys.watch(typed, &mut forward);
                (forward.as_slice(), detached)
            }
        };
        let sent = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        let sent = sent.await;
        if detached {
            return true;
        }
        if sent.is_err() {
            return false;
        }
    }
}

async fn raw(mut reader: impl AsyncRead + Unpin, wanted: bool) -> Result<()> {
    let mut stdout = tokio::io::stdout();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = reader.read(&mut chunk).await.map_err(broken)?;
        if count == 0 {
            return Ok(());
        }
        if wanted {
            write(&mut stdout, &chunk[..count]).await?;
        }
    }
}

/// Takes frames apart; a frame of the engine's own ends the stream as an error.
pub(crate) async fn demultiplex(
    mut reader: impl AsyncRead + Unpin,
    stdout_wanted: bool,
    stderr_wanted: bool,
) -> Result<()> {
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    let mut decoder = Decoder::new();
    let mut failure = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = reader.read(&mut chunk).await.map_err(broken)?;
        if count == 0 {
            break;
        }
        let mut bytes = &chunk[..count];
        let bad = |why| Error::unreachable("read the container's output", why);
        while let Some((stream, piece)) = decoder.next(&mut bytes).map_err(bad)? {
            match stream {
                Stream::Stdin | Stream::Stdout if stdout_wanted => {
                    write(&mut stdout, piece).await?
                }
                Stream::Stderr if stderr_wanted => write(&mut stderr, piece).await?,
                Stream::System if failure.len() < CHUNK => failure.extend_from_slice(piece),
                Stream::Stdin | Stream::Stdout | Stream::Stderr | Stream::System => {}
            }
        }
    }
    if !failure.is_empty() {
        return Err(Error::engine(
            500,
            String::from_utf8_lossy(&failure).trim_end(),
        ));
    }
    if decoder.at_end() {
        Ok(())
    } else {
        Err(broken(std::io::ErrorKind::UnexpectedEof.into()))
    }
}

/// Copies a stream as it is to standard output.
pub(crate) async fn copy(reader: impl AsyncRead + Unpin) -> Result<()> {
    raw(reader, true).await
}

async fn write(out: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<()> {
    let written = async {
        out.write_all(bytes).await?;
        out.flush().await
    };
    written.await.map_err(Error::stdout)
}

fn broken(source: std::io::Error) -> Error {
    Error::unreachable("read the container's output", source)
}
