//! The client before servers of a few lines: good ones, and those that mean no good.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails is a test that fails"
)]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use registry::client::{
    Access, Client, Download, Mounts, Patience, Progress, Pushed, Repository, Settings, Source,
    Target, Uploads,
};
use registry::{Credentials, Kind};
use spec::image::Descriptor;
use spec::{Digest, Reference};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was asked: the head, and the body if a length was given.
#[derive(Clone)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn starts(&self, text: &str) -> bool {
        self.head.starts_with(text)
    }

    fn has(&self, text: &str) -> bool {
        self.head.to_lowercase().contains(&text.to_lowercase())
    }

    fn range(&self) -> Option<(usize, usize)> {
        let line = self
            .head
            .lines()
            .find_map(|l| l.strip_prefix("range: bytes="))?;
        let (a, b) = line.split_once('-')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    }
}

struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves plain http; whoever greets with TLS is hung up on.
    async fn start(answer: impl Fn(usize, &Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (Arc::clone(&seen), Arc::new(answer));
        drop(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                drop(tokio::spawn(async move {
                    drop(one(stream, &all, &*answer).await)
                }));
            }
        }));
        Self { address, seen }
    }

    /// Its address under another name of this machine.
    fn named(&self, name: &str) -> String {
        self.address.replace("127.0.0.1", name)
    }

    fn asked(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn repository(&self, credentials: &Credentials, access: Access) -> Repository {
        let reference = Reference::parse(&format!("{}/a", self.address)).unwrap();
        client()
            .repository(&reference, credentials, access)
            .unwrap()
    }
}

/// One request a connection.
async fn one(
    mut stream: TcpStream,
    all: &Mutex<Vec<Seen>>,
    answer: &(dyn Fn(usize, &Seen) -> Vec<u8> + Sync),
) -> io::Result<()> {
    let mut head = vec![stream.read_u8().await?];
    if head[0] == 0x16 {
        return Ok(());
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|l| l.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let seen = Seen { head, body };
    let number = {
        let mut all = all.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    stream.write_all(&answer(number, &seen)).await?;
    stream.shutdown().await
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// `evil.test` and `plain.test` are this machine to the look-up, and strangers to every rule.
fn client() -> Client {
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/hosts");
    Client::new(Settings {
        lookup: registry::Lookup {
            hosts,
            resolv: "/nonexistent".into(),
        },
        patience: Patience {
            connect: Duration::from_secs(5),
            idle: Duration::from_millis(500),
            attempts: 3,
            pause: Duration::from_millis(1),
            longest: Duration::from_millis(20),
        },
        ..Settings::default()
    })
}

fn user() -> Credentials {
    Credentials::Basic {
        username: "ann".into(),
        password: "S3CRET".into(),
    }
}

const LEAKS: [&str; 2] = ["S3CRET", "YW5uOlMzQ1JFVA"];

fn leaks(seen: &[Seen]) -> bool {
    seen.iter().any(|s| {
        let body = String::from_utf8_lossy(&s.body).into_owned();
        LEAKS.iter().any(|l| s.head.contains(l) || body.contains(l))
    })
}

#[derive(Default)]
struct Memory {
    bytes: Mutex<Vec<u8>>,
    received: AtomicU64,
    reached: AtomicU64,
}

impl Target for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut all = self.bytes.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let end = at + bytes.len();
        if all.len() < end {
            all.resize(end, 0);
        }
        all[at..end].copy_from_slice(bytes);
        Ok(())
    }
}

impl Progress for Memory {
    fn reached(&self, offset: u64) {
        let before = self.reached.swap(offset, Ordering::Relaxed);
        assert!(
            before <= offset,
            "the front went back from {before} to {offset}"
        );
    }

    fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::new(
        "application/octet-stream",
        Digest::of(bytes),
        bytes.len() as u64,
    )
}

fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

const MANIFEST: &[u8] = br#"{"schemaVersion":2}"#;
const TYPE: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";

#[tokio::test]
async fn a_token_is_got_and_kept() {
    let address = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&address);
    let server = Server::start(move |_, seen| {
        if seen.starts("GET /token?") {
            return reply("200 OK", "", br#"{"token":"T0","expires_in":300}"#);
        }
        if !seen.has("authorization: Bearer T0") {
            let challenge = format!(
                "WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"s\",scope=\"x\"\r\n",
                own.lock().unwrap()
            );
            return reply("401 Unauthorized", &challenge, b"");
        }
        reply("200 OK", TYPE, MANIFEST)
    })
    .await;
    address.lock().unwrap().clone_from(&server.address);
    let repository = server.repository(&user(), Access::Pull);
    for _ in 0..2 {
        let fetched = repository.manifest("latest").await.unwrap();
        assert_eq!(
            (&fetched.bytes[..], fetched.digest),
            (MANIFEST, Digest::of(MANIFEST))
        );
    }
    let asked = server.asked();
    let tokens: Vec<_> = asked.iter().filter(|s| s.starts("GET /token")).collect();
    assert_eq!((asked.len(), tokens.len()), (4, 1));
    assert!(tokens[0].has("scope=repository%3Aa%3Apull") && tokens[0].has("authorization: Basic "));
}

#[tokio::test]
async fn another_digest_is_refused() {
    let server = Server::start(|_, _| reply("200 OK", TYPE, MANIFEST)).await;
    let repository = server.repository(&Credentials::Anonymous, Access::Pull);
    let other = Digest::of(b"other").to_string();
    assert_eq!(
        repository.manifest(&other).await.unwrap_err().kind,
        Kind::Invalid
    );
    repository
        .manifest(&Digest::of(MANIFEST).to_string())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let content = noise(300_000);
    let served = content.clone();
    let server = Server::start(move |number, seen| {
        let (from, to) = seen.range().unwrap_or((0, served.len() - 1));
        let part = &served[from..=to];
        let headers = format!("Content-Range: bytes {from}-{to}/{}\r\n", served.len());
        let status = if seen.range().is_some() {
            "206 Partial Content"
        } else {
            "200 OK"
        };
        let mut whole = reply(status, &headers, part);
        if number < 2 {
            whole.truncate(whole.len() - part.len() / 2);
        }
        whole
    })
    .await;
    let (memory, blob) = (Memory::default(), blob(&content));
    let repository = server.repository(&Credentials::Anonymous, Access::Pull);
    let download = Download {
        blob: &blob,
        from: 0,
    };
    repository
        .download(download, &memory, &memory)
        .await
        .unwrap();
    assert!(*memory.bytes.lock().unwrap() == content);
    assert_eq!(memory.reached.load(Ordering::Relaxed), 300_000);
    // T47: what was there is not fetched again.
    assert_eq!(memory.received.load(Ordering::Relaxed), 300_000);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_large_blob_comes_in_ranges() {
    let content = noise((20 << 20) + 7);
    let served = content.clone();
    let server = Server::start(move |_, seen| {
        let (from, to) = seen.range().unwrap();
        let headers = format!("Content-Range: bytes {from}-{to}/{}\r\n", served.len());
        reply("206 Partial Content", &headers, &served[from..=to])
    })
    .await;
    let (memory, blob) = (Memory::default(), blob(&content));
    memory.write_at(0, &content[..1000]).unwrap();
    let repository = server.repository(&Credentials::Anonymous, Access::Pull);
    let download = Download {
        blob: &blob,
        from: 1000,
    };
    repository
        .download(download, &memory, &memory)
        .await
        .unwrap();
    assert!(*memory.bytes.lock().unwrap() == content);
    assert_eq!(
        memory.received.load(Ordering::Relaxed),
        content.len() as u64 - 1000
    );
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_host_without_ranges_gives_all() {
    let content = noise(20 << 20);
    let served = content.clone();
    let server = Server::start(move |_, _| reply("200 OK", "", &served)).await;
    let (memory, blob) = (Memory::default(), blob(&content));
    memory.write_at(0, &content[..5000]).unwrap();
    let repository = server.repository(&Credentials::Anonymous, Access::Pull);
    let download = Download {
        blob: &blob,
        from: 5000,
    };
    repository
        .download(download, &memory, &memory)
        .await
        .unwrap();
    assert!(*memory.bytes.lock().unwrap() == content);
    assert_eq!(server.asked().len(), 1);
}

/// E1, E5, E6, E8, E11: what hostile answers lead to.
#[tokio::test]
async fn hostile_answers() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/hostile");
    let mut count = 0;
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let evil = Server::start(|_, _| reply("200 OK", "", br#"{"token":"evil"}"#)).await;
        let text = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text).replace("{EVIL}", &evil.named("evil.test"));
        let server = Server::start(move |_, _| text.clone().into_bytes()).await;
        let repository = server.repository(&user(), Access::Push);
        let small = blob(b"hello, world");
        let fetched = repository.small_blob(&small, 1 << 20).await;
        assert!(fetched.is_err(), "{name}");
        if name == "error-body-escape.http" {
            let shown = fetched.unwrap_err().chain();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
        if name == "link-loop.http" {
            assert_eq!(repository.tags().await.unwrap_err().kind, Kind::Limit);
        }
        drop(push(&server, b"abc", &Notes::default(), &[]).await);
        assert!(!leaks(&evil.asked()), "{name}");
        assert!(
            !evil
                .asked()
                .iter()
                .any(|s| s.starts("PUT ") || s.starts("PATCH ")),
            "{name}"
        );
        count += 1;
    }
    assert!(count >= 14);
}

/// E1: credentials stay with the host that they are for.
#[tokio::test]
async fn a_redirect_takes_no_credentials_along() {
    let other = Server::start(|_, _| reply("200 OK", TYPE, MANIFEST)).await;
    let place = other.named("evil.test");
    let server = Server::start(move |_, seen| {
        if seen.has("authorization: basic") {
            return reply(
                "307 Temporary Redirect",
                &format!("Location: http://{place}/m\r\n"),
                b"",
            );
        }
        reply(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            b"",
        )
    })
    .await;
    let repository = server.repository(&user(), Access::Pull);
    assert_eq!(repository.manifest("latest").await.unwrap().bytes, MANIFEST);
    assert!(
        leaks(&server.asked()),
        "the fixture must see credentials where they belong"
    );
    assert_eq!(other.asked().len(), 1);
    assert!(!leaks(&other.asked()) && !other.asked()[0].has("authorization"));
}

/// E2: nor does a token server of somebody else get them.
#[tokio::test]
async fn a_foreign_realm_learns_nothing() {
    let evil = Server::start(|_, _| reply("200 OK", "", br#"{"token":"evil"}"#)).await;
    let realm = format!(
        "WWW-Authenticate: Bearer realm=\"http://{}/token\"\r\n",
        evil.named("evil.test")
    );
    let server = Server::start(move |_, _| reply("401 Unauthorized", &realm, b"")).await;
    let error = server
        .repository(&user(), Access::Pull)
        .manifest("x")
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{}", error.chain());
    assert!(evil.asked().is_empty());
}

#[derive(Default)]
struct Notes(Mutex<Option<String>>);

impl Uploads for Notes {
    fn load(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    fn save(&self, place: Option<&str>) {
        *self.0.lock().unwrap() = place.map(str::to_owned);
    }
}

struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap().min(self.0.len());
        let count = buffer.len().min(self.0.len() - from);
        buffer[..count].copy_from_slice(&self.0[from..from + count]);
        Ok(count)
    }
}

async fn push(
    server: &Server,
    content: &[u8],
    notes: &Notes,
    from: &[String],
) -> registry::Result<Pushed> {
    let source = Arc::new(Bytes(content.to_vec()));
    server
        .repository(&Credentials::Anonymous, Access::Push)
        .push_blob(
            &blob(content),
            source,
            Mounts(from),
            notes,
            Arc::new(|_| {}),
        )
        .await
}

#[tokio::test]
async fn an_upload_goes_on_where_another_process_left_it() {
    let content = noise(2 << 20);
    let got: Arc<Mutex<Vec<u8>>> = Arc::new(Mutex::new(content[..700_000].to_vec()));
    let kept = Arc::clone(&got);
    let server = Server::start(move |_, seen| {
        let mut kept = kept.lock().unwrap();
        if seen.starts("HEAD ") {
            return reply("404 Not Found", "", b"");
        }
        if seen.starts("PATCH ") {
            kept.extend(&seen.body);
        }
        let headers = format!(
            "Location: /v2/a/blobs/uploads/7?s=1\r\nRange: 0-{}\r\n",
            kept.len() - 1
        );
        let status = if seen.starts("PUT ") {
            "201 Created"
        } else if seen.starts("GET ") {
            "204 No Content"
        } else {
            "202 Accepted"
        };
        reply(status, &headers, b"")
    })
    .await;
    let notes = Notes(Mutex::new(Some(format!(
        "http://{}/v2/a/blobs/uploads/7",
        server.address
    ))));
    assert_eq!(
        push(&server, &content, &notes, &[]).await.unwrap(),
        Pushed::Uploaded
    );
    assert!(*got.lock().unwrap() == content);
    assert_eq!(notes.load(), None);
    let asked = server.asked();
    assert!(
        !asked.iter().any(|s| s.starts("POST ")),
        "a new upload was begun"
    );
    let put = asked.iter().find(|s| s.starts("PUT ")).unwrap();
    assert!(
        put.starts("PUT /v2/a/blobs/uploads/7?s=1&digest=sha256%3A"),
        "{}",
        put.head
    );
}

#[tokio::test]
async fn a_blob_is_mounted_or_there_already() {
    let server = Server::start(|_, seen| {
        if seen.starts("HEAD ") {
            return reply("404 Not Found", "", b"");
        }
        assert!(seen.starts("POST /v2/a/blobs/uploads/?mount=sha256%3A") && seen.has("from=b%2Fc"));
        reply("201 Created", "", b"")
    })
    .await;
    let pushed = push(&server, b"abc", &Notes::default(), &["b/c".into()])
        .await
        .unwrap();
    assert_eq!(pushed, Pushed::Mounted("b/c".into()));
    let server = Server::start(|_, _| reply("200 OK", "", b"")).await;
    let pushed = push(&server, b"abc", &Notes::default(), &[]).await.unwrap();
    assert_eq!(pushed, Pushed::Exists);
}

/// The body of an upload goes to no host that the registry names.
#[tokio::test]
async fn an_upload_is_not_led_away() {
    let other = Server::start(|_, _| reply("201 Created", "", b"")).await;
    let place = other.named("evil.test");
    let server = Server::start(move |_, seen| {
        if seen.starts("HEAD ") {
            return reply("404 Not Found", "", b"");
        }
        reply(
            "202 Accepted",
            &format!("Location: http://{place}/u\r\n"),
            b"",
        )
    })
    .await;
    let error = push(&server, b"abc", &Notes::default(), &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(other.asked().is_empty());
}

/// E4: plain http is for this machine alone, or by choice.
#[tokio::test]
async fn no_plain_http_elsewhere() {
    let server = Server::start(|_, _| reply("200 OK", TYPE, MANIFEST)).await;
    let name = server.named("plain.test");
    let reference = Reference::parse(&format!("{name}/a")).unwrap();
    let repository = client()
        .repository(&reference, &user(), Access::Pull)
        .unwrap();
    repository.manifest("x").await.unwrap_err();
    assert!(server.asked().is_empty());
    let mut settings = client().settings().clone();
    settings.rules.insecure.push(name);
    let repository = Client::new(settings)
        .repository(&reference, &user(), Access::Pull)
        .unwrap();
    assert_eq!(repository.manifest("x").await.unwrap().bytes, MANIFEST);
}
