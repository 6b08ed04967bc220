#![allow(
    clippy::disallowed_methods,
    reason = "the tests make the files that the code under test finds"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::RootDir;
use crate::Errno;

/// A tree, with a file beside it that nothing may reach.
struct Tree {
    dir: tempfile::TempDir,
    root: RootDir,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        fs::write(dir.path().join("secret"), "SECRET").unwrap();
        let root = RootDir::open(dir.path().join("root")).unwrap();
        Self { dir, root }
    }

    fn inside(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn outside(&self) -> String {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join(" ")
    }
}

#[test]
fn absolute_links_and_dots_stay_inside() {
    let tree = Tree::new();
    fs::create_dir_all(tree.inside("run")).unwrap();
    fs::create_dir_all(tree.inside("var")).unwrap();
    symlink("/run", tree.inside("var/run")).unwrap();
    symlink("../../../../secret", tree.inside("up")).unwrap();
    symlink(tree.dir.path().join("secret"), tree.inside("absolute")).unwrap();
    fs::write(tree.inside("run/file"), "inside").unwrap();

    assert_eq!(
        tree.root.read_limited("var/run/file", 100).unwrap(),
        b"inside"
    );
    assert_eq!(
        tree.root.read_limited("/var/run/file", 100).unwrap(),
        b"inside"
    );
    assert_eq!(
        tree.root
            .read_limited("../../var/../run/file", 100)
            .unwrap(),
        b"inside"
    );
    for path in [
        "up",
        "absolute",
        "../secret",
        "../../secret",
        "run/../../secret",
    ] {
        assert!(!tree.root.exists(path).unwrap(), "{path}");
        assert_eq!(
            tree.root.open_read(path).unwrap_err().errno(),
            Errno::NOENT,
            "{path}"
        );
    }
    assert!(tree.root.open_path_nofollow("up").is_ok());
    assert_eq!(tree.root.read_link("up").unwrap(), "../../../../secret");
}

#[test]
fn magic_links_are_not_followed() {
    let proc = RootDir::open("/proc").unwrap();
    let error = proc.open_path("self/root").unwrap_err();
    assert_eq!(error.errno(), Errno::LOOP);
    assert!(proc.open_path("self/status").is_ok());
}

#[test]
fn directories_are_made_through_links_inside() {
    let tree = Tree::new();
    fs::create_dir_all(tree.inside("var")).unwrap();
    symlink("/run", tree.inside("var/run")).unwrap();
    symlink("../../../../../escape", tree.inside("dangling")).unwrap();
    symlink("loop", tree.inside("loop")).unwrap();

    tree.root.create_dir_all("var/run/a/../b", 0o755).unwrap();
    assert!(tree.inside("run/b").is_dir());
    tree.root.create_dir_all("/dangling/x", 0o700).unwrap();
    assert!(tree.inside("escape/x").is_dir());
    tree.root.create_dir_all("../../../y", 0o700).unwrap();
    assert!(tree.inside("y").is_dir());
    tree.root.create_dir_all("/", 0o755).unwrap();
    let error = tree.root.create_dir_all("loop/x", 0o755).unwrap_err();
    assert_eq!(error.errno(), Errno::LOOP);
    assert_eq!(tree.outside(), "root secret");
}

#[test]
fn a_file_in_the_way_is_told() {
    let tree = Tree::new();
    fs::write(tree.inside("file"), "").unwrap();
    let error = tree.root.create_dir_all("file/x", 0o755).unwrap_err();
    assert_eq!(error.errno(), Errno::NOTDIR);
}

#[test]
fn places_for_files() {
    let tree = Tree::new();
    symlink("/run/systemd/resolve/stub", tree.inside("resolv.conf")).unwrap();
    tree.root.ensure_file("resolv.conf", 0o644).unwrap();
    assert!(tree.inside("run/systemd/resolve/stub").is_file());
    tree.root.ensure_file("resolv.conf", 0o644).unwrap();
    tree.root.ensure_file("a/b/c", 0o644).unwrap();
    assert!(tree.inside("a/b/c").is_file());
    symlink("../../../secret", tree.inside("a/up")).unwrap();
    tree.root.ensure_file("a/up", 0o644).unwrap();
    assert!(tree.inside("secret").is_file());
    assert_eq!(fs::read(tree.dir.path().join("secret")).unwrap(), b"SECRET");
}

#[test]
fn new_files_do_not_follow() {
    let tree = Tree::new();
    symlink("../secret", tree.inside("link")).unwrap();
    symlink("nowhere", tree.inside("dangling")).unwrap();
    for path in ["link", "dangling"] {
        let error = tree.root.create_file(path, 0o600).unwrap_err();
        assert_eq!(error.errno(), Errno::EXIST, "{path}");
    }
    tree.root.replace("link", b"new", 0o640).unwrap();
    assert!(tree.inside("link").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(tree.inside("link")).unwrap(), b"new");
    for path in ["", "/", "..", "a/..", "a/."] {
        assert!(tree.root.create_file(path, 0o600).is_err(), "{path}");
    }
    assert_eq!(fs::read(tree.dir.path().join("secret")).unwrap(), b"SECRET");
}

#[test]
fn only_regular_files_of_a_size_are_read() {
    let tree = Tree::new();
    let fifo = tree.inside("fifo");
    rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let sparse = fs::File::create(tree.inside("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    fs::write(tree.inside("ten"), "0123456789").unwrap();
    assert!(tree.root.open_read("fifo").is_err());
    assert!(tree.root.open_read("/").is_err());
    assert_eq!(
        tree.root.read_limited("sparse", 100).unwrap_err().errno(),
        Errno::FBIG
    );
    assert_eq!(
        tree.root.read_limited("ten", 9).unwrap_err().errno(),
        Errno::FBIG
    );
    assert_eq!(tree.root.read_limited("ten", 10).unwrap(), b"0123456789");
}

/// A directory and a link out of the tree change places while paths through them are walked.
#[test]
fn exchanged_links_do_not_lead_out() {
    let tree = Tree::new();
    fs::create_dir_all(tree.inside("dir/sub")).unwrap();
    fs::write(tree.inside("dir/secret"), "inside").unwrap();
    symlink("../../../../../../../..", tree.inside("link")).unwrap();
    let (a, b) = (tree.inside("dir"), tree.inside("link"));
    let up = tree.dir.path().strip_prefix("/").unwrap().to_owned();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for turn in 0..3000 {
            if let Ok(text) = tree.root.read_limited("dir/secret", 100) {
                assert_eq!(text, b"inside");
            }
            let outside = Path::new("dir").join(&up).join("secret");
            assert!(tree.root.read_limited(outside, 100).is_err());
            let made = Path::new("dir")
                .join(&up)
                .join(format!("made-{}", turn % 7));
            drop(tree.root.create_dir_all(made, 0o755));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(tree.outside(), "root secret");
}
