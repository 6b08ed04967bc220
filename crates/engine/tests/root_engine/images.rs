//! Import, load, list, tag, history, remove.

use std::io::Cursor;

use engine::Kind;
use engine::image::{ImageFilters, ImageRemove, ImportRequest, LoadRequest, Removed, SaveRequest};
use spec::Reference;

use crate::archive::{Image, docker, gzip, oci, tar};
use crate::place::{Place, block, create, load};

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn an_image_lives_from_load_to_remove() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        let image = Image::new(&[&[("etc/", ""), ("etc/a", "1")], &[("etc/b", "2")]]);
        let archive = docker(&[(&image, &["busybox:1", "other/app:2"])]);
        let loaded = engine
            .images()
            .load(LoadRequest::default(), Cursor::new(archive.clone()))
            .await
            .unwrap();
        assert_eq!(loaded.references, ["busybox:1", "other/app:2"]);
        // Once more changes nothing.
        engine
            .images()
            .load(LoadRequest::default(), Cursor::new(archive))
            .await
            .unwrap();
        let list = engine.images().list(ImageFilters::default()).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].id.to_string(), image.id());
        assert_eq!(list[0].tags, ["busybox:1", "other/app:2"]);
        let hex = list[0].id.hex();
        for name in [
            "busybox:1",
            "docker.io/library/busybox:1",
            &hex,
            &hex[..6],
            &image.id(),
        ] {
            assert_eq!(
                engine.images().inspect(name).await.unwrap().layers.len(),
                2,
                "{name}"
            );
        }
        let history = engine.images().history("busybox:1").await.unwrap();
        assert_eq!(history[0].created_by, "step 1");
        assert_eq!(history[0].id.map(|id| id.to_string()), Some(image.id()));
        assert!(history.iter().all(|step| step.size > 0));
        engine
            .images()
            .tag(&hex[..8], &reference("busybox"))
            .await
            .unwrap();
        let removed = engine
            .images()
            .remove("busybox:1", ImageRemove::default())
            .await
            .unwrap();
        assert_eq!(removed, [Removed::Untagged("busybox:1".to_owned())]);
        let error = engine
            .images()
            .remove(&hex, ImageRemove::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(
            error
                .message
                .contains("referenced in multiple repositories")
        );
        engine
            .images()
            .remove("other/app:2", ImageRemove::default())
            .await
            .unwrap();
        let removed = engine
            .images()
            .remove("busybox", ImageRemove::default())
            .await
            .unwrap();
        assert_eq!(removed[1], Removed::Deleted(image.id()));
        assert_eq!(
            removed.len(),
            4,
            "a name, the image and two layers: {removed:?}"
        );
        assert!(
            engine
                .images()
                .list(ImageFilters::default())
                .await
                .unwrap()
                .is_empty()
        );
    });
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
fn an_oci_layout_keeps_its_compressed_bytes() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        let image = Image::new(&[&[("a", "1")]]);
        for archive in [
            oci(&image, "docker.io/library/a:1"),
            gzip(&oci(&image, "docker.io/library/a:1")),
        ] {
            let loaded = engine
                .images()
                .load(LoadRequest::default(), Cursor::new(archive))
                .await
                .unwrap();
            assert_eq!(loaded.references, ["a:1"]);
        }
        let inspect = engine.images().inspect("a:1").await.unwrap();
        assert_eq!(inspect.digests.len(), 1);
        assert!(engine.images().inspect(&inspect.digests[0]).await.is_ok());
        // Configuration, manifest, layer.
        assert_eq!(
            std::fs::read_dir(place.root().join("blobs/sha256"))
                .unwrap()
                .count(),
            3
        );
        let none = engine
            .images()
            .load(LoadRequest::default(), Cursor::new(oci(&image, "latest")))
            .await
            .unwrap();
        assert_eq!(none.ids.len(), 1);
        engine
            .images()
            .remove("a:1", ImageRemove::default())
            .await
            .unwrap();
    });
    place.assert_sound();
}

#[test]
fn a_root_file_system_becomes_an_image() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        let request = ImportRequest {
            reference: Some(reference("mine:1")),
            message: "by hand".to_owned(),
            changes: vec!["CMD [\"sh\"]".to_owned(), "ENV A=1".to_owned()],
            platform: None,
        };
        let root = gzip(&tar(&[("bin/", b""), ("bin/sh", b"#!")]));
        let id = engine
            .images()
            .import(request.clone(), Cursor::new(root))
            .await
            .unwrap();
        let inspect = engine.images().inspect("mine:1").await.unwrap();
        assert_eq!(inspect.id, id);
        assert_eq!(inspect.config.config.cmd.unwrap(), ["sh"]);
        assert_eq!(
            inspect.config.history[0].comment.as_deref(),
            Some("by hand")
        );
        let bad = ImportRequest {
            changes: vec!["RUN x".to_owned()],
            ..request
        };
        let error = engine
            .images()
            .import(bad, Cursor::new(Vec::new()))
            .await
            .unwrap_err();
        assert_eq!(error.message, "RUN is not a valid change command");
        engine
            .images()
            .remove("mine:1", ImageRemove::default())
            .await
            .unwrap();
    });
    place.assert_sound();
}

#[test]
fn bad_input_is_named_and_leaves_nothing() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        let image = Image::new(&[&[("a", "some content")]]);
        let whole = docker(&[(&image, &["a:1"])]);
        let zipped = gzip(&whole);
        let mut wrong = Image::new(&[&[("a", "1")]]);
        wrong.layers[0] = tar(&[("a", b"2")]);
        let mut torn = Image::new(&[&[("a", "1")]]);
        torn.layers[0].truncate(700);
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("truncated", whole[..700].to_vec()),
            ("truncated", zipped[..zipped.len() / 2].to_vec()),
            ("no tar archive", vec![b'x'; 2000]),
            (
                "neither manifest.json nor index.json",
                tar(&[("etc/passwd", b"")]),
            ),
            (
                "the layer's content has the digest",
                docker(&[(&wrong, &["a:1"])]),
            ),
            ("invalid reference format", docker(&[(&image, &["A B"])])),
            ("0-0/layer.tar", docker(&[(&torn, &["a:1"])])),
            ("neither manifest.json", Vec::new()),
        ];
        for (expected, archive) in cases {
            let error = engine
                .images()
                .load(LoadRequest::default(), Cursor::new(archive))
                .await
                .unwrap_err();
            assert!(
                error.chain().contains(expected),
                "{expected}: {}",
                error.chain()
            );
            assert_eq!(error.kind, Kind::InvalidParameter, "{expected}");
        }
        let root = tar(&[("a", b"some content")]);
        let bad = gzip(&root);
        for tar in [
            root[..600].to_vec(),
            bad[..bad.len() - 9].to_vec(),
            vec![7; 600],
        ] {
            let error = engine
                .images()
                .import(ImportRequest::default(), Cursor::new(tar))
                .await
                .unwrap_err();
            assert_eq!(error.kind, Kind::InvalidParameter, "{}", error.chain());
        }
        assert!(
            engine
                .images()
                .list(ImageFilters::default())
                .await
                .unwrap()
                .is_empty()
        );
    });
    place.assert_sound();
    for part in ["layers", "blobs/sha256"] {
        let left = std::fs::read_dir(place.root().join(part))
            .into_iter()
            .flatten()
            .count();
        assert_eq!(left, 0, "{part}");
    }
}

#[test]
fn a_caller_that_goes_away_in_the_midst_leaves_nothing() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        let image = Image::new(&[&[("a", "1")]]);
        let archive = docker(&[(&image, &["a:1"])]);
        let (mut ours, theirs) = tokio::io::duplex(512);
        let half = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut ours, &archive[..1024])
                .await
                .unwrap();
            // Held open: the archive neither goes on nor ends.
            std::future::pending::<()>().await;
        });
        let images = engine.images();
        let load = images.load(LoadRequest::default(), theirs);
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(200), load)
                .await
                .is_err()
        );
        half.abort();
        for _ in 0..200 {
            if engine.system().check().await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    place.assert_sound();
}

/// Saves images and gives the archive.
async fn save(engine: &engine::Engine, names: &[&str]) -> Vec<u8> {
    let request = SaveRequest {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        platform: None,
    };
    let mut outlet = engine.images().save(request).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = outlet.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

#[test]
fn a_saved_image_comes_back_with_all_its_digests() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let (first, second) = (Place::new(), Place::new());
    let plain = Image::new(&[&[("etc/", ""), ("etc/a", "1")], &[("etc/b", "2")]]);
    let packed = Image::new(&[&[("etc/", ""), ("etc/a", "1")], &[("etc/c", "3")]]);
    let request = LoadRequest::default;
    let (archive, before) = block(async {
        let engine = first.engine();
        let images = engine.images();
        let archive = docker(&[(&plain, &["plain:1", "plain:2", "other/plain:1"])]);
        images.load(request(), Cursor::new(archive)).await.unwrap();
        let archive = oci(&packed, "packed:1");
        images.load(request(), Cursor::new(archive)).await.unwrap();
        let root = ImportRequest {
            reference: Some(reference("made:1")),
            ..ImportRequest::default()
        };
        let tar = tar(&[("bin/", b""), ("bin/sh", b"made")]);
        images.import(root, Cursor::new(tar)).await.unwrap();
        // A name without a tag means all its tags.
        let archive = save(&engine, &["plain", "packed:1", "made:1"]).await;
        assert_eq!(
            archive,
            save(&engine, &["made:1", "packed:1", "plain:2", "plain:1"]).await,
            "the same images always make the same archive"
        );
        (archive, images.list(ImageFilters::default()).await.unwrap())
    });
    let after = block(async {
        let engine = second.engine();
        let images = engine.images();
        for _ in 0..2 {
            let archive = Cursor::new(archive.clone());
            let loaded = images.load(request(), archive).await.unwrap();
            assert_eq!(loaded.references.len(), 4, "{loaded:?}");
        }
        assert_eq!(
            save(&engine, &["made:1", "packed:1", "plain"]).await,
            archive,
            "byte for byte"
        );
        images.list(ImageFilters::default()).await.unwrap()
    });
    assert_eq!(before.len(), 3);
    let mut told = Vec::new();
    for (mut before, after) in before.into_iter().zip(after) {
        before.tags.retain(|tag| tag != "other/plain:1");
        before.digests.retain(|digest| !digest.contains("other"));
        told.extend(before.digests.clone());
        assert_eq!(before, after);
    }
    assert_eq!(
        told.len(),
        1,
        "the manifest that came is there again: {told:?}"
    );
    block(async {
        let engine = second.engine();
        for name in ["made:1", "packed:1", "plain:1", "plain:2"] {
            engine
                .images()
                .remove(name, ImageRemove::default())
                .await
                .unwrap();
        }
    });
    second.assert_sound();
    for part in ["layers", "blobs/sha256"] {
        let left = std::fs::read_dir(second.root().join(part)).unwrap();
        assert_eq!(left.count(), 0, "{part}");
    }
    first.assert_sound();
}

#[test]
fn only_images_of_the_platform_are_saved_and_loaded() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let foreign: spec::Platform = "linux/s390x".parse().unwrap();
        let request = SaveRequest {
            names: vec!["busybox".to_owned()],
            platform: Some(foreign.clone()),
        };
        let error = engine.images().save(request).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        assert!(error.message.contains("linux/s390x"), "{}", error.message);
        let archive = save(&engine, &["busybox"]).await;
        let request = LoadRequest {
            platform: Some(foreign),
        };
        let images = engine.images();
        let load = images.load(request, Cursor::new(archive));
        let error = load.await.unwrap_err();
        assert!(error.message.contains("no image for linux/s390x"));
        let missing = SaveRequest {
            names: vec!["busybox".to_owned(), "nothing".to_owned()],
            platform: None,
        };
        let error = engine.images().save(missing).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
    });
    place.assert_sound();
}

#[test]
fn an_image_in_use_stays() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        load(&engine, &[("a", "1")]).await;
        let id = create(&engine, "user").await;
        let error = engine
            .images()
            .remove("busybox", ImageRemove::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains("(must force)"), "{}", error.message);
        assert!(error.message.contains(&id.short()));
        engine
            .images()
            .remove("busybox", ImageRemove { force: true })
            .await
            .unwrap();
        // The container keeps its layers, and takes them along.
        assert_eq!(
            std::fs::read_dir(place.root().join("layers"))
                .unwrap()
                .count(),
            1
        );
        let request = engine::container::RemoveRequest::default();
        engine.containers().remove("user", request).await.unwrap();
        assert_eq!(
            std::fs::read_dir(place.root().join("layers"))
                .unwrap()
                .count(),
            0
        );
    });
    place.assert_sound();
}

#[test]
fn names_that_lead_nowhere() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new();
    block(async {
        let engine = place.engine();
        for (name, expected) in [
            ("nosuch", "No such image: nosuch:latest"),
            ("a/b:1", "No such image: a/b:1"),
            ("sha256:abc", "No such image: sha256:abc"),
        ] {
            let error = engine.images().inspect(name).await.unwrap_err();
            assert_eq!(
                (error.kind, error.message.as_str()),
                (Kind::NotFound, expected)
            );
        }
    });
}
