//! Layers on the real kernel: unpacked, mounted, merged, and compared.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod archive;
mod place;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use archive::Archive;
use place::{Place, listing, read};
use store::{Format, Kind};

fn both(test: impl Fn(&Place)) {
    for format in [Format::Erofs, Format::Directory] {
        let place = Place::new(format);
        test(&place);
        place.leave();
    }
}

#[test]
fn everything_a_tar_has() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        let big = vec![7; 3 << 20];
        let tar = Archive::new()
            .dir("./", 0o700)
            .dir("etc/", 0o750)
            .pax("mtime", "1700000000.123456789")
            .pax("uid", "3000000000")
            .xattr("user.note", "hello")
            .xattr(
                "security.capability",
                [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            )
            .mode_file("etc/passwd", 0o4755, "root\n")
            .symlink("etc/mtab", "/proc/mounts")
            .symlink("long", &"x".repeat(99))
            .pax("linkpath", "y".repeat(4090))
            .symlink("longest", "")
            .pax("mtime", "1700000000.123456789")
            .pax("uid", "3000000000")
            .entry(b'1', "etc/again", "etc/passwd", 0o4755, b"")
            .fifo("pipe")
            .device("null", 1, 3)
            .file("empty", "")
            .file("block", [1; 4096])
            .file("big", &big)
            .end();
        let layer = place.store.unpack(&tar[..], &[]).unwrap();
        assert_eq!(layer.size, tar.len() as u64);
        assert_eq!(layer.diff_id.digest(), &spec::Digest::of(&tar));
        assert_eq!(layer.id.to_string(), layer.diff_id.hex());
        place.store.verify_layer(&layer.id).unwrap();
        let view = place.view(&[layer.id]);
        let passwd = fs::metadata(view.join("etc/passwd")).unwrap();
        assert_eq!(
            (passwd.mode() & 0o7777, passwd.uid(), passwd.nlink()),
            (0o4755, 3_000_000_000, 2)
        );
        assert_eq!(
            (passwd.mtime(), passwd.mtime_nsec()),
            (1_700_000_000, 123_456_789)
        );
        assert_eq!(
            passwd.ino(),
            fs::metadata(view.join("etc/again")).unwrap().ino()
        );
        assert_eq!(
            place::xattr(&view.join("etc/passwd"), "user.note").as_deref(),
            Some(&b"hello"[..])
        );
        assert!(place::xattr(&view.join("etc/passwd"), "security.capability").is_some());
        assert_eq!(
            fs::read_link(view.join("etc/mtab")).unwrap().to_str(),
            Some("/proc/mounts")
        );
        assert_eq!(
            fs::read_link(view.join("long")).unwrap().as_os_str().len(),
            99
        );
        assert_eq!(
            fs::read_link(view.join("longest"))
                .unwrap()
                .as_os_str()
                .len(),
            4090
        );
        assert!(
            fs::metadata(view.join("pipe"))
                .unwrap()
                .file_type()
                .is_fifo()
        );
        assert_eq!(
            fs::metadata(view.join("null")).unwrap().rdev(),
            rustix::fs::makedev(1, 3)
        );
        assert_eq!(
            fs::metadata(view.join("etc")).unwrap().permissions().mode() & 0o7777,
            0o750
        );
        assert_eq!(fs::read(view.join("empty")).unwrap(), b"");
        assert_eq!(fs::read(view.join("block")).unwrap(), [1; 4096]);
        assert!(fs::read(view.join("big")).unwrap() == big);
        place.fsck(&layer.id);
    });
}

/// The story of the architecture: what one layer says of those below it, in every way that it can.
#[test]
fn merged_tree() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        let lower = Archive::new()
            .dir("usr/", 0o755)
            .xattr("user.mark", "kept")
            .dir("usr/share/", 0o2775)
            .dir("run/", 0o700)
            .dir("var/", 0o755)
            .symlink("var/run", "/run")
            .file("usr/keep", "keep")
            .file("usr/gone", "gone")
            .dir("opaque/", 0o755)
            .file("opaque/old", "old")
            .dir("replaced/", 0o755)
            .file("replaced/old", "old")
            .file("usr/linked", "linked")
            .hard_link("usr/linked2", "usr/linked")
            .end();
        let upper = Archive::new()
            .file("usr/.wh.gone", "")
            .file("usr/share/new", "new")
            .file("opaque/.wh..wh..opq", "")
            .file("opaque/new", "new")
            .file("var/run/pid", "1")
            .hard_link("usr/hard", "usr/linked")
            .file(".wh.replaced", "")
            .dir("replaced/", 0o711)
            .file("replaced/new", "new")
            .file("brand/new/dir/file", "x")
            .end();
        let one = place.store.unpack(&lower[..], &[]).unwrap();
        let two = place.store.unpack(&upper[..], &[one.id]).unwrap();
        assert_ne!(
            two.id.to_string(),
            two.diff_id.hex(),
            "it depends on what is below"
        );
        assert_eq!(two.id.to_string(), two.chain_id.hex());
        let view = place.view(&[one.id, two.id]);
        assert_eq!(
            listing(&view),
            [
                "brand/ 755",
                "brand/new/ 755",
                "brand/new/dir/ 755",
                "brand/new/dir/file 644 x",
                "opaque/ 755",
                "opaque/new 644 new",
                "replaced/ 711",
                "replaced/new 644 new",
                "run/ 700",
                "run/pid 644 1",
                "usr/ 755",
                "usr/hard 644 linked",
                "usr/keep 644 keep",
                "usr/linked 644 linked",
                "usr/linked2 644 linked",
                "usr/share/ 2775",
                "usr/share/new 644 new",
                "var/ 755",
                "var/run -> /run",
            ]
        );
        // Linked with the copy, as overlayfs has it.
        let ino = |name: &str| fs::metadata(view.join(name)).unwrap().ino();
        assert_eq!(ino("usr/hard"), ino("usr/linked"));
        assert_eq!(
            place::xattr(&view.join("usr/share"), "user.mark").as_deref(),
            Some(&b"kept"[..])
        );
        place.fsck(&two.id);
    });
}

#[test]
fn opaque_root_hides_everything() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        let lower = Archive::new()
            .dir("a/", 0o755)
            .file("a/b", "b")
            .file("c", "c")
            .end();
        let upper = Archive::new()
            .file("a/new", "new")
            .file(".wh..wh..opq", "")
            .end();
        let one = place.store.unpack(&lower[..], &[]).unwrap();
        let two = place.store.unpack(&upper[..], &[one.id]).unwrap();
        let view = place.view(&[one.id, two.id]);
        assert_eq!(listing(&view), ["a/ 755", "a/new 644 new"]);
    });
}

/// Security rule D5: a layer can't speak overlayfs's own language.
#[test]
fn marks_of_overlayfs_are_stripped() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        let lower = Archive::new()
            .dir("a/", 0o755)
            .file("a/b", "b")
            .file("c", "c")
            .end();
        let upper = Archive::new()
            .xattr("trusted.overlay.opaque", "y")
            .xattr("user.overlay.opaque", "y")
            .xattr("trusted.overlay.redirect", "/c")
            .xattr("security.selinux", "label")
            .dir("a/", 0o755)
            .device("c", 0, 0)
            .end();
        let one = place.store.unpack(&lower[..], &[]).unwrap();
        let two = place.store.unpack(&upper[..], &[one.id]).unwrap();
        let view = place.view(&[one.id, two.id]);
        assert_eq!(listing(&view), ["a/ 755", "a/b 644 b", "c 644 c"]);
        assert_eq!(place::xattr(&view.join("a"), "security.selinux"), None);
    });
}

#[test]
fn sparse_files_stay_sparse() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        // ext4 has no files of a PiB.
        let size: u64 = if place.store.format() == Format::Erofs {
            1 << 50
        } else {
            1 << 40
        };
        let map = format!("2\n5000\n6\n{}\n4\n", size - 4);
        let mut data = map.into_bytes();
        data.resize(512, 0);
        data.extend_from_slice(b"middleend.");
        let tar = Archive::new()
            .pax("GNU.sparse.major", "1")
            .pax("GNU.sparse.minor", "0")
            .pax("GNU.sparse.name", "hole")
            .pax("GNU.sparse.realsize", size.to_string())
            .file("GNUSparseFile.0/hole", &data)
            .end();
        let layer = place.store.unpack(&tar[..], &[]).unwrap();
        place.store.verify_layer(&layer.id).unwrap();
        let view = place.view(&[layer.id]);
        let file = fs::File::open(view.join("hole")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size);
        let at = |offset: u64, len: usize| {
            use std::os::unix::fs::FileExt;
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, offset).unwrap();
            bytes
        };
        assert_eq!(at(4999, 8), b"\0middle\0");
        assert_eq!(at(size - 5, 5), b"\0end.");
        assert_eq!(at(size / 2, 2), b"\0\0");
        assert!(place.disk_usage() < 16 << 20, "{}", place.disk_usage());
        // A hard link from above copies the data, not the holes; EROFS does not tell where they are.
        let above = Archive::new().hard_link("link", "hole").end();
        let linked = place.store.unpack(&above[..], &[layer.id]);
        if place.store.format() == Format::Erofs {
            assert_eq!(linked.unwrap_err().kind, Kind::Limit);
        } else {
            let view = place.view(&[layer.id, linked.unwrap().id]);
            assert_eq!(fs::metadata(view.join("link")).unwrap().len(), size);
            assert!(place.disk_usage() < 32 << 20);
        }
    });
}

#[test]
fn many_layers() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let mut layers = Vec::new();
    for n in 0..200 {
        let tar = Archive::new()
            .file(&format!("f{n}"), n.to_string())
            .file("last", n.to_string())
            .end();
        layers.push(place.store.unpack(&tar[..], &layers).unwrap().id);
    }
    let view = place.view(&layers);
    assert_eq!(fs::read_dir(&view).unwrap().count(), 201);
    assert_eq!(read(&view.join("last")), "199");
    assert_eq!(read(&view.join("f0")), "0");
    place.leave();
}

/// Names in the order that EROFS searches, over many blocks.
#[test]
fn large_directory() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let mut tar = Archive::new();
    for n in 0..5000_u32 {
        tar = tar.file(
            &format!("d/{}", n.wrapping_mul(2_654_435_761)),
            n.to_string(),
        );
    }
    for name in ["!", "-", ".a", "..a", ".-", "\u{e9}"] {
        tar = tar.file(&format!("d/{name}"), name);
    }
    let layer = place.store.unpack(&tar.end()[..], &[]).unwrap();
    let view = place.view(&[layer.id]);
    assert_eq!(fs::read_dir(view.join("d")).unwrap().count(), 5006);
    for n in 0..5000_u32 {
        assert_eq!(
            read(&view.join(format!("d/{}", n.wrapping_mul(2_654_435_761)))),
            n.to_string()
        );
    }
    for name in ["!", "-", ".a", "..a", ".-", "\u{e9}"] {
        assert_eq!(read(&view.join("d").join(name)), name);
    }
    place.fsck(&layer.id);
    place.leave();
}

#[test]
fn a_layer_is_found_again() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let tar = Archive::new().dir("d/", 0o700).file("d/f", "f").end();
    let one = place.store.unpack(&tar[..], &[]).unwrap();
    assert_eq!(place.store.unpack(&tar[..], &[]).unwrap(), one);
    assert_eq!(
        place.store.find_layer(&one.diff_id, &[]).unwrap(),
        Some(one.clone())
    );
    // Implicit parent: made for one chain only.
    let implicit = Archive::new().file("d/g", "g").end();
    let two = place.store.unpack(&implicit[..], &[one.id]).unwrap();
    assert_eq!(
        place.store.find_layer(&two.diff_id, &[one.id]).unwrap(),
        Some(two.clone())
    );
    assert_eq!(place.store.find_layer(&two.diff_id, &[]).unwrap(), None);
    let alone = place.store.unpack(&implicit[..], &[]).unwrap();
    assert_ne!(alone.id, two.id);
    assert_eq!(listing(&place.view(&[one.id, two.id]))[0], "d/ 700");
    assert_eq!(listing(&place.view(&[alone.id]))[0], "d/ 755");
    // The row of the one that stands alone must not serve above others.
    assert_eq!(
        place.store.find_layer(&two.diff_id, &[two.id]).unwrap(),
        None
    );
    let missing = place.store.remove_layer(&two.id).unwrap();
    assert!(missing);
    assert_eq!(
        place.store.unpack(&tar[..], &[two.id]).unwrap_err().kind,
        Kind::NotFound
    );
    place.leave();
}

/// A bad tar leaves nothing.
#[test]
fn nothing_half_made() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    both(|place| {
        let good = Archive::new().file("a", vec![1; 100_000]).end();
        let bad: &[(&str, Vec<u8>)] = &[
            ("truncated", good[..50_000].to_vec()),
            (
                "link",
                Archive::new()
                    .file("a", "a")
                    .hard_link("b", "missing")
                    .end(),
            ),
            ("garbage", vec![b'x'; 2000]),
        ];
        for (name, tar) in bad {
            let error = place.store.unpack(&tar[..], &[]).unwrap_err();
            assert_eq!(error.kind, Kind::Invalid, "{name}: {error:?}");
        }
        assert_eq!(
            fs::read_dir(place.root().join("layers")).unwrap().count(),
            0
        );
        assert_eq!(place.store.sweep().unwrap(), store::Swept::default());
    });
}

#[test]
fn bit_rot_is_found() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    let tar = Archive::new().file("a", vec![1; 5 << 20]).end();
    let layer = place.store.unpack(&tar[..], &[]).unwrap();
    place.store.verify_layer(&layer.id).unwrap();
    let path = place
        .root()
        .join("layers")
        .join(format!("{}.erofs", layer.id));
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[2], 3 << 20).unwrap();
    assert_eq!(
        place.store.verify_layer(&layer.id).unwrap_err().kind,
        Kind::Corrupt
    );
    place.leave();
}

/// Each count of inodes of each size ends somewhere else in the last block; one ends with it, and with the file.
#[test]
fn inodes_up_to_the_last_byte() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let place = Place::new(Format::Erofs);
    for count in 100_i64..=150 {
        let mut tar = Archive::new();
        // Of the one time that many have the small ones, the others are large.
        for n in 0..count {
            tar = tar
                .pax("mtime", format!("{}", 1_700_000_000 + (n - 60).max(0)))
                .fifo(&format!("{n}"));
        }
        let layer = place.store.unpack(&tar.end()[..], &[]).unwrap();
        place.fsck(&layer.id);
    }
    place.leave();
}
