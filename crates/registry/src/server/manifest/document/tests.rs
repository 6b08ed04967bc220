use super::*;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn part(kind: &str) -> String {
    format!(r#"{{"mediaType":"{kind}","digest":"sha256:{HEX}","size":4}}"#)
}

fn parse(text: &str) -> Result<Document, String> {
    Document::parse(text.as_bytes(), None)
}

#[test]
fn an_image() {
    let text = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}],"unknown":{{"a":[1]}}}}"#,
        part("application/vnd.oci.image.config.v1+json"),
        part("a/b"),
    );
    let document = parse(&text).unwrap();
    assert_eq!(document.media_type, media::OCI_MANIFEST);
    assert_eq!(document.blobs.len(), 1);
    assert_eq!(document.artifact_type.as_deref(), Some(media::OCI_CONFIG));
    // With parameters, as some clients send it.
    let declared = format!("{}; charset=utf-8", media::DOCKER_MANIFEST);
    let document = Document::parse(text.as_bytes(), Some(&declared)).unwrap();
    assert_eq!(document.media_type, media::DOCKER_MANIFEST);
}

#[test]
fn layers_that_are_elsewhere_are_not_asked_for() {
    let foreign = part(media::DOCKER_FOREIGN_GZIP);
    let config = part(media::OCI_EMPTY).replace("9f", "0f");
    let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{foreign}]}}"#);
    assert_eq!(parse(&text).unwrap().blobs.len(), 1);
}

#[test]
fn an_artifact_and_an_index() {
    let text = format!(
        r#"{{"schemaVersion":2,"artifactType":"x/y","config":{0},"layers":[{0}],"subject":{0},"annotations":{{"k":"v"}}}}"#,
        part(media::OCI_EMPTY),
    );
    let document = parse(&text).unwrap();
    let descriptor = document.descriptor(document.blobs[0], 7);
    assert_eq!(descriptor.artifact_type.as_deref(), Some("x/y"));
    assert_eq!(descriptor.annotations.unwrap()["k"], "v");
    assert!(document.subject.is_some());
    let index = parse(r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    assert_eq!(index.media_type, media::OCI_INDEX);
    assert_eq!(index.artifact_type, None);
}

#[test]
fn what_is_unclear_is_refused() {
    let both = format!(
        r#"{{"schemaVersion":2,"config":{0},"layers":[],"manifests":[]}}"#,
        part("a/b"),
    );
    let half = format!(r#"{{"schemaVersion":2,"config":{}}}"#, part("a/b"));
    for bad in [
        "",
        "null",
        "[]",
        "{}",
        "\"x\"",
        r#"{"schemaVersion":2}"#,
        r#"{"schemaVersion":1,"fsLayers":[]}"#,
        r#"{"schemaVersion":2,"manifests":null}"#,
        r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#,
        r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x"}]}"#,
        r#"{"schemaVersion":2,"mediaType":"text/html","manifests":[]}"#,
        &both,
        &half,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    for declared in [media::OCI_MANIFEST, media::DOCKER_LIST, "text/plain"] {
        assert!(Document::parse(index.as_bytes(), Some(declared)).is_err());
    }
}
