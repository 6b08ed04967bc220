//! Uploads: all ways in, in order, resumed, cancelled, refused.

use std::time::Duration;

use super::place::{Place, settings};
use registry::server::{Limits, Settings};
use spec::Digest;

#[tokio::test]
async fn five_ways_in() {
    for place in Place::each().await {
        let content = b"some content";
        let digest = Digest::of(content);
        let check = |repository: &'static str| {
            let place = &place;
            async move {
                let got = place
                    .get(&format!("/v2/{repository}/blobs/{digest}"))
                    .await
                    .is(200);
                assert_eq!(got.body, &content[..]);
            }
        };
        // POST alone.
        place.push("one", content).await;
        check("one").await;
        // POST, then PUT with everything.
        let at = place.begin("two").await;
        let put = place
            .ask("PUT", &format!("{at}?digest={digest}"), &[], &content[..])
            .await
            .is(201);
        assert_eq!(put.header("location"), format!("/v2/two/blobs/{digest}"));
        assert_eq!(put.header("docker-content-digest"), digest.to_string());
        check("two").await;
        // Chunks.
        let at = place.begin("three").await;
        let first = place
            .ask("PATCH", &at, &[("content-range", "0-3")], &content[..4])
            .await
            .is(202);
        assert_eq!(first.header("range"), "0-3");
        assert_eq!(first.header("location"), at);
        assert!(at.ends_with(first.header("docker-upload-uuid")));
        let second = place
            .ask("PATCH", &at, &[("content-range", "4-11")], &content[4..])
            .await
            .is(202);
        assert_eq!(second.header("range"), "0-11");
        place
            .ask("PUT", &format!("{at}?digest={digest}"), &[], "")
            .await
            .is(201);
        check("three").await;
        // The last chunk with the PUT.
        let at = place.begin("four").await;
        place
            .ask("PATCH", &at, &[("content-range", "0-3")], &content[..4])
            .await
            .is(202);
        let last = [("content-range", "4-11")];
        place
            .ask(
                "PUT",
                &format!("{at}?digest={digest}"),
                &last,
                &content[4..],
            )
            .await
            .is(201);
        check("four").await;
        // A stream without a range, as docker sends it.
        let at = place.begin("five").await;
        place.ask("PATCH", &at, &[], &content[..]).await.is(202);
        place
            .ask(
                "PUT",
                &format!("{at}?digest=sha256%3A{}", digest.hex()),
                &[],
                "",
            )
            .await
            .is(201);
        check("five").await;
        assert!(place.storage.uploads.list().await.unwrap().is_empty());
        place.end();
    }
}

#[tokio::test]
async fn a_wrong_digest_is_never_stored() {
    for place in Place::each().await {
        let wrong = Digest::of("other");
        let gone = format!("/v2/a/blobs/{wrong}");
        let path = format!("/v2/a/blobs/uploads/?digest={wrong}");
        place
            .ask("POST", &path, &[], "content")
            .await
            .refused(400, "DIGEST_INVALID");
        for chunks in [0, 1] {
            let at = place.begin("a").await;
            if chunks == 1 {
                place.ask("PATCH", &at, &[], "con").await.is(202);
            }
            let end = format!("{at}?digest={wrong}");
            place
                .ask("PUT", &end, &[], "tent")
                .await
                .refused(400, "DIGEST_INVALID");
            place.get(&at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        }
        place.get(&gone).await.refused(404, "BLOB_UNKNOWN");
        for bad in [
            "",
            "?digest=",
            "?digest=sha256:bad",
            "?digest=md5:abc",
            "?digest=sha256:../../etc",
        ] {
            let at = place.begin("a").await;
            place
                .ask("PUT", &format!("{at}{bad}"), &[], "x")
                .await
                .refused(400, "DIGEST_INVALID");
            // It was not the content's fault.
            place.delete(&at).await.is(204);
        }
        assert!(place.storage.uploads.list().await.unwrap().is_empty());
        assert!(place.storage.blobs.list().await.unwrap().is_empty());
        place.end();
    }
}

#[tokio::test]
async fn chunks_come_in_order() {
    for place in Place::each().await {
        let at = place.begin("a").await;
        let status = place.get(&at).await.is(204);
        assert_eq!(status.header("range"), "0-0");
        let early = place
            .ask("PATCH", &at, &[("content-range", "3-5")], "abc")
            .await;
        let early = early.refused(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(early.header("range"), "0-0");
        assert_eq!(early.header("location"), at);
        place
            .ask("PATCH", &at, &[("content-range", "0-2")], "abc")
            .await
            .is(202);
        let again = place
            .ask("PATCH", &at, &[("content-range", "0-2")], "abc")
            .await;
        assert_eq!(
            again.refused(416, "BLOB_UPLOAD_INVALID").header("range"),
            "0-2"
        );
        let status = place.get(&at).await.is(204);
        assert_eq!(status.header("range"), "0-2");
        assert_eq!(status.header("location"), at);
        for (range, code) in [
            ("x", "BLOB_UPLOAD_INVALID"),
            ("3-", "BLOB_UPLOAD_INVALID"),
            ("5-3", "BLOB_UPLOAD_INVALID"),
            ("3-9", "SIZE_INVALID"),
        ] {
            place
                .ask("PATCH", &at, &[("content-range", range)], "def")
                .await
                .refused(400, code);
        }
        let late = [("content-range", "9-11")];
        let digest = Digest::of("abcdef");
        let end = format!("{at}?digest={digest}");
        place
            .ask("PUT", &end, &late, "def")
            .await
            .refused(416, "BLOB_UPLOAD_INVALID");
        place
            .ask("PUT", &end, &[("content-range", "3-5")], "def")
            .await
            .is(201);
        place.end();
    }
}

#[tokio::test]
async fn cancelled_and_of_others() {
    for place in Place::each().await {
        let at = place.begin("a").await;
        place.ask("PATCH", &at, &[], "abc").await.is(202);
        let elsewhere = at.replace("/v2/a/", "/v2/b/");
        place
            .get(&elsewhere)
            .await
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        place
            .ask("PATCH", &elsewhere, &[], "x")
            .await
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        place
            .delete(&elsewhere)
            .await
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        place.delete(&at).await.is(204);
        place.get(&at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        place.delete(&at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        place
            .ask("PATCH", &at, &[], "x")
            .await
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        place.end();
    }
}

#[tokio::test]
async fn mounts() {
    for place in Place::each().await {
        let digest = place.push("from", b"layer").await;
        let path = format!("/v2/into/blobs/uploads/?mount={digest}&from=from");
        let mounted = place.ask("POST", &path, &[], "").await.is(201);
        assert_eq!(
            mounted.header("location"),
            format!("/v2/into/blobs/{digest}")
        );
        place.get(&format!("/v2/into/blobs/{digest}")).await.is(200);
        // From anywhere.
        let path = format!("/v2/third/blobs/uploads/?mount={digest}");
        place.ask("POST", &path, &[], "").await.is(201);
        // What can't be mounted is uploaded.
        let missing = Digest::of("missing");
        for query in [
            format!("mount={missing}&from=from"),
            format!("mount={digest}&from=empty"),
            format!("mount={digest}&from=../x"),
            "mount=nonsense&from=from".to_owned(),
        ] {
            let begun = place
                .ask("POST", &format!("/v2/x/blobs/uploads/?{query}"), &[], "")
                .await
                .is(202);
            assert!(
                begun.header("location").starts_with("/v2/x/blobs/uploads/"),
                "{query}"
            );
        }
        place.end();
    }
}

#[tokio::test]
async fn old_uploads_expire() {
    let settings = Settings {
        limits: Limits {
            upload_age: Duration::from_secs(3600),
            uploads: 2,
            ..Limits::default()
        },
        // Two hours from now.
        clock: || jiff::Timestamp::now().as_second() + 7200,
        ..settings()
    };
    for place in [
        Place::memory(settings.clone()).await,
        Place::directory(settings).await,
    ] {
        let at = place.begin("a").await;
        place.begin("a").await;
        let path = "/v2/a/blobs/uploads/";
        let many = place
            .ask("POST", path, &[], "")
            .await
            .refused(429, "TOOMANYREQUESTS");
        assert_eq!(many.header("retry-after"), "60");
        assert_eq!(place.server.expire().await.unwrap(), 2);
        place.get(&at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
        place.begin("a").await;
        place.end();
    }
}
