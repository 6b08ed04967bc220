#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use super::*;

fn log(limit: u64) -> (tempfile::TempDir, EventLog) {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::File::open(dir.path()).unwrap();
    (dir, EventLog::create(root).unwrap().limited(limit))
}

fn event(number: u64) -> Event {
    Event::new(number, "container", "start", format!("{number:064}")).with("name", "web")
}

fn read(reader: &mut EventReader) -> Vec<u64> {
    std::iter::from_fn(|| reader.next_event().unwrap())
        .map(|event| event.time)
        .collect()
}

#[test]
fn what_is_written_is_read_and_followed() {
    let (_dir, log) = log(EventLog::LIMIT);
    let mut early = log.reader().unwrap();
    assert_eq!(read(&mut early), [0; 0]);
    log.append(&event(1)).unwrap();
    log.append(&event(2)).unwrap();
    assert_eq!(read(&mut early), [1, 2]);
    let mut late = log.reader().unwrap();
    late.skip_all().unwrap();
    log.append(&event(3)).unwrap();
    assert_eq!(read(&mut late), [3]);
    assert_eq!(read(&mut early), [3]);
    let got = log.reader().unwrap().next_event().unwrap().unwrap();
    assert_eq!(got, event(1));
}

#[test]
fn a_full_segment_is_turned_and_a_reader_misses_nothing_of_the_next() {
    let (dir, log) = log(1000);
    let mut reader = log.reader().unwrap();
    let mut seen = Vec::new();
    for number in 1..=40 {
        log.append(&event(number)).unwrap();
        // Seldom enough that a segment is turned in between, often enough that none is lost.
        if number % 5 == 0 {
            seen.extend(read(&mut reader));
        }
    }
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    let files = std::fs::read_dir(dir.path().join("events"))
        .unwrap()
        .count();
    assert_eq!(files, 2, "older segments are gone");
    let kept = read(&mut log.reader().unwrap());
    assert_eq!(kept.last(), Some(&40));
    assert!(
        kept.len() < 40 && kept.windows(2).all(|w| w[1] == w[0] + 1),
        "{kept:?}"
    );
    let mut late = log.reader().unwrap();
    late.skip_all().unwrap();
    assert_eq!(read(&mut late), [0; 0]);
}

#[test]
fn a_torn_record_costs_no_other() {
    let (dir, log) = log(EventLog::LIMIT);
    log.append(&event(1)).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(dir.path().join("events/current"))
        .unwrap();
    file.write_all(b"{\"v\":1,\"time\":2,\"type\":\"conta")
        .unwrap();
    let mut reader = log.reader().unwrap();
    assert_eq!(read(&mut reader), [1]);
    log.append(&event(3)).unwrap();
    file.write_all(b"garbage\n{\"v\":9,\"time\":4,\"type\":\"\",\"action\":\"\",\"id\":\"\"}\n")
        .unwrap();
    log.append(&event(5)).unwrap();
    assert_eq!(read(&mut reader), [3, 5], "another version's is skipped");
}

#[test]
fn an_event_that_is_too_long_loses_its_attributes() {
    let (_dir, log) = log(EventLog::LIMIT);
    let long = event(1).with("label", "x".repeat(Event::MAX));
    log.append(&long).unwrap();
    let got = log.reader().unwrap().next_event().unwrap().unwrap();
    assert_eq!((got.time, got.attributes.len()), (1, 0));
}

#[test]
fn writers_at_once_lose_nothing() {
    // Turned once: a reader that is held up for two turns may miss what was between them.
    let (_dir, log) = log(70_000);
    let mut reader = log.reader().unwrap();
    let mut seen = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let log = log.try_clone().unwrap();
                scope.spawn(move || {
                    for number in 0..200 {
                        log.append(&event(writer * 1000 + number)).unwrap();
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        while !writers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            seen.extend(read(&mut reader));
        }
        seen.extend(read(&mut reader));
        seen
    });
    seen.sort_unstable();
    let all: Vec<u64> = (0..4)
        .flat_map(|w| (0..200).map(move |n| w * 1000 + n))
        .collect();
    assert_eq!(seen, all);
}
