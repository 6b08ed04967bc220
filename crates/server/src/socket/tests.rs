use std::os::unix::fs::MetadataExt as _;

use axum::routing::get;
use client::{Client, Connector, Kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;

fn ping_router() -> Router {
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "OK"
    };
    Router::new().route("/_ping", get(slow))
}

#[test]
fn only_owner_and_group_may_connect_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/tare.sock");
    let socket = Socket::bind(&path).unwrap();
    let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode(&path), MODE);
    assert_eq!(mode(path.parent().unwrap()), DIRECTORY_MODE);
    assert!(!with_suffix(&path, ".new").exists());
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_living_servers_socket_is_left_alone_and_a_dead_ones_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tare.sock");
    let first = Socket::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(BindError::InUse(_))));
    drop(first);

    drop(net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(Socket::bind(&path).unwrap());

    let foreign = net::UnixListener::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(BindError::InUse(_))));
    assert!(path.exists());
    drop(foreign);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tare.sock");
    drop(File::create(&path).unwrap());
    assert!(matches!(Socket::bind(&path), Err(BindError::NoSocket(_))));
    assert!(path.exists());
}

#[tokio::test]
async fn requests_that_have_begun_are_answered_when_the_server_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tare.sock");
    let (stop, stopped) = oneshot::channel::<()>();
    let socket = Socket::bind(&path).unwrap();
    let server = tokio::spawn(socket.serve(ping_router(), async { drop(stopped.await) }));
    let client = Client::new(Connector::unix(&path));
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.system().ping().await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Idle, and in the middle of a head.
    let mut idle = UnixStream::connect(&path).await.unwrap();
    idle.write_all(b"GET /_ping HT").await.unwrap();
    stop.send(()).unwrap();
    asking.await.unwrap().unwrap();
    drop(idle);
    server.await.unwrap().unwrap();
    assert!(!path.exists());
    assert_eq!(
        client.system().ping().await.unwrap_err().kind,
        Kind::Connect
    );
}

#[test]
fn users_hold_no_more_connections_than_they_may() {
    let guests = Guests::default();
    let held: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| guests.admit_user(7).unwrap())
        .collect();
    assert!(guests.admit_user(7).is_none());
    assert!(guests.admit_user(8).is_some() && guests.admit_user(0).is_some());
    drop(held);
    assert!(guests.admit_user(7).is_some());
    assert_eq!(guests.0.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tare.sock");
    let socket = Socket::bind(&path).unwrap();
    tokio::spawn(socket.serve(ping_router(), std::future::pending()));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let head = format!(
        "GET /_ping HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    // The server may hang up before it has read all of it.
    drop(stream.write_all(head.as_bytes()).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "));
}
