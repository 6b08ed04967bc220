//! Layers that are made here: of what a container wrote, and entry by entry.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use archive::Archive;
use place::{Place, listing, xattr};
use rustix::fs::{FileType, Gid, Mode, Uid, XattrFlags, lsetxattr, mknodat};
use spec::{ContainerId, DiffId, Digest, LayerId};
use store::{
    Access, ChangeKind, Durability, Entry, EntryKind, Format, IdMap, Kind, LayerWriter,
    MountOptions, Snapshot,
};

const OPTIONS: MountOptions = MountOptions {
    durability: Durability::Durable,
    access: Access::ReadWrite,
    id_map: IdMap::Identity,
};

fn base(place: &Place) -> LayerId {
    let tar = Archive::new()
        .dir("etc/", 0o755)
        .file("etc/passwd", "root")
        .file("etc/gone", "x")
        .dir("old/", 0o755)
        .file("old/one", "1")
        .file("old/two", "2")
        .dir("quiet/", 0o755)
        .file("quiet/file", "q")
        .mode_file("su", 0o4755, "x")
        .symlink("run", "var/run")
        .dir("var/run/", 0o711)
        .end();
    place.store.unpack(&tar[..], &[]).unwrap().id
}

/// A snapshot above the base, changed through its overlay by `change`.
fn changed(place: &Place, layer: LayerId, change: impl FnOnce(&Path)) -> Snapshot {
    let snapshot = place
        .store
        .prepare(&ContainerId::from_bytes([7; 32]), &[layer])
        .unwrap();
    let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
    change(&place.attach(&mounted.mount));
    snapshot
}

fn everything(root: &Path) {
    fs::write(root.join("etc/passwd"), "changed").unwrap();
    fs::remove_file(root.join("etc/gone")).unwrap();
    fs::remove_dir_all(root.join("old")).unwrap();
    fs::create_dir(root.join("old")).unwrap();
    fs::write(root.join("old/two"), "new").unwrap();
    fs::create_dir_all(root.join("new/deep")).unwrap();
    fs::write(root.join("new/first"), "data").unwrap();
    fs::hard_link(root.join("new/first"), root.join("new/deep/second")).unwrap();
    symlink("../first", root.join("new/deep/link")).unwrap();
    let long = "n".repeat(200);
    fs::write(root.join("new").join(long), "long").unwrap();
    rustix::fs::chown(
        root.join("new/first"),
        Some(Uid::from_raw(3_000_000)),
        Some(Gid::from_raw(4_000_000_000)),
    )
    .unwrap();
    lsetxattr(
        root.join("new/first"),
        "user.note",
        b"kept",
        XattrFlags::empty(),
    )
    .unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    lsetxattr(
        root.join("su"),
        "security.capability",
        &capability,
        XattrFlags::empty(),
    )
    .unwrap();
    let here = fs::File::open(root.join("new")).unwrap();
    mknodat(&here, "fifo", FileType::Fifo, Mode::RUSR, 0).unwrap();
    let null = rustix::fs::makedev(1, 3);
    mknodat(&here, "null", FileType::CharacterDevice, Mode::RUSR, null).unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("new/socket")).unwrap());
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(150 << 20).unwrap();
    sparse.write_all_at(b"middle", 100 << 20).unwrap();
}

#[test]
fn what_a_container_wrote_becomes_a_layer() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut digests = Vec::new();
    for format in [Format::Erofs, Format::Directory] {
        let place = Place::new(format);
        let layer = base(&place);
        let snapshot = changed(&place, layer, everything);
        let before = fs::read_dir(place.path().join("view1")).unwrap().count();
        let made = place.store.layer_from_snapshot(&snapshot).unwrap();
        assert_eq!(place.store.layer_from_snapshot(&snapshot).unwrap(), made);
        place.fsck(&made.id);
        let view = place.view(&[layer, made.id]);
        assert_eq!(fs::read_dir(&view).unwrap().count(), before);
        let mut wanted = listing(&place.path().join("view1"));
        wanted.retain(|line| !line.starts_with("new/socket"));
        assert_eq!(listing(&view), wanted);
        assert_eq!(
            xattr(&view.join("new/first"), "user.note").unwrap(),
            b"kept"
        );
        assert_eq!(
            xattr(&view.join("su"), "security.capability")
                .unwrap()
                .len(),
            20
        );
        let sparse = fs::read(view.join("sparse")).unwrap();
        assert_eq!(&sparse[100 << 20..][..6], b"middle");
        assert!(sparse.iter().filter(|&&b| b != 0).count() == 6);
        let meta = fs::metadata(view.join("new/first")).unwrap();
        let owner = std::os::unix::fs::MetadataExt::uid(&meta);
        assert_eq!(owner, 3_000_000);
        assert!(made.disk_size < 2 << 20, "{}", made.disk_size);

        // The tar that gives the layer its name comes again whenever it is wanted, and is the layer.
        let mut tar = Vec::new();
        let size = place.store.write_layer_tar(&made.id, &mut tar).unwrap();
        assert_eq!(size, made.size);
        assert_eq!(DiffId::new(Digest::of(&tar)), made.diff_id);
        assert!(tar.len() < 2 << 20, "the hole is not written");
        let other = Place::new(format);
        let below = base(&other);
        let again = other.store.unpack(&tar[..], &[below]).unwrap();
        assert_eq!((again.diff_id, again.id), (made.diff_id, made.id));
        assert_eq!(listing(&other.view(&[below, again.id])), wanted);
        other.leave();
        digests.push(tar);
        place.leave();
    }
    // Times differ from run to run; names and content do not.
    let names = |tar: &[u8]| {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.tar"), tar).unwrap();
        let output = std::process::Command::new("tar")
            .args(["-tf", "a.tar"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(names(&digests[0]), names(&digests[1]));
}

#[test]
fn changes_are_told_as_docker_tells_them() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = base(&place);
    let snapshot = changed(&place, layer, |root| {
        fs::write(root.join("etc/passwd"), "changed").unwrap();
        fs::remove_file(root.join("etc/gone")).unwrap();
        fs::remove_dir_all(root.join("old")).unwrap();
        fs::create_dir(root.join("old")).unwrap();
        fs::write(root.join("old/two"), "new").unwrap();
        fs::write(root.join("quiet/file"), "other").unwrap();
        fs::create_dir(root.join("new")).unwrap();
        fs::write(root.join("new/file"), "").unwrap();
        fs::set_permissions(root.join("su"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    let told: Vec<String> = place
        .store
        .changes(&snapshot)
        .unwrap()
        .into_iter()
        .map(|change| {
            let kind = match change.kind {
                ChangeKind::Modified => "C",
                ChangeKind::Added => "A",
                ChangeKind::Deleted => "D",
            };
            format!("{kind} {}", String::from_utf8(change.path).unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "C /etc",
            "D /etc/gone",
            "C /etc/passwd",
            "A /new",
            "A /new/file",
            "C /old",
            "D /old/one",
            "C /old/two",
            "C /quiet/file",
            "C /su"
        ]
    );
    place.leave();
}

fn file(writer: &mut LayerWriter, path: &str, content: &str) {
    let entry = Entry {
        mode: 0o644,
        size: content.len() as u64,
        ..Entry::mark(path.into())
    };
    writer.add(entry, &mut content.as_bytes()).unwrap();
}

#[test]
fn entries_become_a_layer_that_needs_nothing_below() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for format in [Format::Erofs, Format::Directory] {
        let place = Place::new(format);
        let layer = base(&place);
        let mut writer = place.store.layer_writer().unwrap();
        // Through a link below, and into a directory that only the layer below describes.
        file(&mut writer, "run/pid", "1");
        file(&mut writer, "etc/.wh.passwd", "");
        let link = Entry {
            kind: EntryKind::HardLink(b"etc/gone".to_vec()),
            ..Entry::mark(b"app/copy".to_vec())
        };
        writer.add(link, &mut std::io::empty()).unwrap();
        let made = writer.finish(&[layer]).unwrap();
        let view = place.view(&[layer, made.id]);
        let shown = listing(&view);
        assert!(shown.contains(&"var/run/ 711".to_owned()), "{shown:?}");
        assert!(shown.contains(&"var/run/pid 644 1".to_owned()), "{shown:?}");
        assert!(!shown.iter().any(|line| line.starts_with("etc/passwd")));
        // The same tar without the layer below says the same.
        let mut tar = Vec::new();
        place.store.write_layer_tar(&made.id, &mut tar).unwrap();
        let alone = Place::new(format);
        let again = alone.store.unpack(&tar[..], &[]).unwrap();
        let shown = listing(&alone.view(&[again.id]));
        assert_eq!(
            shown,
            [
                "app/",
                "app/copy 0 x",
                "etc/",
                "etc/gone 0 x",
                "var/",
                "var/run/",
                "var/run/pid"
            ]
            .map(|start| shown
                .iter()
                .find(|line| line.starts_with(start))
                .cloned()
                .unwrap_or_else(|| format!("no {start}")))
        );
        alone.leave();
        place.leave();
    }
}

#[test]
fn what_no_layer_can_have_is_refused() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = base(&place);
    let snapshot = changed(&place, layer, |root| {
        fs::write(root.join("etc/.wh.passwd"), "").unwrap();
    });
    let error = place.store.layer_from_snapshot(&snapshot).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    // Too few data are no file.
    let mut writer = place.store.layer_writer().unwrap();
    let entry = Entry {
        size: 5,
        ..Entry::mark(b"f".to_vec())
    };
    assert!(writer.add(entry, &mut &b"abc"[..]).is_err());
    // A layer that came as a tar is that tar, not ours.
    let error = place
        .store
        .write_layer_tar(&layer, &mut std::io::sink())
        .unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    let nothing = place.store.layer_writer().unwrap().finish(&[]).unwrap();
    assert_eq!(
        nothing.diff_id.to_string(),
        "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
    );
    place.leave();
}
