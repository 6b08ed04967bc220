//! Killed at every fail point: the next one finds a sound store, nothing is left over, and the same thing done again works.

#![cfg(feature = "failpoints")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use archive::Archive;
use place::listing;
use spec::ContainerId;
use store::{Access, Durability, Format, IdMap, MountOptions, Store};

const OPTIONS: MountOptions = MountOptions {
    durability: Durability::Durable,
    access: Access::ReadWrite,
    id_map: IdMap::Identity,
};
const PLACE: &str = "TARE_CRASH_PLACE";
const FORMAT: &str = "TARE_CRASH_FORMAT";

/// Fail points that the story of whole commands passes, and visits with kills.
const ELSEWHERE: &[&str] = &["store.pack.", "store.partial.", "store.area."];

/// Passes every other fail point of the store.
fn story(store: &Store) {
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"blob").unwrap();
    let (blob, _) = writer.commit(None).unwrap();
    let lower = Archive::new().dir("a/", 0o700).file("a/b", "b").end();
    let one = store.unpack(&lower[..], &[]).unwrap();
    let two = store
        .unpack(&Archive::new().file("a/c", "c").end()[..], &[one.id])
        .unwrap();
    let id = ContainerId::from_bytes([1; 32]);
    let snapshot = store.prepare(&id, &[one.id, two.id]).unwrap();
    let mounted = store.mount(&snapshot, OPTIONS).unwrap();
    drop(mounted);
    store.discard(&id).unwrap();
    store.remove_layer(&two.id).unwrap();
    store.remove_blob(&blob).unwrap();
}

/// Not a test of its own: what the test below runs and kills.
#[test]
fn child() {
    if let Ok(place) = std::env::var(PLACE) {
        let format = if std::env::var(FORMAT).unwrap() == "erofs" {
            Format::Erofs
        } else {
            Format::Directory
        };
        story(&place::open(Path::new(&place), format));
    }
}

#[test]
fn killed_at_every_point() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for (format, name) in [(Format::Erofs, "erofs"), (Format::Directory, "directory")] {
        for point in failpoint::POINTS
            .iter()
            .filter(|point| point.starts_with("store."))
            // What only pulls, pushes and copies do is killed in their stories end to end.
            .filter(|point| !ELSEWHERE.iter().any(|family| point.starts_with(family)))
        {
            let place = place::Place::new(format);
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child", "--test-threads=1"])
                .env(PLACE, place.path())
                .env(FORMAT, name)
                .env("TARE_FAILPOINT", point)
                .output()
                .unwrap()
                .status;
            if format == Format::Directory && point.starts_with("store.layer.mount") {
                assert!(status.success(), "{point}");
            } else {
                assert!(!status.success(), "{point} was not passed");
            }
            check(&place, point);
            place.leave();
        }
    }
}

fn check(place: &place::Place, point: &str) {
    place.store.sweep().unwrap();
    let db = state::Db::open(&place.root().join("tare.db")).unwrap();
    let rows = db.read(|tx| tx.layers()).unwrap();
    let files = fs::read_dir(place.root().join("layers")).map_or(0, Iterator::count);
    assert_eq!(rows.len(), files, "{point}");
    for row in &rows {
        place.store.verify_layer(&row.id).unwrap();
    }
    let blobs = db.read(|tx| tx.blobs()).unwrap();
    assert_eq!(
        blobs.len(),
        fs::read_dir(place.root().join("blobs/sha256"))
            .unwrap()
            .count(),
        "{point}"
    );
    for row in &blobs {
        place.store.verify_blob(&row.digest).unwrap();
    }
    let known: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    for entry in fs::read_dir(place.run().join("layers"))
        .into_iter()
        .flatten()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{point}: {name}");
    }
    story(&place.store);
    let layer = place
        .store
        .unpack(&Archive::new().file("x", "x").end()[..], &[])
        .unwrap();
    assert_eq!(listing(&place.view(&[layer.id])), ["x 644 x"]);
}
