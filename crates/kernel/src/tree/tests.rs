#![allow(
    clippy::disallowed_methods,
    reason = "the tests make the files that the code under test finds"
)]

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use super::remove;
use crate::root::RootDir;

#[test]
fn links_are_removed_and_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("tree/a/b")).unwrap();
    fs::create_dir_all(path("kept/x")).unwrap();
    fs::write(path("tree/a/file"), "").unwrap();
    symlink(path("kept"), path("tree/a/b/out")).unwrap();
    symlink("../kept", path("tree/out")).unwrap();
    symlink("kept", path("link")).unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    remove(&root, "tree").unwrap();
    remove(&root, "link").unwrap();
    remove(&root, "never was").unwrap();
    assert!(!path("tree").exists());
    assert!(path("link").symlink_metadata().is_err());
    assert!(path("kept/x").is_dir());
    fs::write(path("file"), "").unwrap();
    remove(&root, "file").unwrap();
    assert!(!path("file").exists());
}

#[test]
fn only_plain_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    for name in ["", ".", "..", "a/b", "/"] {
        assert!(remove(&root, name).is_err(), "{name:?}");
    }
}

#[test]
fn a_tree_deeper_than_any_path() {
    let dir = tempfile::tempdir().unwrap();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, dir.path(), flags, Mode::empty()).unwrap();
    for _ in 0..3000 {
        for name in ["deep", "other"] {
            mkdirat(&here, name, Mode::from_raw_mode(0o700)).unwrap();
        }
        here = openat(&here, "deep", flags, Mode::empty()).unwrap();
    }
    drop(here);
    let root = RootDir::open(dir.path()).unwrap();
    remove(&root, "deep").unwrap();
    remove(&root, "other").unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn many_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    for number in 0..3000 {
        fs::write(dir.path().join(format!("tree/{number:0100}")), "").unwrap();
    }
    remove(RootDir::open(dir.path()).unwrap(), "tree").unwrap();
    assert!(!dir.path().join("tree").exists());
}
