//! A cache of several upstreams on one port that is pushed to as well, before and after they are down.

use std::sync::Arc;
use std::time::Duration;

use registry::Credentials;
use registry::client::{Client, Patience, Settings as ClientSettings};
use registry::server::{Mirrors, Retention, Settings, Upstream};
use spec::Digest;

use super::place::{Place, settings};

async fn cache(upstreams: &[(&str, &Place)], scratch: &std::path::Path) -> Place {
    let client = Client::new(ClientSettings {
        patience: Patience {
            attempts: 2,
            pause: Duration::from_millis(1),
            ..Patience::default()
        },
        ..ClientSettings::default()
    });
    let upstreams = upstreams.iter().map(|(prefix, place)| Upstream {
        prefix: (*prefix).to_owned(),
        registry: place.address.to_string(),
        credentials: Credentials::Anonymous,
    });
    let mirrors = Mirrors::new(
        client,
        upstreams.collect(),
        scratch.to_owned(),
        Duration::ZERO,
    );
    let settings = Settings {
        mirrors: Some(Arc::new(mirrors.unwrap())),
        ..settings()
    };
    Place::directory(settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pulled_is_served_when_upstreams_are_down() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (
        Place::memory(settings()).await,
        Place::memory(settings()).await,
    );
    // Larger than what is fetched in one stream.
    let large: Vec<u8> = (0..=255).cycle().take(20 << 20).collect();
    let (digest, manifest) = one.image("team/app", "v1", &large).await;
    two.image("tool", "v2", b"other").await;
    let place = cache(&[("one.test", &one), ("two.test", &two)], scratch.path()).await;
    // It takes pushes beside that, but not into what is a cache.
    place.image("own/app", "v1", b"own").await;
    place
        .ask("POST", "/v2/one.test/team/app/blobs/uploads/", &[], "")
        .await
        .refused(403, "DENIED");
    let layer = format!("blobs/{}", Digest::of(&large));
    assert_eq!(
        place
            .get("/v2/one.test/team/app/manifests/v1")
            .await
            .is(200)
            .body,
        manifest
    );
    // Many at a time fetch it once.
    let path = format!("/v2/one.test/team/app/{layer}");
    let part = [("range", "bytes=5-9")];
    let (a, b) = tokio::join!(place.get(&path), place.ask("GET", &path, &part, ""));
    assert!(a.is(200).body == large);
    assert_eq!(b.is(206).body, &large[5..=9]);
    place.get("/v2/two.test/tool/manifests/v2").await.is(200);
    place
        .get("/v2/one.test/tool/manifests/v2")
        .await
        .refused(404, "MANIFEST_UNKNOWN");
    place
        .get(&format!("/v2/two.test/tool/{layer}"))
        .await
        .refused(404, "BLOB_UNKNOWN");
    // As containerd asks a mirror.
    let ns = format!("/v2/team/app/manifests/{digest}?ns={}", one.address);
    place.get(&ns).await.is(200);
    // A tag that moved.
    let (moved, _) = one.image("team/app", "v1", b"new").await;
    let head = place
        .head("/v2/one.test/team/app/manifests/v1")
        .await
        .is(200);
    assert_eq!(head.header("docker-content-digest"), moved.to_string());
    // Collected, it would be fetched again; what manifests name stays.
    let untagged = Retention { untagged: None };
    assert_eq!(place.server.collect(untagged).await.unwrap().blobs, 0);
    one.end();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        place
            .get(&format!("/v2/one.test/team/app/manifests/{digest}"))
            .await
            .is(200)
            .body,
        manifest
    );
    place
        .get("/v2/one.test/team/app/manifests/v1")
        .await
        .is(200);
    assert!(
        place
            .get(&format!("/v2/one.test/team/app/{layer}"))
            .await
            .is(200)
            .body
            == large
    );
    place.get("/v2/own/app/manifests/v1").await.is(200);
    place.get("/v2/two.test/tool/manifests/v2").await.is(200);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    place.end();
    two.end();
}

#[test]
fn prefixes_that_can_be_none() {
    let scratch = tempfile::tempdir().unwrap();
    let one = |prefix: &str| Upstream {
        prefix: prefix.to_owned(),
        registry: "r.test".to_owned(),
        credentials: Credentials::Anonymous,
    };
    for bad in [
        vec![one("")],
        vec![one("UP")],
        vec![one("a:1")],
        vec![one("a"), one("a")],
    ] {
        let client = Client::new(ClientSettings::default());
        assert!(Mirrors::new(client, bad, scratch.path().to_owned(), Duration::ZERO).is_err());
    }
}
