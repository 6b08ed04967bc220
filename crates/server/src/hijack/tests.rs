//! Clients take connections over, over a unix socket and in memory.

use std::path::Path;
use std::time::Duration;

use api::stdcopy;
use axum::Router;
use axum::routing::post;
use client::{AttachQuery, Client, Connector, Hijacked};
use jiff::Timestamp;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::socket::Socket;

fn record(stream: Source, text: &str) -> Record {
    Record {
        stream,
        time: Timestamp::UNIX_EPOCH,
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// What the test sees of the program.
struct Seen {
    /// Its standard input.
    stdin: DuplexStream,
    /// What it writes.
    output: mpsc::Sender<engine::Result<Record>>,
}

/// A router whose attach route gives a program that the test plays.
fn program_router(tty: bool) -> (Router, mpsc::Receiver<Seen>) {
    let (programs, seen) = mpsc::channel(16);
    let attach = async move |speaks: Speaks, request: Request| {
        let (stdin, theirs) = tokio::io::duplex(16);
        let (output, records) = mpsc::channel(1);
        programs
            .send(Seen {
                stdin: theirs,
                output,
            })
            .await
            .unwrap();
        let records = stream::unfold(records, async |mut records| {
            records.recv().await.map(|record| (record, records))
        });
        let program = Program {
            stdout: true,
            stderr: true,
            output: records.boxed(),
            stdin: Some(Box::new(stdin)),
            keys: Keys::parse("").unwrap(),
        };
        let program = async { Ok(program) }.boxed();
        Hijack::new(request)?.answer(speaks, Session { tty, program })
    };
    (
        Router::new().route("/v1.51/containers/x/attach", post(attach)),
        seen,
    )
}

/// Both transports; the server's task ends with the test.
async fn clients(router: Router, directory: &Path) -> Vec<Client> {
    let memory = router.clone();
    let memory = Connector::new("memory", move || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(crate::serve_stream(theirs, memory.clone()));
        async { Ok(ours) }
    });
    let path = directory.join("sock");
    let socket = Socket::bind(&path).unwrap();
    tokio::spawn(socket.serve(router, std::future::pending()));
    vec![Client::new(memory), Client::new(Connector::unix(path))]
}

async fn attach(client: &Client, seen: &mut mpsc::Receiver<Seen>) -> (Hijacked, Seen) {
    let query = AttachQuery {
        stdin: true,
        stdout: true,
        stderr: true,
        ..AttachQuery::default()
    };
    let hijacked = client.containers().attach("x", &query).await.unwrap();
    (hijacked, seen.recv().await.unwrap())
}

async fn read_all(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(5), reader.read_to_end(&mut bytes)).await;
    read.expect("the end comes").unwrap();
    bytes
}

#[tokio::test]
async fn the_end_of_input_ends_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (router, mut seen) = program_router(false);
    for client in clients(router, directory.path()).await {
        let (mut hijacked, mut program) = attach(&client, &mut seen).await;
        let long = "x".repeat(200_000);
        let (echoed, ()) = tokio::join!(read_all(&mut program.stdin), async {
            hijacked.writer.write_all(long.as_bytes()).await.unwrap();
            hijacked.writer.shutdown().await.unwrap();
        });
        assert_eq!(echoed.len(), long.len());
        // Only now does the program say anything.
        program
            .output
            .send(Ok(record(Source::Stdout, "out")))
            .await
            .unwrap();
        program
            .output
            .send(Ok(record(Source::Stderr, "err")))
            .await
            .unwrap();
        drop(program.output);
        let mut expected = stdcopy::frame(stdcopy::Stream::Stdout, b"out");
        expected.extend(stdcopy::frame(stdcopy::Stream::Stderr, b"err"));
        assert_eq!(read_all(&mut hijacked.reader).await, expected);
    }
}

#[tokio::test]
async fn the_end_of_the_program_ends_the_connection_while_input_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let (router, mut seen) = program_router(true);
    for client in clients(router, directory.path()).await {
        let (mut hijacked, program) = attach(&client, &mut seen).await;
        program
            .output
            .send(Ok(record(Source::Stdout, "raw")))
            .await
            .unwrap();
        drop(program);
        assert_eq!(read_all(&mut hijacked.reader).await, b"raw");
    }
}

#[tokio::test]
async fn detach_keys_end_the_connection_and_not_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let (router, mut seen) = program_router(true);
    for client in clients(router, directory.path()).await {
        let (mut hijacked, mut program) = attach(&client, &mut seen).await;
        hijacked.writer.write_all(b"ls\x10\x11").await.unwrap();
        assert_eq!(read_all(&mut hijacked.reader).await, b"");
        let mut typed = [0; 2];
        program.stdin.read_exact(&mut typed).await.unwrap();
        assert_eq!(&typed, b"ls");
        assert!(program.output.is_closed());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_though_nothing_is_sent_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let (router, mut seen) = program_router(false);
    let client = clients(router, directory.path()).await.pop().unwrap();
    let (mut hijacked, program) = attach(&client, &mut seen).await;
    hijacked.writer.shutdown().await.unwrap();
    drop(hijacked);
    let gone = timeout(Duration::from_secs(5), program.output.closed()).await;
    gone.expect("the session ends");
}

#[tokio::test]
async fn without_an_upgrade_the_answer_is_the_output() {
    let (router, mut seen) = program_router(false);
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(crate::serve_stream(theirs, router));
    let (mut reader, mut writer) = tokio::io::split(ours);
    let head =
        b"POST /v1.51/containers/x/attach HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    writer.write_all(head).await.unwrap();
    let mut program = seen.recv().await.unwrap();
    let mut typed = [0; 2];
    program.stdin.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"hi");
    program
        .output
        .send(Ok(record(Source::Stdout, "out")))
        .await
        .unwrap();
    drop(program);
    let answer = read_all(&mut reader).await;
    let end = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(answer.starts_with(b"HTTP/1.0 200 OK\r\n"));
    assert_eq!(
        answer[end..],
        stdcopy::frame(stdcopy::Stream::Stdout, b"out")
    );
}

#[tokio::test]
async fn the_head_is_dockers() {
    let (router, _seen) = program_router(false);
    let (mut ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(crate::serve_stream(theirs, router));
    let head = b"POST /v1.51/containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    ours.write_all(head).await.unwrap();
    let mut line = [0; 23];
    ours.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 101 UPGRADED\r\n");
}

#[tokio::test]
async fn a_refusal_before_the_upgrade_is_an_ordinary_answer() {
    let directory = tempfile::tempdir().unwrap();
    let refuse = async || Refusal::new(StatusCode::NOT_FOUND, "No such container: x");
    let router = Router::new().route("/v1.51/containers/x/attach", post(refuse));
    for client in clients(router, directory.path()).await {
        let error = client
            .containers()
            .attach("x", &AttachQuery::default())
            .await
            .unwrap_err();
        assert_eq!(error.status(), Some(404));
        assert_eq!(error.to_string(), "No such container: x");
    }
}

#[tokio::test]
async fn a_refusal_after_the_upgrade_is_told_in_the_stream() {
    let directory = tempfile::tempdir().unwrap();
    let start = async |speaks: Speaks, request: Request| {
        let program = async { Err(Refusal::bad("execute x")) }.boxed();
        Hijack::new(request)?.answer(
            speaks,
            Session {
                tty: false,
                program,
            },
        )
    };
    let router = Router::new().route("/v1.51/containers/x/attach", post(start));
    for client in clients(router, directory.path()).await {
        let hijacked = client
            .containers()
            .attach("x", &AttachQuery::default())
            .await
            .unwrap();
        let expected = stdcopy::frame(stdcopy::Stream::Stderr, b"execute x\r\n");
        assert_eq!(read_all(hijacked.reader).await, expected);
    }
}
