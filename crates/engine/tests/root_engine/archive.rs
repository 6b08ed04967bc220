//! Archives of images, made by hand.

use std::io::Write;

use serde_json::json;
use spec::Digest;

/// One entry of a tar.
pub(crate) fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(if kind == b'5' {
        b"0000755\0"
    } else {
        b"0000644\0"
    });
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A tar of files; a name with a slash at its end is a directory.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let kind = if name.ends_with('/') { b'5' } else { b'0' };
        bytes.extend(entry(name, kind, content));
    }
    bytes.extend([0; 1024]);
    bytes
}

pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Image {
    pub(crate) fn new(layers: &[&[(&str, &str)]]) -> Self {
        Self::with(
            layers,
            json!({"Cmd": ["sh"], "Env": ["PATH=/bin"], "Labels": {"a": "1"}}),
        )
    }

    pub(crate) fn with(layers: &[&[(&str, &str)]], config: serde_json::Value) -> Self {
        let layers: Vec<Vec<u8>> = layers
            .iter()
            .map(|files| {
                let files: Vec<(&str, &[u8])> =
                    files.iter().map(|(n, c)| (*n, c.as_bytes())).collect();
                tar(&files)
            })
            .collect();
        let host = spec::Platform::host();
        let diff_ids: Vec<String> = layers.iter().map(|l| Digest::of(l).to_string()).collect();
        let history: Vec<_> = (0..layers.len())
            .map(|n| json!({"created_by": format!("step {n}")}))
            .collect();
        let config = json!({
            "architecture": host.architecture, "os": host.os, "created": "2024-05-06T07:08:09Z",
            "config": config, "history": history, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        Self {
            config: config.to_string().into_bytes(),
            layers,
        }
    }

    pub(crate) fn id(&self) -> String {
        Digest::of(&self.config).to_string()
    }
}

/// As `docker save` wrote it up to version 24.
pub(crate) fn docker(images: &[(&Image, &[&str])]) -> Vec<u8> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut manifest = Vec::new();
    for (number, (image, tags)) in images.iter().enumerate() {
        let config = format!("{}.json", Digest::of(&image.config).hex());
        let mut layers = Vec::new();
        for (place, layer) in image.layers.iter().enumerate() {
            let name = format!("{number}-{place}/layer.tar");
            files.push((name.clone(), layer.clone()));
            layers.push(name);
        }
        files.push((config.clone(), image.config.clone()));
        manifest.push(json!({"Config": config, "RepoTags": tags, "Layers": layers}));
    }
    files.push((
        "manifest.json".to_owned(),
        json!(manifest).to_string().into_bytes(),
    ));
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(n, c)| (n.as_str(), c.as_slice()))
        .collect();
    tar(&files)
}

/// An OCI image layout with layers compressed by gzip.
pub(crate) fn oci(image: &Image, name: &str) -> Vec<u8> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut blob = |media: &str, bytes: Vec<u8>| {
        let digest = Digest::of(&bytes);
        let descriptor =
            json!({"mediaType": media, "digest": digest.to_string(), "size": bytes.len()});
        files.push((format!("blobs/sha256/{}", digest.hex()), bytes));
        descriptor
    };
    let layers: Vec<_> = image
        .layers
        .iter()
        .map(|layer| blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip(layer)))
        .collect();
    let config = blob(
        "application/vnd.oci.image.config.v1+json",
        image.config.clone(),
    );
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": layers,
    });
    let mut top = blob(
        "application/vnd.oci.image.manifest.v1+json",
        manifest.to_string().into_bytes(),
    );
    top["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [top]});
    files.insert(
        0,
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
        ),
    );
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(n, c)| (n.as_str(), c.as_slice()))
        .collect();
    tar(&files)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-nc")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}
