#![allow(clippy::disallowed_methods, reason = "tests")]

use std::fs;

use spec::Digest;

use super::*;
use crate::{Config, Kind};

fn store(directory: &tempfile::TempDir) -> Store {
    let config = Config {
        root: directory.path().join("root"),
        run: directory.path().join("run"),
    };
    let db = state::Db::open(&config.root.join("tare.db")).unwrap();
    Store::open(config, db).unwrap()
}

fn write(writer: &mut BlobWriter, bytes: &[u8]) {
    writer.write_all(bytes).unwrap();
}

fn digest(bytes: &[u8]) -> BlobDigest {
    BlobDigest::new(Digest::of(bytes))
}

#[test]
fn written_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let mut writer = store.blob_writer().unwrap();
    write(&mut writer, b"he");
    write(&mut writer, b"llo");
    let (name, size) = writer.commit(Some(&digest(b"hello"))).unwrap();
    assert_eq!((name, size), (digest(b"hello"), 5));
    assert!(store.has_blob(&name).unwrap());
    assert_eq!(store.read_blob_limited(&name, 5).unwrap(), b"hello");
    assert_eq!(
        store.read_blob_limited(&name, 4).unwrap_err().kind,
        Kind::Limit
    );
    store.verify_blob(&name).unwrap();
    let path = directory.path().join("root/blobs/sha256").join(name.hex());
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    // The same again is the same.
    let mut again = store.blob_writer().unwrap();
    write(&mut again, b"hello");
    again.commit(None).unwrap();
    fs::write(&path, b"hullo").unwrap();
    assert_eq!(store.verify_blob(&name).unwrap_err().kind, Kind::Corrupt);
    assert_eq!(
        store.read_blob_limited(&name, 9).unwrap_err().kind,
        Kind::Corrupt
    );
    assert!(store.remove_blob(&name).unwrap());
    assert!(!store.remove_blob(&name).unwrap());
    assert_eq!(store.blob(&name).unwrap_err().kind, Kind::NotFound);
    assert!(!store.has_blob(&name).unwrap());
}

#[test]
fn other_algorithms() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let mut writer = store.blob_writer_with(Algorithm::Sha512).unwrap();
    write(&mut writer, b"x");
    let (name, _) = writer.commit(None).unwrap();
    assert!(name.to_string().starts_with("sha512:"));
    store.verify_blob(&name).unwrap();
}

/// What lies about its digest or size never gets a name, and nothing is left of it.
#[test]
fn liars() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let mut writer = store.blob_writer().unwrap();
    write(&mut writer, b"hello");
    assert_eq!(
        writer.commit(Some(&digest(b"other"))).unwrap_err().kind,
        Kind::Invalid
    );
    let mut writer = store.blob_writer().unwrap().expect_size(4);
    assert!(writer.write_all(b"hello").is_err());
    let mut writer = store.blob_writer().unwrap().expect_size(6);
    write(&mut writer, b"hello");
    assert_eq!(writer.commit(None).unwrap_err().kind, Kind::Invalid);
    let mut abandoned = store.blob_writer().unwrap();
    write(&mut abandoned, b"abandoned");
    drop(abandoned);
    assert_eq!(
        fs::read_dir(directory.path().join("root/blobs/sha256"))
            .unwrap()
            .count(),
        0
    );
}
