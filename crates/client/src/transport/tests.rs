//! Against answers that are written out.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::*;
use crate::{AttachQuery, ImageImport, LogsQuery, WaitCondition};

/// A client whose every connection gets this answer once the request has `end` in it; and what was asked.
fn canned(end: &'static str, answer: &'static str) -> (Client, Arc<Mutex<String>>) {
    let asked = Arc::new(Mutex::new(String::new()));
    let log = asked.clone();
    let connector = Connector::new("canned", move || {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let log = log.clone();
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains(end) {
                if theirs.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            *log.lock().unwrap() = String::from_utf8(request).unwrap();
            theirs.write_all(answer.as_bytes()).await.unwrap();
            // What else the client sends is of no interest, but it must not break.
            let mut rest = Vec::new();
            drop(theirs.read_to_end(&mut rest).await);
        });
        async { Ok(ours) }
    });
    (Client::new(connector), asked)
}

const HEAD: &str = "\r\n\r\n";

#[tokio::test]
async fn a_refusal_is_in_the_engines_words() {
    let answer = "HTTP/1.1 409 Conflict\r\nContent-Length: 8\r\n\r\nconflict";
    let (client, _) = canned(HEAD, answer);
    let error = client
        .containers()
        .remove("x", false, false)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.status()), (Kind::Status(409), Some(409)));
    assert_eq!(
        (error.to_string().as_str(), error.advice()),
        ("conflict", None)
    );

    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 37\r\n\r\n{\"message\":\"no such x\",\"hint\":\"look\"}";
    let (client, _) = canned(HEAD, answer);
    let error = client.containers().inspect("x").await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.advice()),
        ("no such x", Some("look"))
    );

    let (client, _) = canned(
        HEAD,
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(
        client.system().info().await.unwrap_err().to_string(),
        "Bad Gateway"
    );
}

#[tokio::test]
async fn nothing_to_do_is_no_refusal() {
    let (client, asked) = canned(HEAD, "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert!(!client.containers().start("a/b c").await.unwrap());
    assert!(
        asked
            .lock()
            .unwrap()
            .starts_with("POST /v1.51/containers/a/b%20c/start HTTP/1.1\r\n")
    );
    let (client, asked) = canned(HEAD, "HTTP/1.1 204 No Content\r\n\r\n");
    assert!(
        client
            .containers()
            .stop("x", Some("HUP"), Some(-1))
            .await
            .unwrap()
    );
    assert!(asked.lock().unwrap().contains("/stop?signal=HUP&t=-1 "));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let broken = Connector::new("broken", || async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 10);
        theirs
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
            .await?;
        Ok(ours)
    });
    let error = Client::new(broken).system().info().await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    let refused = Connector::unix("/nonexistent/tare.sock");
    let error = Client::new(refused).system().info().await.unwrap_err();
    assert_eq!(error.kind, Kind::Connect);
    assert_eq!(
        error.to_string(),
        "connect to unix:///nonexistent/tare.sock"
    );
}

#[tokio::test]
async fn progress_comes_as_it_is_made_and_an_error_in_it_is_one() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        c\r\n{\"stream\":\"a\r\n4\r\n\"}\r\n\r\n14\r\n{\"errorDetail\":{\"mes\r\n18\r\nsage\":\"no\"},\"error\":\"no\"\r\n3\r\n}\r\n\r\n0\r\n\r\n";
    let (client, asked) = canned("0\r\n\r\n", answer);
    let import = ImageImport {
        repository: "r".to_owned(),
        changes: vec!["CMD x".to_owned(), "ENV a=b".to_owned()],
        ..ImageImport::default()
    };
    let mut messages = client.images().import(&import, &b"tar"[..]).await.unwrap();
    assert_eq!(messages.next().await.unwrap().unwrap().stream, "a");
    let error = messages.next().await.unwrap_err();
    assert_eq!(error.to_string(), "no");
    let asked = asked.lock().unwrap();
    assert!(asked.starts_with(
        "POST /v1.51/images/create?fromSrc=-&repo=r&changes=CMD%20x&changes=ENV%20a%3Db HTTP/1.1"
    ));
    assert!(asked.ends_with("3\r\ntar\r\n0\r\n\r\n"));
}

/// A file that can't be read to its end.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("disk on fire")))
    }
}

#[tokio::test]
async fn what_can_not_be_read_for_an_upload_is_the_error() {
    let (client, _) = canned("never", "");
    let error = client.images().load(Broken, true, "").await.unwrap_err();
    assert_eq!(error.kind, Kind::Upload);
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(text.contains("disk on fire"), "{text}");
}

#[tokio::test]
async fn what_follows_the_upgrade_at_once_is_not_lost() {
    let answer = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly";
    let (client, asked) = canned(HEAD, answer);
    let query = AttachQuery {
        stdin: true,
        ..AttachQuery::default()
    };
    let mut hijacked = client.containers().attach("x", &query).await.unwrap();
    let mut early = [0; 5];
    hijacked.reader.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early");
    let asked = asked.lock().unwrap().to_ascii_lowercase();
    assert!(asked.contains("connection: upgrade\r\n") && asked.contains("upgrade: tcp\r\n"));
    assert!(asked.contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn an_engine_that_does_not_upgrade_can_still_be_read() {
    let (client, _) = canned(HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nout");
    let mut hijacked = client
        .containers()
        .attach("x", &AttachQuery::default())
        .await
        .unwrap();
    let mut output = String::new();
    hijacked.reader.read_to_string(&mut output).await.unwrap();
    assert_eq!(output, "out");
}

#[tokio::test]
async fn a_wait_has_begun_with_its_head() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"StatusCode\":42}";
    let (client, asked) = canned(HEAD, answer);
    let waiting = client
        .containers()
        .wait("x", WaitCondition::Removed)
        .await
        .unwrap();
    assert!(asked.lock().unwrap().contains("/wait?condition=removed "));
    assert_eq!(waiting.exit().await.unwrap().status_code, 42);
}

#[tokio::test]
async fn logs_are_read_as_they_come() {
    let (client, asked) = canned(
        HEAD,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    );
    let query = LogsQuery {
        stdout: true,
        tail: "5".to_owned(),
        ..LogsQuery::default()
    };
    let mut logs = client.containers().logs("x", &query).await.unwrap();
    let mut text = String::new();
    logs.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "abc");
    assert!(
        asked
            .lock()
            .unwrap()
            .starts_with("GET /v1.51/containers/x/logs?stdout=1&tail=5 ")
    );
}

#[tokio::test]
async fn the_older_version_is_spoken() {
    let answer =
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK";
    let (client, asked) = canned(HEAD, answer);
    let client = client.negotiate().await.unwrap();
    assert_eq!(client.version(), ApiVersion::new(1, 41));
    assert!(asked.lock().unwrap().starts_with("GET /_ping HTTP/1.1"));
}

/// An engine that hangs up on an upload, and whose answer comes a moment later.
#[derive(Debug, Default)]
struct HangsUp {
    hung_up: bool,
    answer: io::Cursor<&'static [u8]>,
}

impl AsyncRead for HangsUp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.hung_up {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.answer).poll_read(cx, buf)
    }
}

impl AsyncWrite for HangsUp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.hung_up = true;
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn hangs_up_with(answer: &'static str) -> Client {
    Client::new(Connector::new("canned", move || {
        let answer = io::Cursor::new(answer.as_bytes());
        async move {
            Ok(HangsUp {
                hung_up: false,
                answer,
            })
        }
    }))
}

#[tokio::test]
async fn a_refusal_while_uploading_is_the_news() {
    let client = hangs_up_with("HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nbad tar");
    let endless = tokio::io::repeat(0);
    let error = client.images().load(endless, true, "").await.unwrap_err();
    assert_eq!(error.to_string(), "bad tar");

    let client = hangs_up_with("");
    let endless = tokio::io::repeat(0);
    let error = client.images().load(endless, true, "").await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol, "{error}");
}
