//! A connection that becomes a program's streams.

use api::stdcopy;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use engine::container::StdinWriter;
use engine::log::{Record, Records, Stream as Source};
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{StatusCode, Version};
use hyper::ext::ReasonPhrase;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::body;
use crate::connection::Takeover;
use crate::detach::{Keys, Watch};
use crate::error::{Answer, Refusal};
use crate::request::Speaks;
use crate::streams::{Stream, Writer};

/// How much of a client's input is moved at once: a pipe's capacity.
const CHUNK: usize = 64 << 10;

/// What a program writes.
pub(crate) type Output = BoxStream<'static, engine::Result<Record>>;
/// A program's standard input.
pub(crate) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// The engine's records as a stream.
pub(crate) fn records(records: Records) -> Output {
    stream::unfold(records, async |mut records| {
        records.next().await.map(|record| (record, records))
    })
    .boxed()
}

/// The engine's writer as any.
pub(crate) fn input(stdin: Option<StdinWriter>) -> Option<Input> {
    stdin.map(|stdin| Box::new(stdin) as Input)
}

/// A program's streams, and what the client wants of them.
pub(crate) struct Program {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) output: Output,
    pub(crate) stdin: Option<Input>,
    /// What detaches, when typed at a terminal.
    pub(crate) keys: Keys,
}

/// What the client gets on the connection.
pub(crate) struct Session {
    /// Its bytes go as they are, not in frames.
    pub(crate) tty: bool,
    /// Gives the program's streams, once the client has its answer: clients that read ahead (docker-py) lose what comes
    /// together with it. A refusal is told in the stream, as Docker does.
    pub(crate) program: BoxFuture<'static, Answer<Program>>,
}

/// The client's wish to take the connection over.
#[derive(Debug)]
pub(crate) struct Hijack {
    upgrade: Option<(OnUpgrade, Takeover)>,
    body: Option<Body>,
}

impl Hijack {
    /// From a request whose body says nothing, or has been read.
    pub(crate) fn new(mut request: Request) -> Answer<Self> {
        let asked = request.headers().contains_key(UPGRADE);
        if !asked {
            return Ok(Self {
                upgrade: None,
                body: Some(request.into_body()),
            });
        }
        let takeover = request.extensions().get::<Takeover>().cloned();
        let takeover = takeover.ok_or_else(|| Refusal::bad("the connection can't be upgraded"))?;
        Ok(Self {
            upgrade: Some((hyper::upgrade::on(&mut request), takeover)),
            body: None,
        })
    }

    /// The answer; the session follows it.
    pub(crate) fn answer(self, speaks: Speaks, session: Session) -> Answer {
        let media = media_type(session.tty, speaks);
        let Some((upgrade, takeover)) = self.upgrade else {
            return Ok(without_upgrade(
                media,
                session,
                self.body.unwrap_or_default(),
            ));
        };
        takeover.set(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<Stream>>() else {
                return;
            };
            let (reader, writer) = io.into_inner().split();
            run(io::Cursor::new(read_buf).chain(reader), writer, session).await;
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
            .extensions_mut()
            .insert(ReasonPhrase::from_static(b"UPGRADED"));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, media);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
        Ok(response)
    }
}

/// The media type of a program's output.
pub(crate) fn media_type(tty: bool, speaks: Speaks) -> HeaderValue {
    // Until 1.42 frames had no media type of their own.
    let framed = !tty && !speaks.before(42);
    HeaderValue::from_static(if framed {
        stdcopy::MULTIPLEXED
    } else {
        stdcopy::RAW
    })
}

/// A record as it goes out.
pub(crate) fn encode(record: &Record, tty: bool) -> Bytes {
    if tty {
        return record.bytes.clone();
    }
    let stream = match record.stream {
        Source::Stdout => stdcopy::Stream::Stdout,
        Source::Stderr => stdcopy::Stream::Stderr,
    };
    stdcopy::frame(stream, &record.bytes).into()
}

/// What became of a stream's end that is not its end: the reason, in its own stream.
pub(crate) fn encode_error(message: &str, tty: bool) -> Bytes {
    let text = format!("{message}\r\n");
    if tty {
        return text.into();
    }
    stdcopy::frame(stdcopy::Stream::Stderr, text.as_bytes()).into()
}

async fn run(reader: impl AsyncRead + Unpin, mut writer: Writer, session: Session) {
    let tty = session.tty;
    match session.program.await {
        Ok(Program {
            stdout,
            stderr,
            output,
            stdin,
            keys,
        }) => {
            let wanted = Wanted {
                tty,
                stdout,
                stderr,
            };
            let keys = if tty { keys } else { Keys::none() };
            tokio::select! {
                () = send(&mut writer, output, wanted) => {}
                () = receive(reader, stdin, keys) => {}
            }
        }
        Err(refusal) => drop(writer.write_all(&encode_error(&refusal.message, tty)).await),
    }
    drop(writer.shutdown().await);
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    tty: bool,
    stdout: bool,
    stderr: bool,
}

impl Wanted {
    const fn takes(self, record: &Record) -> bool {
        match record.stream {
            Source::Stdout => self.stdout,
            Source::Stderr => self.stderr,
        }
    }
}

/// Sends what the program writes until it ends or the client is gone.
async fn send(writer: &mut Writer, mut output: Output, wanted: Wanted) {
    loop {
        let record = tokio::select! {
            record = output.next() => record,
            () = writer.gone() => return,
        };
        let bytes = match record {
            None => return,
            Some(Ok(record)) if wanted.takes(&record) => encode(&record, wanted.tty),
            Some(Ok(_)) => continue,
            Some(Err(error)) => encode_error(&error.chain(), wanted.tty),
        };
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Gives the program what the client sends. Returns only if the client detached: the end of its input ends nothing else.
async fn receive(mut reader: impl AsyncRead + Unpin, stdin: Option<Input>, keys: Keys) {
    let mut watch = Watch::new(keys);
    let Some(mut stdin) = stdin else {
        return std::future::pending().await;
    };
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = reader.read(&mut chunk).await {
        let typed = watch.feed(&chunk[..read]);
        if stdin.write_all(&typed.bytes).await.is_err() {
            // Nobody reads it any more; what the program writes still matters.
            return std::future::pending().await;
        }
        if typed.detached {
            return;
        }
    }
    drop(stdin.shutdown().await);
    std::future::pending().await
}

/// For clients that do not ask for an upgrade: HTTP/1.0, so that the answer's body is bytes until the end, without chunks.
fn without_upgrade(media: HeaderValue, session: Session, input: Body) -> Response {
    let tty = session.tty;
    let output = session.program.map(move |program| match program {
        Ok(program) => plain_output(tty, program, input).boxed(),
        Err(refusal) => stream::iter([Ok(encode_error(&refusal.message, tty))]).boxed(),
    });
    let mut response = Response::new(Body::from_stream(output.flatten_stream()));
    *response.version_mut() = Version::HTTP_10;
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

fn plain_output(
    tty: bool,
    program: Program,
    input: Body,
) -> impl futures_core::Stream<Item = io::Result<Bytes>> {
    let Program {
        stdout,
        stderr,
        output,
        stdin,
        keys: _,
    } = program;
    let wanted = Wanted {
        tty,
        stdout,
        stderr,
    };
    let input = Box::pin(receive(body::Reader::new(input), stdin, Keys::none()));
    stream::unfold((output, input), move |(mut output, mut input)| async move {
        loop {
            let record = tokio::select! {
                record = output.next() => record?,
                () = &mut input => return None,
            };
            let bytes = match record {
                Ok(record) if wanted.takes(&record) => encode(&record, tty),
                Ok(_) => continue,
                Err(error) => encode_error(&error.chain(), tty),
            };
            return Some((Ok(bytes), (output, input)));
        }
    })
}

#[cfg(test)]
mod tests;
