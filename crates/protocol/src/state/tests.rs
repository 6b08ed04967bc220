use super::*;

fn state() -> State {
    State {
        v: State::VERSION,
        pid: 42,
        start_time: 7,
        boot_id: "boot".to_owned(),
        started_at: 1,
        tty: false,
        open_stdin: true,
        monitor_pid: 41,
        condition: crate::Condition::default(),
    }
}

fn dir() -> (tempfile::TempDir, OwnedFd) {
    let dir = tempfile::tempdir().unwrap();
    let fd = std::fs::File::open(dir.path()).unwrap().into();
    (dir, fd)
}

#[test]
fn the_lock_is_the_truth() {
    let (_guard, dir) = dir();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Absent);
    let lock = StateLock::acquire(&dir).unwrap();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Starting);
    assert_eq!(StateLock::acquire(&dir).unwrap_err().kind, Kind::Busy);
    lock.write(&state()).unwrap();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Running(state()));
    // Probing acquires nothing.
    assert!(probe_at(&dir).unwrap().is_alive());
    drop(lock);
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Dead(Some(state())));
    let lock = StateLock::acquire(&dir).unwrap();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Starting);
    lock.remove(&dir).unwrap();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Absent);
}

#[test]
fn an_end_in_order_is_no_death_for_who_looked_just_then() {
    let (guard, dir) = dir();
    let lock = StateLock::acquire(&dir).unwrap();
    lock.write(&state()).unwrap();
    let opened: OwnedFd = std::fs::File::open(guard.path().join(FILE)).unwrap().into();
    lock.remove(&dir).unwrap();
    assert_eq!(judge(&opened).unwrap(), Liveness::Absent);
}

#[test]
fn is_probed_by_id() {
    let root = tempfile::tempdir().unwrap();
    let id = ContainerId::from_bytes([3; 32]);
    assert_eq!(probe(root.path(), &id).unwrap(), Liveness::Absent);
    let run = root.path().join("containers").join(id.to_string());
    std::fs::create_dir_all(&run).unwrap();
    assert_eq!(probe(root.path(), &id).unwrap(), Liveness::Absent);
    let fd: OwnedFd = std::fs::File::open(&run).unwrap().into();
    let lock = StateLock::acquire(&fd).unwrap();
    lock.write(&state()).unwrap();
    assert_eq!(probe(root.path(), &id).unwrap(), Liveness::Running(state()));
}

#[test]
fn garbage_in_the_file_is_not_believed() {
    let (guard, dir) = dir();
    #[expect(clippy::disallowed_methods, reason = "plants garbage")]
    std::fs::write(guard.path().join(FILE), vec![0xff; 100]).unwrap();
    assert_eq!(probe_at(&dir).unwrap(), Liveness::Dead(None));
    std::fs::remove_file(guard.path().join(FILE)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", guard.path().join(FILE)).unwrap();
    assert!(probe_at(&dir).is_err());
    assert!(StateLock::acquire(&dir).is_err());
}

#[test]
fn a_monitor_that_begins_is_never_seen_as_dead() {
    let (guard, fd) = dir();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let watched = std::fs::File::open(guard.path()).unwrap();
            let mut dead = 0;
            while !stopped() {
                dead += usize::from(matches!(probe_at(&watched).unwrap(), Liveness::Dead(_)));
            }
            dead
        });
        for _ in 0..3000 {
            StateLock::acquire(&fd).unwrap().remove(&fd).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(seen.join().unwrap(), 0);
    });
}
