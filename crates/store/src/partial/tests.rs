use std::thread;

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

fn bytes(count: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(count).collect()
}

fn get(store: &Store, whole: &[u8]) -> Option<Partial> {
    let digest = BlobDigest::new(Digest::of(whole));
    store.partial(&digest, whole.len() as u64).unwrap()
}

#[test]
fn read_behind_the_writer_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = bytes(700_000);
    let partial = get(&store, &whole).unwrap();
    assert_eq!(partial.reached(), 0);
    let mut reader = partial.reader();
    let arrival = partial.arrival();
    let read = thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut head = vec![0; 1000];
            reader.read_exact(&mut head).unwrap();
            (head, reader.finish().unwrap())
        });
        // The end is there before the middle.
        arrival.write_at(500_000, &whole[500_000..]).unwrap();
        arrival.write_at(0, &whole[..10]).unwrap();
        arrival.reached(10);
        arrival.write_at(10, &whole[10..500_000]).unwrap();
        arrival.reached(700_000);
        reading.join().unwrap()
    });
    assert_eq!(read.0, whole[..1000]);
    partial.commit(&read.1).unwrap();
    let digest = BlobDigest::new(Digest::of(&whole));
    store.verify_blob(&digest).unwrap();
    assert_eq!(std::fs::read_dir(store.partials()).unwrap().count(), 0);
}

#[test]
fn what_came_outlives_who_got_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = bytes(3 << 20);
    let first = get(&store, &whole).unwrap();
    assert!(get(&store, &whole).is_none(), "one at a time");
    let arrival = first.arrival();
    arrival.write_at(0, &whole[..2_000_000]).unwrap();
    arrival.reached(2_000_000);
    // A kill: nothing more is said.
    drop((first, arrival));
    let second = get(&store, &whole).unwrap();
    assert_eq!(second.reached(), 2_000_000);
    let arrival = second.arrival();
    arrival
        .write_at(2_000_000, &whole[2_000_000..2_000_100])
        .unwrap();
    arrival.reached(2_000_100);
    let waiting = second.reader();
    arrival.cut();
    assert!(waiting.finish().is_err());
    drop((second, arrival));
    assert_eq!(get(&store, &whole).unwrap().reached(), 2_000_100);
}

#[test]
fn a_note_without_its_bytes_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = bytes(3 << 20);
    let partial = get(&store, &whole).unwrap();
    let arrival = partial.arrival();
    arrival.write_at(0, &whole[..4096]).unwrap();
    arrival.write_at(2 << 20, &whole[2 << 20..]).unwrap();
    arrival.reached(3 << 20);
    drop((partial, arrival));
    // As after a power cut: the note is there, the middle is not.
    assert_eq!(get(&store, &whole).unwrap().reached(), 4096);
}

#[test]
fn another_digest_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = bytes(100);
    let partial = get(&store, &whole).unwrap();
    let error = partial.commit(&Digest::of("other")).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert_eq!(std::fs::read_dir(store.partials()).unwrap().count(), 0);
    assert!(
        !store
            .has_blob(&BlobDigest::new(Digest::of(&whole)))
            .unwrap()
    );
}

#[test]
fn old_ones_are_forgotten_unless_somebody_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (mine, old) = (bytes(100), bytes(200));
    std::fs::create_dir_all(store.partials()).unwrap();
    File::create(store.partials().join(format!("sha256-x{MARK}"))).unwrap();
    let mine = get(&store, &mine).unwrap();
    drop(get(&store, &old).unwrap());
    assert_eq!(store.forget_partials(0).unwrap(), 0);
    assert_eq!(store.forget_partials(i64::MAX).unwrap(), 1);
    assert_eq!(std::fs::read_dir(store.partials()).unwrap().count(), 2);
    assert_eq!(mine.reached(), 0);
    assert_eq!(get(&store, &old).unwrap().reached(), 0);
}
