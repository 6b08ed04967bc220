//! Volumes, by themselves and with containers.

use std::os::unix::fs::PermissionsExt;

use engine::Kind;
use engine::container::{HostConfig, RemoveRequest};
use engine::volume::{VolumeFilters, VolumeRequest};

use crate::place::{Place, block, load, request};

#[test]
fn a_volume_is_made_listed_and_removed() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let volumes = place.engine().volumes();
        let named = VolumeRequest {
            name: Some("data".to_owned()),
            labels: [("a".to_owned(), "1".to_owned())].into(),
            ..VolumeRequest::default()
        };
        let volume = volumes.create(named.clone()).await.unwrap();
        assert!(volume.mountpoint.is_dir());
        assert_eq!(volumes.create(named).await.unwrap(), volume);
        let anonymous = volumes.create(VolumeRequest::default()).await.unwrap();
        assert_eq!(anonymous.name.len(), 64);
        let label = VolumeFilters {
            label: vec!["a=1".to_owned()],
            ..VolumeFilters::default()
        };
        assert_eq!(volumes.list(label).await.unwrap(), [volume]);
        let dangling = VolumeFilters {
            dangling: Some(true),
            ..VolumeFilters::default()
        };
        assert_eq!(volumes.list(dangling).await.unwrap().len(), 2);
        volumes.remove("data", false).await.unwrap();
        volumes.remove("data", true).await.unwrap();
        let missing = volumes.remove("data", false).await.unwrap_err();
        assert_eq!(
            (missing.kind, missing.message.as_str()),
            (Kind::NotFound, "get data: no such volume")
        );
        let bad = VolumeRequest {
            name: Some("../x".to_owned()),
            ..VolumeRequest::default()
        };
        assert_eq!(
            volumes.create(bad).await.unwrap_err().kind,
            Kind::InvalidParameter
        );
        volumes.remove(&anonymous.name, false).await.unwrap();
    });
    place.assert_sound();
}

#[test]
fn a_new_volume_is_filled_with_what_the_image_has() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(
            &engine,
            &[
                ("data/", ""),
                ("data/sub/", ""),
                ("data/sub/a", "hello"),
                ("file", "x"),
            ],
        )
        .await;
        let host = HostConfig {
            binds: vec![
                "fresh:/data".to_owned(),
                "bare:/data/sub:nocopy".to_owned(),
                "other:/nothing/there".to_owned(),
            ],
            ..HostConfig::default()
        };
        engine
            .containers()
            .create(request("one", host.clone()))
            .await
            .unwrap();
        let volumes = place.root().join("volumes");
        assert_eq!(
            std::fs::read_to_string(volumes.join("fresh/sub/a")).unwrap(),
            "hello"
        );
        assert_eq!(
            std::fs::metadata(volumes.join("fresh"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o755
        );
        for empty in ["bare", "other"] {
            assert_eq!(
                std::fs::read_dir(volumes.join(empty)).unwrap().count(),
                0,
                "{empty}"
            );
        }
        // What is in it stays.
        std::fs::remove_file(volumes.join("fresh/sub/a")).unwrap();
        engine
            .containers()
            .create(request("two", host))
            .await
            .unwrap();
        assert!(!volumes.join("fresh/sub/a").exists());
        let used = engine.volumes().remove("fresh", true).await.unwrap_err();
        assert_eq!(used.kind, Kind::Conflict);
        assert!(
            used.message
                .starts_with("remove fresh: volume is in use - [")
        );
        for name in ["one", "two"] {
            engine
                .containers()
                .remove(
                    name,
                    RemoveRequest {
                        volumes: true,
                        force: false,
                    },
                )
                .await
                .unwrap();
        }
        for name in ["fresh", "bare", "other"] {
            engine.volumes().remove(name, false).await.unwrap();
        }
    });
    place.assert_sound();
}

#[test]
fn volumes_without_a_name_go_with_their_container_if_asked() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let mut with_volume = request("one", HostConfig::default());
        with_volume.config.volumes = ["/data".to_owned()].into();
        engine
            .containers()
            .create(with_volume.clone())
            .await
            .unwrap();
        let inspect = engine.containers().inspect("one", false).await.unwrap();
        assert_eq!(inspect.mounts[0].destination, "/data");
        assert_eq!(inspect.mounts[0].name.len(), 64);
        engine
            .containers()
            .remove(
                "one",
                RemoveRequest {
                    volumes: true,
                    force: false,
                },
            )
            .await
            .unwrap();
        let volumes = engine.volumes();
        let list = || volumes.list(VolumeFilters::default());
        assert!(list().await.unwrap().is_empty());
        engine
            .containers()
            .create(with_volume.clone())
            .await
            .unwrap();
        // The name is taken: the volume that was made for nothing goes.
        assert!(engine.containers().create(with_volume).await.is_err());
        assert_eq!(list().await.unwrap().len(), 1);
        engine
            .containers()
            .remove("one", RemoveRequest::default())
            .await
            .unwrap();
        assert_eq!(list().await.unwrap().len(), 1, "kept unless asked for");
    });
    place.assert_sound();
}

#[test]
fn a_missing_source_is_made_for_the_short_form() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let source = place.root().join("made/here");
        let host = HostConfig {
            binds: vec![format!("{}:/x:ro", source.display())],
            ..HostConfig::default()
        };
        engine
            .containers()
            .create(request("one", host))
            .await
            .unwrap();
        assert!(source.is_dir());
        let inspect = engine.containers().inspect("one", false).await.unwrap();
        assert_eq!(
            (inspect.mounts[0].rw, inspect.mounts[0].mode.as_str()),
            (false, "ro")
        );
    });
}
