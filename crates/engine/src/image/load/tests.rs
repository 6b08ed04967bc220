use std::collections::BTreeMap;

use serde_json::json;
use spec::Digest;

use super::catalogue::Catalogue;
use super::{Contents, blob_of, is_document};

fn contents(documents: &[(&str, Vec<u8>)]) -> Contents<'static> {
    Contents {
        documents: documents
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect(),
        ..Contents::default()
    }
}

fn blob(bytes: &[u8]) -> (String, String, Vec<u8>) {
    let digest = Digest::of(bytes);
    let place = format!("blobs/sha256/{}", digest.hex());
    (digest.to_string(), place, bytes.to_vec())
}

fn manifest(config: &str) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": Digest::of("layer").to_string(),
            "size": 5
        }]
    })
    .to_string()
    .into_bytes()
}

#[test]
fn dockers_manifest() {
    let text = br#"[{"Config":"abc.json","RepoTags":["busybox:1","localhost:5000/b"],"Layers":["x/layer.tar"]},
        {"Config":"def.json","RepoTags":null,"Layers":null}]"#;
    let catalogue = Catalogue::of(&contents(&[("manifest.json", text.to_vec())]), None).unwrap();
    let names: Vec<_> = catalogue.images[0]
        .references
        .iter()
        .map(|r| r.familiar())
        .collect();
    assert_eq!(names, ["busybox:1", "localhost:5000/b:latest"]);
    assert_eq!(catalogue.images[0].layers, ["x/layer.tar"]);
    assert!(catalogue.images[1].references.is_empty());
}

#[test]
fn an_oci_layout_gives_this_machines_image() {
    let (config, config_place, config_bytes) = blob(b"{}");
    let (ours, ours_place, ours_bytes) = blob(&manifest(&config));
    let host = spec::Platform::host();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of("other").to_string(),
             "size": 1, "platform": {"os": "plan9", "architecture": "mips"}},
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": ours, "size": ours_bytes.len(),
             "platform": {"os": host.os, "architecture": host.architecture}}
        ]
    })
    .to_string()
    .into_bytes();
    let (list, list_place, list_bytes) = blob(&index);
    let top = |name: &str| {
        json!({"schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": list, "size": list_bytes.len(),
            "annotations": {"org.opencontainers.image.ref.name": name}
        }]})
        .to_string()
        .into_bytes()
    };
    for (name, expected) in [("docker.io/library/a:1", 1), ("latest", 0)] {
        let all = contents(&[
            ("index.json", top(name)),
            (&list_place, list_bytes.clone()),
            (&ours_place, ours_bytes.clone()),
            (&config_place, config_bytes.clone()),
        ]);
        let catalogue = Catalogue::of(&all, None).unwrap();
        assert_eq!(catalogue.images.len(), 1);
        assert_eq!(
            catalogue.images[0].manifest.as_deref(),
            Some(ours_place.as_str())
        );
        assert_eq!(catalogue.images[0].references.len(), expected);
    }
    let damaged = contents(&[
        ("index.json", top("a:1")),
        (&list_place, list_bytes.clone()),
        (&ours_place, b"{}".to_vec()),
    ]);
    let error = Catalogue::of(&damaged, None).unwrap_err();
    assert!(
        error.message.contains("does not have this digest"),
        "{}",
        error.message
    );
}

#[test]
fn what_is_no_archive_of_images_says_so() {
    let error = Catalogue::of(&contents(&[("etc/passwd", Vec::new())]), None).unwrap_err();
    assert!(
        error
            .message
            .contains("neither manifest.json nor index.json")
    );
    assert!(error.hint.is_some());
    let bad = Catalogue::of(&contents(&[("manifest.json", b"{".to_vec())]), None).unwrap_err();
    assert_eq!(bad.message, "invalid manifest.json");
}

#[test]
fn links_lead_to_their_targets() {
    let links: BTreeMap<String, String> = [
        ("b/layer.tar".to_owned(), "../a/layer.tar".to_owned()),
        ("loop".to_owned(), "loop".to_owned()),
    ]
    .into();
    let all = Contents {
        links,
        documents: [("a/layer.tar".to_owned(), Vec::new())].into(),
        ..Contents::default()
    };
    assert_eq!(all.real("b/layer.tar"), "a/layer.tar");
    assert_eq!(all.real("loop"), "loop");
    assert_eq!(all.real("./other"), "other");
}

#[test]
fn documents_and_blobs_are_told_apart() {
    assert!(is_document("blobs/sha256/ab", b" {", 900));
    assert!(is_document("x/VERSION", b"1.0", 3));
    assert!(!is_document("x/layer.tar", b"", 0));
    assert!(!is_document("blobs/sha256/ab", &[0x1f, 0x8b], 900));
    let digest = Digest::of("x");
    assert!(blob_of(&format!("blobs/sha256/{}", digest.hex())).is_some());
    assert!(blob_of("blobs/sha256/zz").is_none());
    assert!(blob_of("layer.tar").is_none());
}
