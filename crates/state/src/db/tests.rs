#![allow(
    clippy::disallowed_methods,
    reason = "tests start processes and steer them by the environment"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use spec::{BlobDigest, ChainId, ContainerId, DiffId, Digest, ImageId, LayerId};

use super::{Db, Durability};
use crate::{BlobRow, ContainerRow, Error, ImageRow, Kind, LayerRow, NewEntry, Owner, VolumeRow};

fn open(dir: &Path) -> Db {
    Db::open(&dir.join("state/tare.db")).unwrap()
}

fn owner() -> Owner {
    Owner {
        pid: 7,
        start_time: 99,
        boot_id: "boot".to_owned(),
    }
}

fn layer(text: &str) -> LayerRow {
    let diff_id = DiffId::new(Digest::of(text));
    LayerRow {
        id: LayerId::from_diff(&diff_id).unwrap(),
        diff_id,
        chain_id: None,
        format: "erofs".to_owned(),
        tar_size: 10,
        file_size: 20,
        checksum: "sum".to_owned(),
        created_at: 1,
        blob: None,
    }
}

fn image(text: &str) -> ImageRow {
    ImageRow {
        id: ImageId::new(Digest::of(text)),
        manifest: None,
        config: text.to_owned(),
        size: 5,
        created_at: None,
        added_at: 3,
        tagged_at: None,
    }
}

fn container(byte: u8, name: &str, image: &ImageRow) -> ContainerRow {
    ContainerRow {
        id: ContainerId::from_bytes([byte; 32]),
        name: name.to_owned(),
        image: image.id,
        auto_remove: false,
        config: "{}".to_owned(),
        created_at: i64::from(byte),
    }
}

#[test]
fn the_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    db.write(|tx| tx.add_fact("a", "b")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("state")), 0o700);
    for name in ["tare.db", "tare.db-wal", "tare.db-shm"] {
        assert_eq!(mode(&dir.path().join("state").join(name)), 0o600, "{name}");
    }
}

#[test]
fn the_log_outlives_the_last_connection() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).write(|tx| tx.add_fact("a", "b")).unwrap();
    let log = dir.path().join("state/tare.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    let fact = open(dir.path()).read(|tx| tx.fact("a")).unwrap();
    assert_eq!(fact.as_deref(), Some("b"));
}

#[test]
fn a_torn_log_loses_the_last_transaction_alone() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    db.write_with(Durability::Full, |tx| tx.add_fact("one", "1"))
        .unwrap();
    let log = dir.path().join("state/tare.db-wal");
    let whole = std::fs::metadata(&log).unwrap().len();
    db.write(|tx| tx.add_fact("two", "2")).unwrap();
    drop(db);
    let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(whole + 100).unwrap();
    let db = open(dir.path());
    let facts = db
        .read(|tx| Ok((tx.fact("one")?, tx.fact("two")?)))
        .unwrap();
    assert_eq!(facts, (Some("1".to_owned()), None));
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_long_log_is_moved_and_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let pages = || super::log_pages(&db.lock().connection).unwrap();
    for i in 0..super::LONG {
        db.write(|tx| tx.add_fact(&i.to_string(), "x")).unwrap();
    }
    let long = pages();
    assert!(long > super::LONG, "{long}");
    db.tidy().unwrap();
    db.write(|tx| tx.add_fact("a", "b")).unwrap();
    assert!(pages() < 10, "{}", pages());
    // A short one stays.
    db.tidy().unwrap();
    assert!(pages() > 0);
    let again = open(dir.path());
    assert_eq!(again.read(|tx| tx.fact("0")).unwrap().as_deref(), Some("x"));
}

#[test]
fn a_newer_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("state/tare.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let error = Db::open(&path).unwrap_err();
    assert_eq!(error.kind, Kind::Unreadable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("version 99"), "{cause}");
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tare.db");
    std::fs::copy("/proc/self/exe", &path).unwrap();
    assert_eq!(Db::open(&path).unwrap_err().kind, Kind::Unreadable);
}

#[test]
fn an_error_in_a_transaction_undoes_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let result: Result<(), _> = db.write(|tx| {
        tx.add_fact("a", "b")?;
        Err(Error::new(Kind::Other, "test", "x", "stop"))
    });
    assert!(result.is_err());
    assert_eq!(db.read(|tx| tx.fact("a")).unwrap(), None);
}

#[test]
fn many_open_a_new_database_at_once() {
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let dir = dir.path();
            scope.spawn(move || {
                let db = open(dir);
                for i in 0..20 {
                    db.write(|tx| tx.add_fact(&format!("{number}.{i}"), "x"))
                        .unwrap();
                }
            });
        }
    });
    let db = open(dir.path());
    for number in 0..8 {
        let fact = db.read(|tx| tx.fact(&format!("{number}.19"))).unwrap();
        assert!(fact.is_some());
    }
    assert!(!dir.path().join("state/tare.db-migrate").exists());
}

/// One of several processes that count in the same row; a test only when started by the one below.
#[test]
fn counting_process() {
    let Ok(dir) = std::env::var("TARE_TEST_COUNT_IN") else {
        return;
    };
    let db = open(Path::new(&dir));
    for _ in 0..100 {
        db.write(|tx| {
            let rows = tx.journal()?;
            let entry = &rows[0];
            let count: u32 = entry.payload.parse().unwrap();
            tx.note(entry.id, &(count + 1).to_string())
        })
        .unwrap();
    }
    // Neither destructors nor a proper close.
    std::process::abort();
}

#[test]
fn processes_do_not_lose_each_others_writes() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    db.write(|tx| {
        tx.begin(&NewEntry {
            kind: "count",
            subject: "x",
            owner: &owner(),
            payload: "0",
            created_at: 0,
        })
    })
    .unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new("/proc/self/exe")
                .args(["--exact", "db::tests::counting_process"])
                .env("TARE_TEST_COUNT_IN", dir.path())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    let rows = db.read(|tx| tx.journal()).unwrap();
    assert_eq!(rows[0].payload, "400");
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_killed_writer_leaves_a_sound_database() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    db.write(|tx| {
        tx.begin(&NewEntry {
            kind: "count",
            subject: "x",
            owner: &owner(),
            payload: "0",
            created_at: 0,
        })
    })
    .unwrap();
    for pause in [5, 11, 17, 23] {
        let mut child = Command::new("/proc/self/exe")
            .args(["--exact", "db::tests::counting_process"])
            .env("TARE_TEST_COUNT_IN", dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = open(dir.path()).read(|tx| tx.journal()).unwrap();
        assert!(rows[0].payload.parse::<u32>().is_ok());
    }
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn layers_round_trip_and_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let plain = layer("plain");
    let chain_id = ChainId::bottom(&plain.diff_id).with(&DiffId::new(Digest::of("above")));
    let above = LayerRow {
        id: LayerId::from_chain(&chain_id).unwrap(),
        diff_id: DiffId::new(Digest::of("above")),
        chain_id: Some(chain_id),
        ..plain.clone()
    };
    db.write(|tx| {
        tx.add_layer(&plain)?;
        tx.add_layer(&plain)?;
        tx.add_layer(&above)
    })
    .unwrap();
    db.read(|tx| {
        assert_eq!(tx.layer(&plain.id)?, Some(plain.clone()));
        assert_eq!(tx.layer_of_diff(&plain.diff_id)?, Some(plain.clone()));
        assert_eq!(tx.layer_of_diff(&above.diff_id)?, None);
        assert_eq!(tx.layer_of_chain(&chain_id)?, Some(above.clone()));
        assert_eq!(tx.layers()?.len(), 2);
        assert_eq!(tx.unused_layers()?.len(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_blob_stays_with_the_layer_that_it_is_the_tar_of() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let blob = BlobRow {
        digest: BlobDigest::new(Digest::of("compressed")),
        size: 10,
        created_at: 1,
    };
    let layer = LayerRow {
        blob: Some(blob.digest),
        ..layer("kept")
    };
    let early = db.write(|tx| tx.add_layer(&layer)).unwrap_err();
    assert_eq!(early.kind, Kind::Referenced);
    db.write(|tx| {
        tx.add_blob(&blob)?;
        tx.add_layer(&layer)
    })
    .unwrap();
    assert_eq!(
        db.read(|tx| tx.layer(&layer.id)).unwrap(),
        Some(layer.clone())
    );
    assert!(db.read(|tx| tx.unused_blobs()).unwrap().is_empty());
    let used = db.write(|tx| tx.remove_blob(&blob.digest)).unwrap_err();
    assert_eq!(used.kind, Kind::Referenced);
    db.write(|tx| tx.remove_layer(&layer.id)).unwrap();
    assert_eq!(db.read(|tx| tx.unused_blobs()).unwrap(), [blob]);
}

#[test]
fn what_is_used_stays() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let (low, high) = (layer("low"), layer("high"));
    let blob = BlobRow {
        digest: BlobDigest::new(Digest::of("blob")),
        size: 1,
        created_at: 1,
    };
    let image = image("config");
    db.write(|tx| {
        tx.add_layer(&low)?;
        tx.add_layer(&high)?;
        tx.add_blob(&blob)?;
        tx.add_image(
            &image,
            &[low.id, high.id],
            std::slice::from_ref(&blob.digest),
        )?;
        tx.add_container(&container(1, "one", &image), &[low.id, high.id], &[])
    })
    .unwrap();
    let layers = db.read(|tx| tx.image_layers(&image.id)).unwrap();
    assert_eq!(layers, [low.id, high.id]);
    let refused = db.write(|tx| tx.remove_layer(&low.id)).unwrap_err();
    assert_eq!(refused.kind, Kind::Referenced);
    let refused = db.write(|tx| tx.remove_blob(&blob.digest)).unwrap_err();
    assert_eq!(refused.kind, Kind::Referenced);
    assert!(db.write(|tx| tx.remove_image(&image.id)).unwrap());
    // The container keeps the layers, nothing keeps the blob.
    assert_eq!(db.read(|tx| tx.unused_layers()).unwrap(), []);
    assert_eq!(db.read(|tx| tx.unused_blobs()).unwrap(), [blob]);
    let id = ContainerId::from_bytes([1; 32]);
    assert!(db.write(|tx| tx.remove_container(&id)).unwrap());
    assert_eq!(db.read(|tx| tx.unused_layers()).unwrap().len(), 2);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}

#[test]
fn an_image_needs_its_layers() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let missing = layer("missing");
    let error = db
        .write(|tx| tx.add_image(&image("c"), &[missing.id], &[]))
        .unwrap_err();
    assert_eq!(error.kind, Kind::Referenced);
    assert_eq!(db.read(|tx| tx.images()).unwrap(), []);
}

#[test]
fn references_move() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let (one, two) = (image("one"), image("two"));
    db.write(|tx| {
        tx.add_image(&one, &[], &[])?;
        tx.add_image(&two, &[], &[])?;
        tx.set_tag("docker.io/library/a:latest", &one.id, 8)?;
        tx.set_tag("docker.io/library/a:latest", &two.id, 9)
    })
    .unwrap();
    db.read(|tx| {
        assert_eq!(tx.tags_of(&one.id)?, Vec::<String>::new());
        assert_eq!(tx.tags_of(&two.id)?, ["docker.io/library/a:latest"]);
        let found = tx.image_of_tag("docker.io/library/a:latest")?.unwrap();
        assert_eq!((found.id, found.tagged_at), (two.id, Some(9)));
        let hex = two.id.hex();
        assert_eq!(tx.images_by_prefix(&hex[..8])?.len(), 1);
        assert_eq!(tx.images_by_prefix("")?.len(), 2);
        Ok(())
    })
    .unwrap();
    assert!(db.write(|tx| tx.remove_image(&two.id)).unwrap());
    assert_eq!(db.read(|tx| tx.tags()).unwrap(), []);
}

#[test]
fn names_are_unique_and_prefixes_find() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let image = image("i");
    db.write(|tx| {
        tx.add_container(&container(0xab, "web", &image), &[], &[])?;
        tx.add_container(&container(0xac, "db", &image), &[], &[])
    })
    .unwrap();
    let taken = db
        .write(|tx| tx.add_container(&container(0xad, "web", &image), &[], &[]))
        .unwrap_err();
    assert_eq!(taken.kind, Kind::Exists);
    db.read(|tx| {
        assert_eq!(tx.containers_by_prefix("ab")?[0].name, "web");
        assert_eq!(tx.containers_by_prefix("a")?.len(), 2);
        assert_eq!(tx.containers_by_prefix("b")?.len(), 0);
        assert_eq!(tx.container_by_name("db")?.unwrap().created_at, 0xac);
        let names: Vec<_> = tx.containers()?.into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["db", "web"]);
        assert_eq!(tx.count_by_image()?, [(image.id, 2)]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn volumes_know_their_users() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let volume = |name: &str, anonymous| VolumeRow {
        name: name.to_owned(),
        anonymous,
        labels: "{}".to_owned(),
        created_at: 1,
    };
    let image = image("i");
    let (one, two) = (container(1, "one", &image), container(2, "two", &image));
    db.write(|tx| {
        assert!(tx.add_volume(&volume("named", false))?);
        assert!(!tx.add_volume(&volume("named", true))?);
        assert!(tx.add_volume(&volume("own", true))?);
        assert!(tx.add_volume(&volume("both", true))?);
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        tx.add_container(&one, &[], &names(&["named", "own", "both"]))?;
        tx.add_container(&two, &[], &names(&["both"]))
    })
    .unwrap();
    db.read(|tx| {
        assert_eq!(tx.anonymous_volumes_of(&one.id)?, ["own"]);
        assert_eq!(tx.volume_users("both")?.len(), 2);
        Ok(())
    })
    .unwrap();
    let refused = db.write(|tx| tx.remove_volume("own")).unwrap_err();
    assert_eq!(refused.kind, Kind::Referenced);
    db.write(|tx| {
        tx.remove_container(&one.id)?;
        tx.remove_volume("own")
    })
    .unwrap();
}

#[test]
fn the_journal_is_taken_over_once() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let id = db
        .write(|tx| {
            tx.begin(&NewEntry {
                kind: "container.remove",
                subject: "abc",
                owner: &owner(),
                payload: "{}",
                created_at: 5,
            })
        })
        .unwrap();
    let entry = db.read(|tx| tx.journal()).unwrap().remove(0);
    assert_eq!((entry.id, entry.kind.as_str()), (id, "container.remove"));
    let (one, two) = (Owner { pid: 8, ..owner() }, Owner { pid: 9, ..owner() });
    assert!(db.write(|tx| tx.take_over(&entry, &one)).unwrap());
    assert!(!db.write(|tx| tx.take_over(&entry, &two)).unwrap());
    db.write(|tx| tx.give_up(id)).unwrap();
    assert_eq!(db.read(|tx| tx.journal()).unwrap()[0].owner.pid, 0);
    db.write(|tx| tx.finish(id)).unwrap();
    assert_eq!(db.read(|tx| tx.journal()).unwrap(), []);
}
