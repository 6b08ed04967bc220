//! A bucket behind a real server of S3's protocol: `moto_server`, where there is one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use registry::server::storage::bucket::{BucketSettings, Keys};
use registry::server::storage::object;
use registry::server::{Retention, Settings};
use spec::Digest;

use super::place::{Place, settings};
use super::storages::conform;

/// The server of buckets; ends with the test.
struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Moto {
    #[expect(clippy::disallowed_methods, reason = "a peer is the witness")]
    fn start() -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            let wanted = std::env::var_os("TARE_TEST_REQUIRE").unwrap_or_default();
            assert!(
                !wanted.to_string_lossy().contains("s3"),
                "this test needs moto_server"
            );
            // A test's own words.
            #[expect(clippy::print_stderr, reason = "a skip is told")]
            {
                eprintln!("SKIP this test needs moto_server: pip install 'moto[server]'");
            }
            return None;
        };
        let moto = Self { child, port };
        let end = Instant::now() + Duration::from_secs(60);
        while !moto.make_bucket() {
            assert!(Instant::now() < end, "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    fn make_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let request = "PUT /bucket HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains(" 200 ")
    }

    fn settings(&self, prefix: &str) -> BucketSettings {
        BucketSettings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "us-east-1".to_owned(),
            bucket: "bucket".to_owned(),
            prefix: prefix.to_owned(),
            keys: Some(Keys {
                id: "id".to_owned(),
                secret: "secret".to_owned(),
                token: None,
            }),
            lookup: registry::Lookup::default(),
            proxies: registry::Proxies::default(),
            clock: || jiff::Timestamp::now().as_second(),
        }
    }

    async fn place(&self, prefix: &str, settings: Settings) -> Place {
        let storage = object::storage(self.settings(prefix)).unwrap();
        Place::start("object", storage, settings, None).await
    }
}

#[tokio::test]
async fn a_bucket_is_a_storage() {
    let Some(moto) = Moto::start() else { return };
    let storage = object::storage(moto.settings("conform/")).unwrap();
    conform(&storage).await;
    let all = object::storage(moto.settings("")).unwrap();
    assert!(all.uploads.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn images_are_pushed_pulled_and_collected() {
    let Some(moto) = Moto::start() else { return };
    let brief = Settings {
        lease: Duration::ZERO,
        ..settings()
    };
    let place = moto.place("r/", brief).await;
    let (digest, manifest) = place.image("a/b", "v1", b"layer").await;
    place.image("a", "v1", b"layer").await;
    assert_eq!(
        place.get("/v2/a/b/manifests/v1").await.is(200).body,
        manifest
    );
    let list = place.get("/v2/_catalog").await.is(200).json();
    assert_eq!(list["repositories"], serde_json::json!(["a", "a/b"]));
    let layer = Digest::of("layer");
    let part = [("range", "bytes=1-3")];
    assert_eq!(
        place
            .ask("GET", &format!("/v2/a/blobs/{layer}"), &part, "")
            .await
            .is(206)
            .body,
        "aye"
    );
    place
        .delete(&format!("/v2/a/b/manifests/{digest}"))
        .await
        .is(202);
    let kept = place.server.collect(Retention::default()).await.unwrap();
    assert_eq!((kept.links, kept.blobs), (2, 0));
    place.delete("/v2/a/manifests/v1").await.is(202);
    let untagged = Retention {
        untagged: Some(Duration::ZERO),
    };
    assert_eq!(place.server.collect(untagged).await.unwrap().blobs, 2);
    let left = object::storage(moto.settings("r/")).unwrap();
    assert!(left.blobs.list().await.unwrap().is_empty());
    assert!(left.uploads.list().await.unwrap().is_empty());
    place.end();
}

/// More than one piece, by three servers that know nothing of each other.
#[tokio::test]
async fn any_server_goes_on_with_an_upload() {
    let Some(moto) = Moto::start() else { return };
    let (first, second, third) = (
        moto.place("s/", settings()).await,
        moto.place("s/", settings()).await,
        moto.place("s/", settings()).await,
    );
    let content: Vec<u8> = (0..=255).cycle().take(21 << 20).collect();
    let at = first.begin("a").await;
    let mut sent = 0;
    for (place, to) in [
        (&first, 5 << 20),
        (&second, 18 << 20),
        (&third, 18 << 20 | 1),
        (&first, 21 << 20),
    ] {
        let range = format!("{sent}-{}", to - 1);
        let chunk = content[sent..to].to_vec();
        let answer = place
            .ask("PATCH", &at, &[("content-range", &range)], chunk)
            .await
            .is(202);
        assert_eq!(answer.header("range"), format!("0-{}", to - 1));
        sent = to;
    }
    let digest = Digest::of(&content);
    second
        .ask("PUT", &format!("{at}?digest={digest}"), &[], "")
        .await
        .is(201);
    let path = format!("/v2/a/blobs/{digest}");
    for place in [&first, &second, &third] {
        assert!(place.get(&path).await.is(200).body == content);
    }
    let part = [("range", "bytes=8388600-16777300")];
    let got = third.ask("GET", &path, &part, "").await.is(206);
    assert!(got.body == content[8_388_600..=16_777_300]);
    // One blob, however often it is pushed.
    first.push("b", &content).await;
    assert_eq!(second.storage.blobs.list().await.unwrap(), [digest]);
    assert!(third.storage.uploads.list().await.unwrap().is_empty());
    for place in [first, second, third] {
        place.end();
    }
}
