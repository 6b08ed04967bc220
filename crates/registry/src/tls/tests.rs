use super::*;

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::File::create(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .unwrap();
    path
}

#[test]
fn files_of_trust() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["r.test".to_owned()]).unwrap();
    let certificate = file(directory.path(), "ca.crt", &made.cert.pem());
    let key = file(directory.path(), "c.key", &made.signing_key.serialize_pem());
    let trust = Trust {
        authorities: vec![certificate.clone()],
        clients: vec![(certificate.clone(), Some(key.clone()))],
        anybody: false,
    };
    client(&trust, Some(&certificate)).unwrap();
    let broken = file(
        directory.path(),
        "bad.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let bad = Trust {
        authorities: vec![broken],
        ..Trust::default()
    };
    assert!(client(&bad, Some(&certificate)).is_err());
    let missing = Trust {
        authorities: vec![directory.path().join("none")],
        ..Trust::default()
    };
    assert!(client(&missing, Some(&certificate)).is_err());
    assert!(identity(&certificate, None).is_err());
}
