//! Blobs: pulled whole, in part, on conditions; deleted; and never of another repository.

use super::place::{Place, settings};
use registry::server::Mode;
use registry::server::Settings;

#[tokio::test]
async fn pulled_and_deleted() {
    for place in Place::each().await {
        let digest = place.push("a/b", b"hello world").await;
        let path = format!("/v2/a/b/blobs/{digest}");
        let got = place.get(&path).await.is(200);
        assert_eq!(got.body, "hello world");
        assert_eq!(got.header("content-length"), "11");
        assert_eq!(got.header("docker-content-digest"), digest.to_string());
        assert_eq!(got.header("content-type"), "application/octet-stream");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("content-disposition"), "attachment");
        assert_eq!(got.header("accept-ranges"), "bytes");
        assert_eq!(got.header("etag"), format!("\"{digest}\""));
        let head = place.head(&path).await.is(200);
        assert_eq!(head.header("content-length"), "11");
        assert_eq!(head.body, "");
        place.delete(&path).await.is(202);
        place.get(&path).await.refused(404, "BLOB_UNKNOWN");
        place.head(&path).await.is(404);
        place.delete(&path).await.refused(404, "BLOB_UNKNOWN");
        place
            .ask("PUT", &path, &[], "x")
            .await
            .refused(405, "UNSUPPORTED");
        place.end();
    }
}

#[tokio::test]
async fn ranges() {
    for place in Place::each().await {
        let content: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        let digest = place.push("a", &content).await;
        let path = format!("/v2/a/blobs/{digest}");
        for (range, expected, shown) in [
            ("bytes=0-0", &content[..1], "bytes 0-0/1048576"),
            (
                "bytes=1048570-",
                &content[1_048_570..],
                "bytes 1048570-1048575/1048576",
            ),
            (
                "bytes=-3",
                &content[1_048_573..],
                "bytes 1048573-1048575/1048576",
            ),
            (
                "bytes=300000-900000",
                &content[300_000..=900_000],
                "bytes 300000-900000/1048576",
            ),
        ] {
            let got = place
                .ask("GET", &path, &[("range", range)], "")
                .await
                .is(206);
            assert_eq!(got.body, expected, "{range}");
            assert_eq!(got.header("content-range"), shown);
            let head = place
                .ask("HEAD", &path, &[("range", range)], "")
                .await
                .is(206);
            assert_eq!(head.header("content-length"), expected.len().to_string());
        }
        let over = place
            .ask("GET", &path, &[("range", "bytes=1048576-")], "")
            .await;
        let over = over.refused(416, "RANGE_INVALID");
        assert_eq!(over.header("content-range"), "bytes */1048576");
        // Several, or none that is understood: all of it.
        for range in ["bytes=0-1,4-5", "bytes=x", "lines=1-2"] {
            let got = place
                .ask("GET", &path, &[("range", range)], "")
                .await
                .is(200);
            assert_eq!(got.body, content);
        }
        // A part of something else is not continued.
        let same = format!("\"{digest}\"");
        let part = |tag| [("range", "bytes=0-1"), ("if-range", tag)];
        place.ask("GET", &path, &part(&same), "").await.is(206);
        place
            .ask("GET", &path, &part("\"other\""), "")
            .await
            .is(200);
        place.end();
    }
}

#[tokio::test]
async fn conditions() {
    for place in Place::each().await {
        let digest = place.push("a", b"x").await;
        let path = format!("/v2/a/blobs/{digest}");
        let same = format!("\"{digest}\"");
        let unchanged = place
            .ask("GET", &path, &[("if-none-match", &same)], "")
            .await
            .is(304);
        assert_eq!(unchanged.body, "");
        assert_eq!(unchanged.header("etag"), same);
        place
            .ask("HEAD", &path, &[("if-none-match", "\"y\", *")], "")
            .await
            .is(304);
        place
            .ask("GET", &path, &[("if-none-match", "\"y\"")], "")
            .await
            .is(200);
        place
            .ask("GET", &path, &[("if-match", "\"y\"")], "")
            .await
            .is(412);
        place
            .ask("GET", &path, &[("if-match", &same)], "")
            .await
            .is(200);
        place.end();
    }
}

#[tokio::test]
async fn of_other_repositories_stay_there() {
    for place in Place::each().await {
        let digest = place.push("secret", b"secret").await;
        place
            .get(&format!("/v2/other/blobs/{digest}"))
            .await
            .refused(404, "BLOB_UNKNOWN");
        // Deleted here, it can't be read there either: but there it stays.
        place.push("other", b"secret").await;
        place
            .delete(&format!("/v2/secret/blobs/{digest}"))
            .await
            .is(202);
        place
            .get(&format!("/v2/secret/blobs/{digest}"))
            .await
            .refused(404, "BLOB_UNKNOWN");
        place
            .get(&format!("/v2/other/blobs/{digest}"))
            .await
            .is(200);
        place.end();
    }
}

#[tokio::test]
async fn nothing_is_changed_in_a_read_only_registry() {
    let place = Place::directory(settings()).await;
    let (digest, manifest) = place.image("a", "v1", b"layer").await;
    let settings = Settings {
        mode: Mode::ReadOnly,
        ..settings()
    };
    let fixed = Place::start("read-only", place.storage.clone(), settings, None).await;
    assert_eq!(fixed.get("/v2/a/manifests/v1").await.is(200).body, manifest);
    for (method, path) in [
        ("DELETE", "/v2/a/manifests/v1"),
        ("PUT", "/v2/a/manifests/v2"),
        ("POST", "/v2/a/blobs/uploads/"),
        ("DELETE", &format!("/v2/a/manifests/{digest}")),
    ] {
        fixed
            .ask(method, path, &[], "")
            .await
            .refused(405, "DENIED");
    }
    place.end();
    fixed.end();
}
