use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{LockKind, Locks};
use crate::error::Kind;

const SOON: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_lock_is_exclusive_and_has_a_deadline() {
    let run = tempfile::tempdir().unwrap();
    let locks = Locks::new(run.path());
    let held = locks.lock(LockKind::Container, "a", SOON).unwrap();
    assert!(locks.try_lock(LockKind::Container, "a").unwrap().is_none());
    assert!(locks.try_lock(LockKind::Volume, "a").unwrap().is_some());
    let error = locks.lock(LockKind::Container, "a", SOON).unwrap_err();
    assert_eq!(error.kind, Kind::Busy);
    assert_eq!(error.to_string(), "lock container a");
    drop(held);
    assert!(locks.try_lock(LockKind::Container, "a").unwrap().is_some());
}

#[test]
fn shared_locks_keep_exclusive_ones_out() {
    let run = tempfile::tempdir().unwrap();
    let locks = Locks::new(run.path());
    let one = locks.lock_shared(LockKind::Content, "all", SOON).unwrap();
    let two = locks.lock_shared(LockKind::Content, "all", SOON).unwrap();
    assert!(locks.try_lock(LockKind::Content, "all").unwrap().is_none());
    drop((one, two));
    assert!(locks.try_lock(LockKind::Content, "all").unwrap().is_some());
}

#[test]
fn retired_locks_leave_no_file_and_no_two_holders() {
    let run = tempfile::tempdir().unwrap();
    let locks = Locks::new(run.path());
    let inside = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let lock = locks.lock(LockKind::Container, "a", LONG).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    lock.retire();
                }
            });
        }
    });
    assert_eq!(locks.all().unwrap(), []);
}

#[test]
fn several_locks_are_taken_in_one_order() {
    let run = tempfile::tempdir().unwrap();
    let locks = Locks::new(run.path());
    let forward = [
        (LockKind::Container, "a".to_owned()),
        (LockKind::Volume, "b".to_owned()),
    ];
    let backward = [forward[1].clone(), forward[0].clone(), forward[1].clone()];
    thread::scope(|scope| {
        for order in [&forward[..], &backward[..]] {
            let locks = &locks;
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(locks.lock_all(order, LONG).unwrap().len(), 2);
                }
            });
        }
    });
}
