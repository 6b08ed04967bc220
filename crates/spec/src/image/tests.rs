use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn files(directory: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("test_data")
        .join(directory);
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    let name = |p: &Path| p.file_name().unwrap().to_str().unwrap().to_owned();
    paths
        .iter()
        .filter(|p| name(p).starts_with(prefix))
        .map(|p| (name(p), fs::read(p).unwrap()))
        .collect()
}

fn is_manifest(bytes: &[u8]) -> bool {
    matches!(
        Document::parse(bytes, Some(media::OCI_MANIFEST)),
        Ok(Document::Manifest(_))
    )
}

fn is_index(bytes: &[u8]) -> bool {
    matches!(
        Document::parse(bytes, Some(media::OCI_INDEX)),
        Ok(Document::Index(_))
    )
}

/// Documents that the schema's tests expect otherwise than we do.
const OTHERWISE: &[&str] = &[
    // An image without layers, which Docker makes of `FROM scratch`.
    "manifest-05.bad.json",
    // Digest algorithms that nobody has registered.
    "manifest-06.good.json",
    // A variable without a value: the engine's business.
    "config-09.bad.json",
    // A blob of no bytes.
    "descriptor-01.good.json",
    // Wrong `urls` and `artifactType`, which are never used.
    "descriptor-17.bad.json",
    "descriptor-19.bad.json",
    // Digest algorithms that nobody has registered.
    "descriptor-21.good.json",
    "descriptor-22.good.json",
    "descriptor-23.good.json",
    "descriptor-24.good.json",
    "descriptor-25.good.json",
    "descriptor-27.good.json",
    "descriptor-28.good.json",
    // Base64 without its padding in `data`, which is never used.
    "descriptor-29.bad.json",
];

fn otherwise(prefix: &str, accepts: impl Fn(&[u8]) -> bool) -> Vec<String> {
    let files = files("image-spec", prefix);
    assert!(files.len() > 4);
    let wrong = |(name, bytes): &(String, Vec<u8>)| accepts(bytes) != name.contains(".good.");
    files
        .into_iter()
        .filter(wrong)
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn schema_cases() {
    let descriptor =
        |bytes: &[u8]| serde_json::from_slice::<Descriptor>(bytes).is_ok_and(|d| d.check().is_ok());
    let config = |bytes: &[u8]| ImageConfig::parse(bytes).is_ok();
    let all = [
        otherwise("manifest-", is_manifest),
        otherwise("imageindex-", is_index),
        otherwise("config-", config),
        otherwise("descriptor-", descriptor),
    ];
    assert_eq!(all.concat(), OTHERWISE);
}

#[test]
fn hostile_manifests() {
    // These are wrong only compared with the blob, or are for somebody else to judge.
    let read = [
        "manifest-annotations-traversal.json",
        "manifest-digest-wrong.json",
        "manifest-size-wrong.json",
        "manifest-index-nested.json",
    ];
    let files = files("hostile", "manifest-");
    assert!(files.len() > 15);
    for (name, bytes) in files {
        let parsed = Document::parse(&bytes, None);
        assert_eq!(
            parsed.is_ok(),
            read.contains(&name.as_str()),
            "{name}: {parsed:?}"
        );
    }
}

#[test]
fn hostile_configs() {
    for (name, bytes) in files("hostile", "config-") {
        let parsed = ImageConfig::parse(&bytes);
        assert_eq!(
            parsed.is_ok(),
            name != "config-history-null-entries.json",
            "{name}: {parsed:?}"
        );
    }
}

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
"layers":[]}"#;

/// The media types of the sender, of the document and its shape must agree: a manifest that some take for an index is two
/// images with one digest (CVE-2021-41190).
#[test]
fn media_types_agree() {
    let parse =
        |declared| Document::parse(MANIFEST.as_bytes(), declared).map_err(|e| e.to_string());
    parse(None).unwrap();
    parse(Some(media::DOCKER_MANIFEST)).unwrap();
    assert!(
        parse(Some(media::OCI_MANIFEST))
            .unwrap_err()
            .contains("announced as")
    );
    assert!(
        parse(Some(media::DOCKER_LIST))
            .unwrap_err()
            .contains("does not fit")
    );
    assert!(
        parse(Some("text/html"))
            .unwrap_err()
            .contains("does not fit")
    );
    let twice = MANIFEST.replacen('{', r#"{"layers":[],"#, 1);
    assert!(
        Document::parse(twice.as_bytes(), None)
            .unwrap_err()
            .to_string()
            .contains("duplicate field")
    );
    let both = MANIFEST.replacen('{', r#"{"manifests":[],"#, 1);
    assert!(Document::parse(both.as_bytes(), None).is_err());
}

#[test]
fn limits() {
    let blank = vec![b' '; usize::try_from(MAX_DOCUMENT).unwrap() + 1];
    assert!(
        Document::parse(&blank, None)
            .unwrap_err()
            .to_string()
            .contains("over the limit")
    );
    assert!(
        ImageConfig::parse(&blank)
            .unwrap_err()
            .to_string()
            .contains("over the limit")
    );
    let layer =
        serde_json::to_string(&Descriptor::new(media::OCI_LAYER, Digest::of(b"x"), 1)).unwrap();
    let many = vec![layer.as_str(); MAX_LAYERS + 1].join(",");
    let text = MANIFEST.replace("\"layers\":[]", &format!("\"layers\":[{many}]"));
    assert!(
        Document::parse(text.as_bytes(), None)
            .unwrap_err()
            .to_string()
            .contains("129 layers")
    );
    let deep = "[".repeat(100_000);
    assert!(Document::parse(deep.as_bytes(), None).is_err());
    assert!(ImageConfig::parse(format!("{{\"x\":{deep}").as_bytes()).is_err());
}

#[test]
fn config_of_docker() {
    let text = r#"{"architecture":"amd64","config":{"Env":["PATH=/bin"],"Cmd":["sh"],"Labels":null,"Volumes":{"/data":{},"/x":null},
        "ExposedPorts":{"80/tcp":{}},"ArgsEscaped":true,"OnBuild":null},"created":"2026-01-02T03:04:05Z",
        "history":[{"created_by":"/bin/sh -c #(nop) CMD","empty_layer":true},{}],"os":"linux","variant":"",
        "rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"docker_version":"1"}"#;
    let config = ImageConfig::parse(text.as_bytes()).unwrap();
    assert_eq!(config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
    assert_eq!(config.config.entrypoint, None);
    assert_eq!(config.config.volumes.len(), 2);
    assert!(config.history[0].empty_layer && !config.history[1].empty_layer);
    assert_eq!(config.platform().to_string(), "linux/amd64");
    assert_eq!(
        config.chain_id().unwrap().digest(),
        config.rootfs.diff_ids[0].digest()
    );
    let again = serde_json::to_vec(&config).unwrap();
    assert_eq!(ImageConfig::parse(&again).unwrap(), config);
}
