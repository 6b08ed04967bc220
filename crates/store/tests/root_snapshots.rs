//! Snapshots on the real kernel, and what happens to a store that is used by many or killed.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;

use archive::Archive;
use place::{Place, listing, read};
use rustix::mount::{FsOpenFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_string, fsopen};
use spec::{ContainerId, LayerId};
use store::{Access, Durability, Format, IdMap, Kind, MountOptions, Options, OverlayMode, Store};

const OPTIONS: MountOptions = MountOptions {
    durability: Durability::Durable,
    access: Access::ReadWrite,
    id_map: IdMap::Identity,
};

fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

fn base(store: &Store) -> LayerId {
    let tar = Archive::new()
        .dir("etc/", 0o755)
        .file("etc/passwd", "root")
        .mode_file("su", 0o4755, "x")
        .end();
    store.unpack(&tar[..], &[]).unwrap().id
}

#[test]
fn written_to_and_kept() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for format in [Format::Erofs, Format::Directory] {
        let place = Place::new(format);
        let layer = base(&place.store);
        let snapshot = place.store.prepare(&id(1), &[layer]).unwrap();
        let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
        let root = place.attach(&mounted.mount);
        assert_eq!(fs::metadata(&root).unwrap().mode() & 0o7777, 0o755);
        fs::write(root.join("etc/passwd"), "changed").unwrap();
        fs::remove_file(root.join("su")).unwrap();
        fs::rename(root.join("etc"), root.join("etc2")).unwrap_or_default();
        drop(mounted);
        kernel::mount::unmount_detach(&root).unwrap();
        let again = place
            .store
            .mount(&place.store.snapshot(&id(1), &[layer]), OPTIONS)
            .unwrap();
        again
            .mount
            .attach(
                fs::File::open("/").unwrap(),
                root.strip_prefix("/").unwrap(),
            )
            .unwrap();
        assert_eq!(listing(&root), ["etc/ 755", "etc/passwd 644 changed"]);
        drop(again);
        place.store.discard(&id(1)).unwrap();
        place.store.discard(&id(1)).unwrap();
        assert!(
            !place
                .root()
                .join("containers")
                .join(id(1).to_string())
                .exists()
        );
        // Others see the layer as it was.
        assert_eq!(read(&place.view(&[layer]).join("etc/passwd")), "root");
        place.leave();
    }
}

/// The kernel allows a second overlay on one upper directory; the lock does not, wherever its descriptor went.
#[test]
fn one_at_a_time() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = base(&place.store);
    let snapshot = place.store.prepare(&id(1), &[layer]).unwrap();
    let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
    let monitor = mounted.directory.try_clone().unwrap();
    assert_eq!(
        place.store.mount(&snapshot, OPTIONS).unwrap_err().kind,
        Kind::Busy
    );
    drop(mounted);
    assert_eq!(place.store.discard(&id(1)).unwrap_err().kind, Kind::Busy);
    drop(monitor);
    let volatile = MountOptions {
        durability: Durability::Volatile,
        ..OPTIONS
    };
    drop(place.store.mount(&snapshot, volatile).unwrap());
    place.store.discard(&id(1)).unwrap();
    place.leave();
}

#[test]
fn read_only_and_from_scratch() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let snapshot = place.store.prepare(&id(1), &[]).unwrap();
    let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
    let root = place.attach(&mounted.mount);
    fs::write(root.join("new"), "x").unwrap();
    let snapshot = place.store.prepare(&id(2), &[base(&place.store)]).unwrap();
    let mounted = place
        .store
        .mount(
            &snapshot,
            MountOptions {
                access: Access::ReadOnly,
                ..OPTIONS
            },
        )
        .unwrap();
    let root = place.attach(&mounted.mount);
    let error = fs::write(root.join("new"), "x").unwrap_err();
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::ROFS.raw_os_error())
    );
    place.leave();
}

/// Layers are mounted nosuid and nodev, overlays of them are not.
#[test]
fn programs_keep_their_rights() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = place
        .store
        .unpack(&Archive::new().device("null", 1, 3).end()[..], &[])
        .unwrap()
        .id;
    let snapshot = place.store.prepare(&id(1), &[layer]).unwrap();
    let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
    let root = place.attach(&mounted.mount);
    assert_eq!(fs::read(root.join("null")).unwrap(), b"");
    let direct = place
        .run()
        .join("layers")
        .join(layer.to_string())
        .join("null");
    assert_eq!(
        fs::read(direct).unwrap_err().raw_os_error(),
        Some(rustix::io::Errno::ACCESS.raw_os_error())
    );
    place.leave();
}

#[test]
fn mounted_once_by_many() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = base(&place.store);
    let path = place.path().to_owned();
    thread::scope(|scope| {
        for n in 0..16 {
            let path = &path;
            scope.spawn(move || {
                // A store of its own, as another process has it.
                let store = place::open(path, Format::Erofs);
                let snapshot = store.prepare(&id(n), &[layer]).unwrap();
                drop(store.mount(&snapshot, OPTIONS).unwrap());
            });
        }
    });
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(
        mounts
            .lines()
            .filter(|line| line.contains(&format!("layers/{layer} ")))
            .count(),
        1,
        "{mounts}"
    );
    // Whoever needs it mounts it again, and overlays that have it keep it.
    let view = place.view(&[layer]);
    place.store.unmount_all().unwrap();
    assert_eq!(read(&view.join("etc/passwd")), "root");
    assert_eq!(read(&place.view(&[layer]).join("etc/passwd")), "root");
    place.leave();
}

/// A layer in use is removed at once and stays readable for those who have it.
#[test]
fn removed_while_mounted() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let layer = base(&place.store);
    let view = place.view(&[layer]);
    assert!(place.store.remove_layer(&layer).unwrap());
    assert!(!place.store.remove_layer(&layer).unwrap());
    assert_eq!(read(&view.join("etc/passwd")), "root");
    assert_eq!(place.store.view(&[layer]).unwrap_err().kind, Kind::NotFound);
    assert_eq!(base(&place.store), layer);
    assert_eq!(read(&place.view(&[layer]).join("etc/passwd")), "root");
    place.leave();
}

#[test]
fn sweep_finds_what_is_nobodys() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let kept = base(&place.store);
    let lost = place
        .store
        .unpack(&Archive::new().file("lost", "").end()[..], &[])
        .unwrap()
        .id;
    drop(place.store.view(&[kept, lost]).unwrap());
    let mut writer = place.store.blob_writer().unwrap();
    std::io::Write::write_all(&mut writer, b"blob").unwrap();
    let (blob, _) = writer.commit(None).unwrap();
    let db = state::Db::open(&place.root().join("tare.db")).unwrap();
    db.write(|tx| tx.remove_layer(&lost)).unwrap();
    db.write(|tx| tx.remove_blob(&blob)).unwrap();
    fs::create_dir(place.root().join("layers/.draft-dead")).unwrap();
    fs::write(place.root().join("layers/.draft-dead/file"), "x").unwrap();
    fs::write(place.root().join("blobs/sha256/.draft-dead"), "x").unwrap();
    let swept = place.store.sweep().unwrap();
    assert_eq!(
        (swept.drafts, swept.blobs, swept.layers),
        (2, vec![blob], vec![lost])
    );
    assert_eq!(
        fs::read_dir(place.root().join("layers")).unwrap().count(),
        1
    );
    assert_eq!(place.store.sweep().unwrap(), store::Swept::default());
    place.store.verify_layer(&kept).unwrap();
    place.leave();
}

/// Whether this kernel takes layers that way: descriptors since 6.13, `lowerdir+` since 6.7.
fn kernel_knows(mode: OverlayMode) -> bool {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    let layers = ["/etc", "/usr"].map(|path| (path, fs::File::open(path).unwrap()));
    let told = layers.iter().all(|(path, file)| match mode {
        OverlayMode::Descriptors => fsconfig_set_fd(&context, "lowerdir+", file).is_ok(),
        OverlayMode::Paths => fsconfig_set_string(&context, "lowerdir+", *path).is_ok(),
        OverlayMode::OnePath => true,
    });
    // Before the kernel's own parser of 6.7, an unknown option is found only here.
    mode == OverlayMode::OnePath || (told && fsconfig_create(&context).is_ok())
}

/// What older kernels need works on newer ones too: paths one by one, all in one option, and for many by mount(2).
#[test]
fn other_ways_to_make_an_overlay() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    for count in [1, 3, 120] {
        for overlay in [
            OverlayMode::Descriptors,
            OverlayMode::Paths,
            OverlayMode::OnePath,
        ] {
            if !kernel_knows(overlay) {
                continue;
            }
            let place = Place::with(Options {
                overlay: Some(overlay),
                ..Options::default()
            });
            let mut layers = Vec::new();
            for n in 0..count {
                let tar = Archive::new().file(&n.to_string(), "").end();
                layers.push(place.store.unpack(&tar[..], &layers).unwrap().id);
            }
            assert_eq!(fs::read_dir(place.view(&layers)).unwrap().count(), count);
            let snapshot = place.store.prepare(&id(1), &layers).unwrap();
            let mounted = place.store.mount(&snapshot, OPTIONS).unwrap();
            fs::write(place.attach(&mounted.mount).join("new"), "x").unwrap();
            drop(mounted);
            place.leave();
        }
    }
}
