//! Manifests: put, got, checked, negotiated, deleted.

use super::place::{INDEX, OCI, Place, image_of};
use spec::Digest;

#[tokio::test]
async fn put_and_got() {
    for place in Place::each().await {
        let (digest, manifest) = place.image("a/b", "v1", b"layer").await;
        for reference in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/a/b/manifests/{reference}");
            let got = place.get(&path).await.is(200);
            assert_eq!(got.body, manifest);
            assert_eq!(got.header("content-type"), OCI);
            assert_eq!(got.header("docker-content-digest"), digest.to_string());
            let head = place.head(&path).await.is(200);
            assert_eq!(head.header("content-length"), manifest.len().to_string());
            assert_eq!(head.header("docker-content-digest"), digest.to_string());
            let same = format!("\"{digest}\"");
            place
                .ask("GET", &path, &[("if-none-match", &same)], "")
                .await
                .is(304);
        }
        let missing = Digest::of("missing");
        for reference in ["v2".to_owned(), missing.to_string()] {
            let path = format!("/v2/a/b/manifests/{reference}");
            place.get(&path).await.refused(404, "MANIFEST_UNKNOWN");
            place.head(&path).await.is(404);
            place.delete(&path).await.refused(404, "MANIFEST_UNKNOWN");
        }
        place
            .get("/v2/never/manifests/v1")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        place.end();
    }
}

#[tokio::test]
async fn put_by_digest_and_with_several_tags() {
    for place in Place::each().await {
        let (digest, manifest) = place.image("a", "v1", b"layer").await;
        place
            .delete(&format!("/v2/a/manifests/{digest}"))
            .await
            .is(202);
        place
            .get("/v2/a/manifests/v1")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        let put = place
            .put("a", &format!("{digest}?tag=x&tag=y"), &manifest)
            .await
            .is(201);
        let tags: Vec<_> = put.headers.get_all("oci-tag").iter().collect();
        assert_eq!(tags, ["x", "y"]);
        assert_eq!(put.header("location"), format!("/v2/a/manifests/{digest}"));
        place.get("/v2/a/manifests/y").await.is(200);
        place
            .put("a", &Digest::of("x").to_string(), &manifest)
            .await
            .refused(400, "DIGEST_INVALID");
        place
            .put("a", &format!("{digest}?tag=.."), &manifest)
            .await
            .refused(400, "TAG_INVALID");
        let mut hasher = spec::Hasher::new(spec::Algorithm::Sha512);
        hasher.update(manifest.as_bytes());
        let long = hasher.finish();
        place.put("a", &long.to_string(), &manifest).await.is(201);
        place.get(&format!("/v2/a/manifests/{long}")).await.is(200);
        place.end();
    }
}

#[tokio::test]
async fn everything_it_names_must_be_there() {
    for place in Place::each().await {
        let config = place.push("a", b"{}").await;
        let layer = Digest::of("layer");
        let manifest = image_of(&config, 2, &layer, 5);
        let refused = place
            .put("a", "v1", &manifest)
            .await
            .refused(404, "MANIFEST_BLOB_UNKNOWN");
        let named = refused.json()["errors"][0]["detail"]["digest"].clone();
        assert_eq!(named, layer.to_string());
        // In another repository it is not here.
        place.push("b", b"layer").await;
        place
            .put("a", "v1", &manifest)
            .await
            .refused(404, "MANIFEST_BLOB_UNKNOWN");
        place
            .get("/v2/a/manifests/v1")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        place.push("a", b"layer").await;
        place.put("a", "v1", &manifest).await.is(201);
        // An index of one that is here and one that is not: a part of a larger whole.
        let (here, gone) = (Digest::of(&manifest), Digest::of("gone"));
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{OCI}","digest":"{here}","size":1}},{{"mediaType":"{OCI}","digest":"{gone}","size":1}}]}}"#
        );
        place.put("a", "multi", &index).await.is(201);
        assert_eq!(
            place
                .get("/v2/a/manifests/multi")
                .await
                .is(200)
                .header("content-type"),
            INDEX
        );
        // For whoever knows no indexes.
        let old = [(
            "accept",
            "application/vnd.docker.distribution.manifest.v2+json",
        )];
        place
            .ask("GET", "/v2/a/manifests/multi", &old, "")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        let both = [("accept", OCI), ("accept", "text/plain, */*;q=0.1")];
        place
            .ask("GET", "/v2/a/manifests/multi", &both, "")
            .await
            .is(200);
        place.end();
    }
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    for place in Place::each().await {
        let path = "/v2/a/manifests/v1";
        for bad in ["", "{", "null", "[]", r#"{"schemaVersion":2}"#] {
            place
                .ask("PUT", path, &[], bad)
                .await
                .refused(400, "MANIFEST_INVALID");
        }
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        place
            .ask("PUT", path, &[("content-type", "text/html")], index)
            .await
            .refused(400, "MANIFEST_INVALID");
        place
            .ask("PUT", path, &[("content-type", OCI)], index)
            .await
            .refused(400, "MANIFEST_INVALID");
        let large = " ".repeat((4 << 20) + 1);
        place
            .ask("PUT", path, &[], large)
            .await
            .refused(413, "MANIFEST_INVALID");
        // As large as may be.
        let room = " ".repeat((4 << 20) - index.len());
        place
            .ask(
                "PUT",
                path,
                &[("content-type", INDEX)],
                format!("{index}{room}"),
            )
            .await
            .is(201);
        let deep = "[".repeat(100_000);
        place
            .ask("PUT", path, &[], deep)
            .await
            .refused(400, "MANIFEST_INVALID");
        place.end();
    }
}

#[tokio::test]
async fn tags_move_and_go() {
    for place in Place::each().await {
        let (first, _) = place.image("a", "v1", b"1").await;
        let (second, _) = place.image("a", "v1", b"2").await;
        let now = place.head("/v2/a/manifests/v1").await.is(200);
        assert_eq!(now.header("docker-content-digest"), second.to_string());
        place.get(&format!("/v2/a/manifests/{first}")).await.is(200);
        place.image("a", "v2", b"2").await;
        place.delete("/v2/a/manifests/v1").await.is(202);
        place
            .get("/v2/a/manifests/v1")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        place.get("/v2/a/manifests/v2").await.is(200);
        place
            .delete(&format!("/v2/a/manifests/{second}"))
            .await
            .is(202);
        place
            .get("/v2/a/manifests/v2")
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        assert_eq!(
            place.get("/v2/a/tags/list").await.is(200).json()["tags"],
            serde_json::json!([])
        );
        place.end();
    }
}
