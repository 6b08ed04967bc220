//! Collection while others push, and the scrub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::place::{INDEX, OCI, Place, image_of, settings};
use registry::server::{Collected, Damaged, Retention, Settings};
use spec::Digest;

fn brief() -> Settings {
    Settings {
        lease: Duration::ZERO,
        ..settings()
    }
}

async fn each(settings: Settings) -> Vec<Place> {
    vec![
        Place::memory(settings.clone()).await,
        Place::directory(settings).await,
    ]
}

#[tokio::test]
async fn what_nobody_needs_goes() {
    for place in each(brief()).await {
        let (first, _) = place.image("a", "v1", b"first").await;
        let (second, _) = place.image("a", "v1", b"second").await;
        let spare = place.push("a", b"never used").await;
        // Untagged manifests stay unless one says otherwise.
        let collected = place.server.collect(Retention::default()).await.unwrap();
        let expected = Collected {
            manifests: 0,
            links: 1,
            blobs: 1,
            bytes: 10,
        };
        assert_eq!(collected, expected);
        place
            .get(&format!("/v2/a/blobs/{spare}"))
            .await
            .refused(404, "BLOB_UNKNOWN");
        place.get(&format!("/v2/a/manifests/{first}")).await.is(200);
        let untagged = Retention {
            untagged: Some(Duration::ZERO),
        };
        let collected = place.server.collect(untagged).await.unwrap();
        let expected = Collected {
            manifests: 1,
            links: 1,
            blobs: 1,
            bytes: 5,
        };
        assert_eq!(collected, expected);
        place
            .get(&format!("/v2/a/manifests/{first}"))
            .await
            .refused(404, "MANIFEST_UNKNOWN");
        place
            .get(&format!("/v2/a/manifests/{second}"))
            .await
            .is(200);
        assert_eq!(
            place.server.collect(untagged).await.unwrap(),
            Collected::default()
        );
        // The last image of a repository takes it along.
        place.delete("/v2/a/manifests/v1").await.is(202);
        assert_eq!(place.server.collect(untagged).await.unwrap().blobs, 2);
        place
            .get("/v2/a/tags/list")
            .await
            .refused(404, "NAME_UNKNOWN");
        assert!(place.storage.blobs.list().await.unwrap().is_empty());
        place.end();
    }
}

#[tokio::test]
async fn what_is_reached_stays() {
    for place in each(brief()).await {
        let untagged = Retention {
            untagged: Some(Duration::ZERO),
        };
        let (image, _) = place.image("a", "v1", b"layer").await;
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{OCI}","digest":"{image}","size":1}}]}}"#
        );
        place.put("a", "multi", &index).await.is(201);
        place.delete("/v2/a/manifests/v1").await.is(202);
        let config = place.push("a", b"{}").await;
        let about = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI}","config":{{"mediaType":"a/b","digest":"{config}","size":2}},"layers":[],"subject":{{"mediaType":"{OCI}","digest":"{image}","size":3}}}}"#
        );
        place
            .put("a", &Digest::of(&about).to_string(), &about)
            .await
            .is(201);
        // In another repository, the same layer.
        place.image("b", "v1", b"layer").await;
        assert_eq!(
            place.server.collect(untagged).await.unwrap(),
            Collected::default()
        );
        place.delete("/v2/a/manifests/multi").await.is(202);
        let collected = place.server.collect(untagged).await.unwrap();
        assert_eq!(
            (collected.manifests, collected.links, collected.blobs),
            (3, 2, 0)
        );
        place.get("/v2/b/manifests/v1").await.is(200);
        let path = format!("/v2/a/referrers/{image}");
        assert_eq!(
            place.get(&path).await.is(200).json()["manifests"],
            serde_json::json!([])
        );
        place.end();
    }
}

static AHEAD: AtomicI64 = AtomicI64::new(0);

/// A client that found a blob, or mounted it, may rely on it for a lease, however old it is.
#[tokio::test]
async fn who_finds_a_blob_can_rely_on_it() {
    let settings = Settings {
        lease: Duration::from_secs(100),
        clock: || jiff::Timestamp::now().as_second() + AHEAD.load(Ordering::Relaxed),
        ..settings()
    };
    // The storage stamps with the real time; the server runs ahead of it.
    let place = Place::memory(settings).await;
    let layer = place.push("a", b"layer").await;
    let config = place.push("a", b"{}").await;
    AHEAD.store(60, Ordering::Relaxed);
    place.head(&format!("/v2/a/blobs/{layer}")).await.is(200);
    AHEAD.store(130, Ordering::Relaxed);
    let collected = place.server.collect(Retention::default()).await.unwrap();
    assert_eq!(
        collected.links, 1,
        "the configuration, which nobody asked for"
    );
    place
        .get(&format!("/v2/a/blobs/{config}"))
        .await
        .refused(404, "BLOB_UNKNOWN");
    place.get(&format!("/v2/a/blobs/{layer}")).await.is(200);
    place.end();
}

async fn collect_until(place: Arc<Place>, over: Arc<AtomicBool>) -> u32 {
    let untagged = Some(Duration::from_secs(4));
    let mut runs = 0;
    while !over.load(Ordering::Relaxed) {
        place.server.collect(Retention { untagged }).await.unwrap();
        runs += 1;
    }
    runs
}

async fn push_on(place: Arc<Place>, n: usize) {
    let repository = format!("r{}", n % 4);
    for round in 0..12 {
        let layer = format!("layer {round}");
        let tag = format!("t{n}");
        let (digest, manifest) = place.image(&repository, &tag, layer.as_bytes()).await;
        let path = format!("/v2/{repository}/manifests/{digest}");
        assert_eq!(place.get(&path).await.is(200).body, manifest);
        let blob = Digest::of(&layer);
        let path = format!("/v2/{repository}/blobs/{blob}");
        place.get(&path).await.is(200);
    }
}

/// Many push, tag and pull while collections run without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_never_fail_while_it_runs() {
    let settings = Settings {
        lease: Duration::from_secs(4),
        ..settings()
    };
    for place in each(settings).await {
        let place = Arc::new(place);
        let over = Arc::new(AtomicBool::new(false));
        let collecting = tokio::spawn(collect_until(Arc::clone(&place), Arc::clone(&over)));
        let mut pushers = tokio::task::JoinSet::new();
        for n in 0..8 {
            pushers.spawn(push_on(Arc::clone(&place), n));
        }
        while let Some(done) = pushers.join_next().await {
            done.unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(collecting.await.unwrap() > 0);
        Arc::into_inner(place).unwrap().end();
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let storage = registry::server::storage::directory::storage(directory.path()).unwrap();
    let place = Place::start("directory", storage, settings(), None).await;
    let (_, manifest) = place.image("a", "v1", b"layer").await;
    let good = place.server.scrub(Damaged::Report).await.unwrap();
    assert_eq!((good.blobs, good.bytes, good.damaged.len()), (2, 7, 0));
    let layer = Digest::of("layer");
    let path = directory.path().join("blobs/sha256").join(layer.hex());
    let bad = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
    std::io::Write::write_all(&mut bad.as_file(), b"lAyer").unwrap();
    bad.persist(path).unwrap();
    assert_eq!(
        place.server.scrub(Damaged::Report).await.unwrap().damaged,
        [layer]
    );
    assert_eq!(
        place.server.scrub(Damaged::Remove).await.unwrap().damaged,
        [layer]
    );
    // Told, and healed by the next push.
    assert_eq!(place.complaints.lock().unwrap().len(), 2);
    assert!(place.complaints.lock().unwrap()[0].starts_with(&format!("verify blob {layer}: ")));
    place.head(&format!("/v2/a/blobs/{layer}")).await.is(404);
    place.push("a", b"layer").await;
    place.put("a", "v1", &manifest).await.is(201);
    assert!(
        place
            .server
            .scrub(Damaged::Report)
            .await
            .unwrap()
            .damaged
            .is_empty()
    );
    place.complaints.lock().unwrap().clear();
    place.end();
}

#[tokio::test]
async fn the_numbers_are_there() {
    let place = Place::memory(settings()).await;
    let (_, _) = place.image("a", "v1", b"layer").await;
    let config = image_of(&Digest::of("x"), 1, &Digest::of("y"), 1);
    place.put("a", "v2", &config).await.is(404);
    let text = String::from_utf8(place.get("/metrics").await.is(200).body.to_vec()).unwrap();
    for line in [
        "tare_registry_request_seconds_count{method=\"PUT\",resource=\"manifest\",status=\"201\"} 1",
        "tare_registry_request_seconds_count{method=\"PUT\",resource=\"manifest\",status=\"404\"} 1",
        "tare_registry_received_bytes_total 7",
        "tare_registry_uploads_under_way 0",
        "tare_registry_requests_under_way 1",
        "tare_registry_failures_total 0",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
    }
    place.end();
}
