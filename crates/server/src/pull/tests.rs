use super::*;

#[test]
fn what_is_asked_for() {
    let text = |image, tag| named(image, tag).map(|r| r.to_string());
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(text("busybox", None).unwrap(), "docker.io/library/busybox");
    assert_eq!(
        text("busybox", Some("1.36")).unwrap(),
        "docker.io/library/busybox:1.36"
    );
    assert_eq!(
        text("host:5000/a/b:old", Some("new")).unwrap(),
        "host:5000/a/b:new"
    );
    assert_eq!(
        text("busybox", Some(&digest)).unwrap(),
        format!("docker.io/library/busybox@{digest}")
    );
    assert!(text("Busybox", None).is_err());
    assert!(text("busybox", Some("sha256:short")).is_err());
    assert!(text("busybox", Some("..")).is_err());
}

#[test]
fn the_words_of_docker() {
    let digest = spec::BlobDigest::new(spec::Digest::of("layer"));
    let line = messages(PullNews::Layer(
        digest,
        LayerNews::Downloading(Amount {
            current: 500_000,
            total: 1_000_000,
        }),
    ));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["status"], "Downloading");
    assert_eq!(value["progressDetail"]["current"], 500_000);
    assert_eq!(
        value["progress"],
        "[=========================>                         ]    500kB/1MB"
    );
    assert_eq!(value["id"], digest.hex()[..12]);
}
