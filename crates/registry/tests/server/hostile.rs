//! Clients that mean no good, and those that are slow.

use std::time::Duration;

use super::place::{Place, settings};
use registry::server::{Limits, Settings};
use spec::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn raw(place: &Place, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(place.address).await.unwrap();
    // It may hang up before it has read everything.
    drop(stream.write_all(bytes).await);
    drop(stream.shutdown().await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn paths_and_methods() {
    let place = Place::directory(settings()).await;
    for (method, path, status) in [
        ("GET", "/v2/", 200),
        ("HEAD", "/v2/", 200),
        ("GET", "/healthz", 200),
        ("POST", "/v2/", 405),
        ("PUT", "/v2/_catalog", 405),
        ("GET", "/v2/a/blobs/uploads/", 405),
        ("TRACE", "/v2/a/tags/list", 405),
        ("GET", "/v2/../../etc/passwd", 404),
        ("GET", "/v2/%2e%2e/%2e%2e/manifests/x", 400),
        ("GET", "/v2/a/../b/manifests/x", 400),
        ("PUT", "/v2/_uploads/manifests/x", 400),
        ("GET", "/v2/a/manifests/..", 400),
        ("GET", "/anything", 404),
    ] {
        assert_eq!(
            place.ask(method, path, &[], "").await.status,
            status,
            "{method} {path}"
        );
    }
    let long = format!("/v2/{}/tags/list", "a".repeat(256));
    place.get(&long).await.refused(400, "NAME_INVALID");
    place.end();
}

/// Requests that others' parsers have stumbled over: answered or hung up on, and the server lives.
#[tokio::test]
async fn malformed_requests() {
    let place = Place::memory(settings()).await;
    let digest = Digest::of("x");
    let huge = format!("GET /v2/ HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let many = format!("GET /v2/ HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for request in [
        "",
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "GET  /v2/  HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        "GET /v2/\0 HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
        &huge,
        &many,
    ] {
        let answer = raw(&place, request.as_bytes()).await;
        assert!(
            !answer.starts_with("HTTP/1.1 5"),
            "{request:.60?}: {answer}"
        );
    }
    let early = format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    );
    let answer = raw(&place, early.as_bytes()).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    place.get("/v2/").await.is(200);
    // Nothing of it stays.
    assert!(place.storage.blobs.list().await.unwrap().is_empty());
    place.end();
}

fn impatient() -> Settings {
    Settings {
        limits: Limits {
            idle: Duration::from_millis(300),
            blob: 1 << 20,
            connections: 8,
            ..Limits::default()
        },
        ..settings()
    }
}

#[tokio::test]
async fn slow_clients_are_ended_and_keep_no_room() {
    let place = Place::directory(impatient()).await;
    let at = place.begin("a").await;
    // More than there is room for: each sends a little and then nothing.
    let mut slow = Vec::new();
    for n in 0..20 {
        let mut stream = TcpStream::connect(place.address).await.unwrap();
        let head = match n % 3 {
            0 => "GET /v2/ HT".to_owned(),
            1 => format!("PATCH {at} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc"),
            _ => "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
                .to_owned(),
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    place.get("/v2/").await.is(200);
    for mut stream in slow {
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8_lossy(&answer);
        let fine = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(fine, "{answer}");
    }
    place.end();
}

#[tokio::test]
async fn uploads_are_bounded() {
    for place in [
        Place::memory(impatient()).await,
        Place::directory(impatient()).await,
    ] {
        let large = vec![7; (1 << 20) + 1];
        let digest = Digest::of(&large);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        place
            .ask("POST", &path, &[], large.clone())
            .await
            .refused(413, "SIZE_INVALID");
        let at = place.begin("a").await;
        let half = 1 << 19;
        place
            .ask("PATCH", &at, &[], large[..half].to_vec())
            .await
            .is(202);
        place
            .ask("PATCH", &at, &[], large[half..].to_vec())
            .await
            .refused(413, "SIZE_INVALID");
        // Without a length it is cut where the room ends.
        let endless = format!(
            "PATCH {at} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n80001\r\n"
        );
        let mut request = endless.into_bytes();
        request.extend_from_slice(&large[half..]);
        request.extend_from_slice(b"\r\n0\r\n\r\n");
        let mut stream = TcpStream::connect(place.address).await.unwrap();
        drop(stream.write_all(&request).await);
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 400");
        place.end();
    }
}

/// A connection that died unnoticed does not keep the upload: whoever comes next has its turn.
#[tokio::test]
async fn an_upload_is_taken_over_from_a_dead_connection() {
    for place in Place::each().await {
        let at = place.begin("a").await;
        let mut dead = TcpStream::connect(place.address).await.unwrap();
        let head = format!("PATCH {at} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n");
        dead.write_all(head.as_bytes()).await.unwrap();
        dead.write_all(&[7; 1000]).await.unwrap();
        // How far it came is not known before it is interrupted: ask until a chunk fits.
        let mut size = 0;
        loop {
            let range = format!("{size}-{}", size + 9);
            let sent = [("content-range", range.as_str())];
            let answer = place.ask("PATCH", &at, &sent, vec![7; 10]).await;
            if answer.status == 202 {
                break;
            }
            assert_eq!(answer.status, 416);
            let seen = answer.header("range").split_once('-').unwrap().1;
            size = match seen.parse::<u64>().unwrap() {
                0 => 0,
                last => last + 1,
            };
        }
        let status = place.get(&at).await.is(204);
        assert_eq!(status.header("range"), format!("0-{}", size + 9));
        let digest = Digest::of(vec![7; usize::try_from(size).unwrap() + 10]);
        place
            .ask("PUT", &format!("{at}?digest={digest}"), &[], "")
            .await
            .is(201);
        drop(dead);
        place.end();
    }
}
