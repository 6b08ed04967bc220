#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs::File;

use super::{Condition, FILE, Phase};

#[test]
fn the_usual_has_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let fd = File::open(dir.path()).unwrap();
    let file = dir.path().join(FILE);
    assert_eq!(Condition::read(&fd).unwrap(), Condition::default());
    let paused = Condition {
        phase: Phase::Paused,
        ..Condition::default()
    };
    paused.write(&fd).unwrap();
    assert_eq!(Condition::read(&fd).unwrap().phase, Phase::Paused);
    Condition::default().write(&fd).unwrap();
    assert!(!file.exists());
    Condition::default().write(&fd).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn garbage_and_the_future_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fd = File::open(dir.path()).unwrap();
    let file = dir.path().join(FILE);
    for bad in [
        "",
        "{",
        "[]",
        "{\"v\":999}",
        "{\"v\":1,\"phase\":\"dancing\"}",
    ] {
        std::fs::write(&file, bad).unwrap();
        Condition::read(&fd).unwrap_err();
    }
    std::fs::write(&file, vec![b' '; 100_000]).unwrap();
    Condition::read(&fd).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    Condition::read(&fd).unwrap_err();
}
