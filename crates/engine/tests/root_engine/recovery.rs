//! What killed engines leave: the journal's entries of dead owners, finished by whoever opens the engine next.

use engine::container::{ListRequest, RemoveRequest, Status, WaitCondition};
use protocol::ExitRecord;
use state::{Db, NewEntry, Owner};

use crate::place::{Place, block, create, load};

/// A process that is dead: this one's pid with another start.
fn dead() -> Owner {
    Owner {
        pid: std::process::id(),
        start_time: 1,
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap()
            .trim()
            .to_owned(),
    }
}

fn alive() -> Owner {
    let identity = kernel::process::ProcessIdentity::current().unwrap();
    Owner {
        pid: std::process::id(),
        start_time: identity.start_time,
        boot_id: identity.boot_id,
    }
}

fn write_entry(place: &Place, kind: &str, subject: &str, owner: &Owner, payload: &str) {
    let db = Db::open(&place.root().join("tare.db")).unwrap();
    db.write(|tx| {
        tx.begin(&NewEntry {
            kind,
            subject,
            owner,
            payload,
            created_at: 1,
        })
    })
    .unwrap();
}

#[test]
fn a_removal_is_finished() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    let id = block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        create(&engine, "gone").await
    });
    let directory = place.root().join("containers").join(id.to_string());
    std::fs::create_dir_all(directory.join("upper/x")).unwrap();
    let db = Db::open(&place.root().join("tare.db")).unwrap();
    db.write(|tx| tx.remove_container(&id)).unwrap();
    drop(db);
    write_entry(&place, "container.remove", &id.to_string(), &dead(), "{}");
    place.assert_sound();
    assert!(!directory.exists());
}

#[test]
fn an_operation_under_way_is_left_alone() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    drop(place.engine());
    write_entry(&place, "container.remove", &"ab".repeat(32), &alive(), "{}");
    let findings = block(async { place.engine().system().check().await.unwrap() });
    assert_eq!(findings.len(), 1);
    assert!(findings[0].subject.contains("container.remove"));
}

#[test]
fn content_that_nobody_claimed_is_collected() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
    });
    // As if the load had been killed before its row.
    let db = Db::open(&place.root().join("tare.db")).unwrap();
    db.write(|tx| {
        let id = tx.images()?[0].id;
        tx.remove_image(&id)
    })
    .unwrap();
    drop(db);
    std::fs::write(
        place.root().join("blobs/sha256").join("ab".repeat(32)),
        "lost",
    )
    .unwrap();
    write_entry(&place, "image.content", "load", &dead(), "{}");
    place.assert_sound();
    for part in ["layers", "blobs/sha256"] {
        assert_eq!(
            std::fs::read_dir(place.root().join(part)).unwrap().count(),
            0,
            "{part}"
        );
    }
}

#[test]
fn volumes_of_a_container_that_was_never_made_go() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    let name = "cd".repeat(32);
    drop(place.engine());
    std::fs::create_dir_all(place.root().join("volumes").join(&name).join("x")).unwrap();
    write_entry(
        &place,
        "volume.provide",
        "",
        &dead(),
        &format!("[\"{name}\"]"),
    );
    place.assert_sound();
    assert!(!place.root().join("volumes").join(&name).exists());
}

#[test]
fn an_entry_of_a_newer_version_is_kept() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    drop(place.engine());
    write_entry(&place, "network.create", "x", &dead(), "{}");
    drop(place.engine());
    let db = Db::open(&place.root().join("tare.db")).unwrap();
    assert_eq!(db.read(|tx| tx.journal()).unwrap().len(), 1);
}

#[test]
fn a_container_whose_monitor_was_killed_has_ended() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let id = create(&engine, "lost").await;
        // A state file that nobody has locked.
        let run = place.run().join("containers").join(id.to_string());
        std::fs::create_dir_all(&run).unwrap();
        let state = r#"{"v":1,"pid":1,"start_time":1,"boot_id":"x","started_at":5000000000}"#;
        std::fs::write(run.join("state"), state).unwrap();
        let list = engine
            .containers()
            .list(ListRequest {
                all: true,
                ..ListRequest::default()
            })
            .await
            .unwrap();
        let state = &list[0].state;
        assert_eq!(
            (state.status, state.exit_code, state.error.as_str()),
            (Status::Exited, 137, "monitor died")
        );
        assert_eq!(state.started.unwrap().as_second(), 5);
        assert!(!run.exists(), "cleared at first sight");
        let exit = engine
            .containers()
            .wait("lost", WaitCondition::NotRunning)
            .await
            .unwrap();
        assert_eq!(exit.exit().await.unwrap().code, 137);
        engine
            .containers()
            .remove("lost", RemoveRequest::default())
            .await
            .unwrap();
    });
    place.assert_sound();
}

#[test]
fn a_monitor_that_was_killed_after_its_record_has_told_the_end() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        // The record of this run, of an earlier one, and one while this run's program never began.
        let state = r#"{"v":1,"pid":1,"start_time":1,"boot_id":"x","started_at":5000000000}"#;
        for (name, state, started_at, expected) in [
            ("own", state, 5, (3, "")),
            ("other", state, 4, (137, "monitor died")),
            ("early", "", 4, (137, "monitor died")),
        ] {
            let id = create(&engine, name).await.to_string();
            let directory = place.root().join("containers").join(&id);
            let run = place.run().join("containers").join(&id);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::create_dir_all(&run).unwrap();
            std::fs::write(run.join("state"), state).unwrap();
            let record = format!(
                r#"{{"v":1,"code":3,"started_at":{started_at}000000000,"finished_at":6000000000}}"#
            );
            std::fs::write(directory.join("exit.json"), record).unwrap();
            let inspect = engine.containers().inspect(name, false).await.unwrap();
            let seen = (inspect.state.exit_code, inspect.state.error.as_str());
            assert_eq!(seen, expected, "{name}");
            assert!(!run.exists(), "cleared at first sight");
            let again = engine.containers().inspect(name, false).await.unwrap();
            assert_eq!(again.state.exit_code, expected.0, "{name}");
        }
    });
    place.assert_sound();
}

#[test]
fn an_end_that_was_not_recorded_is_said_to_be_so() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let id = create(&engine, "lost").await;
        let directory = place.root().join("containers").join(id.to_string());
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("started"), "").unwrap();
        let inspect = engine.containers().inspect("lost", false).await.unwrap();
        assert_eq!(
            (inspect.state.status, inspect.state.exit_code),
            (Status::Exited, 255)
        );
        // From then on it is a record like any other.
        let record = ExitRecord::read(std::fs::File::open(&directory).unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(record.error, "its end was not recorded");
    });
    place.assert_sound();
}
