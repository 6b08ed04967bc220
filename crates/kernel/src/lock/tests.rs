use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::{FileLock, Flock, Sharing, Wait, held};
use crate::Errno;

struct Place(tempfile::NamedTempFile);

impl Place {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().unwrap())
    }

    fn open(&self) -> File {
        File::options()
            .read(true)
            .write(true)
            .open(self.0.path())
            .unwrap()
    }
}

#[test]
fn held_asks_and_takes_nothing() {
    let place = Place::new();
    assert!(!held(place.open()).unwrap());
    let lock = FileLock::acquire(place.open(), Wait::No).unwrap().unwrap();
    assert!(held(place.open()).unwrap());
    assert!(held(File::open(place.0.path()).unwrap()).unwrap());
    // Not by the holder itself.
    assert!(!held(&lock).unwrap());
    assert!(FileLock::acquire(place.open(), Wait::No).unwrap().is_none());
    drop(lock);
    assert!(!held(place.open()).unwrap());
}

#[test]
fn a_lock_lives_as_long_as_its_last_descriptor() {
    let place = Place::new();
    let lock = FileLock::acquire(place.open(), Wait::No).unwrap().unwrap();
    let fd: OwnedFd = lock.into_fd();
    let second = fd.try_clone().unwrap();
    drop(fd);
    assert!(held(place.open()).unwrap());
    drop(second);
    assert!(!held(place.open()).unwrap());
}

#[test]
fn deadlines() {
    let place = Place::new();
    let lock = FileLock::acquire(place.open(), Wait::No).unwrap().unwrap();
    let start = Instant::now();
    let error = FileLock::acquire(place.open(), Wait::Until(start + Duration::from_millis(30)));
    assert_eq!(error.unwrap_err().errno(), Errno::TIMEDOUT);
    assert!(start.elapsed() >= Duration::from_millis(30));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            lock.unlock().unwrap();
        });
        let wait = Wait::Until(Instant::now() + Duration::from_secs(10));
        assert!(FileLock::acquire(place.open(), wait).unwrap().is_some());
    });
}

#[test]
fn shared_and_exclusive() {
    let place = Place::new();
    let take = |sharing| Flock::acquire(place.open(), sharing, Wait::No).unwrap();
    let one = take(Sharing::Shared).unwrap();
    let two = take(Sharing::Shared).unwrap();
    assert!(take(Sharing::Exclusive).is_none());
    drop((one, two.unlock().unwrap()));
    let three = take(Sharing::Exclusive).unwrap();
    assert!(take(Sharing::Shared).is_none());
    drop(three);
}
