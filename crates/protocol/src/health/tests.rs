#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs::File;

use super::{Counts, Health, Look, Verdict};

fn look(code: i32) -> Look {
    Look {
        start: 1,
        end: 2,
        code,
        output: "said".to_owned(),
    }
}

#[test]
fn failures_in_a_row_make_unwell_and_one_success_well() {
    let mut health = Health::default();
    health.take(look(1), 2, Counts::No);
    assert_eq!((health.verdict, health.streak), (Verdict::Starting, 0));
    health.take(look(1), 2, Counts::Yes);
    assert_eq!((health.verdict, health.streak), (Verdict::Starting, 1));
    health.take(look(0), 2, Counts::Yes);
    assert_eq!((health.verdict, health.streak), (Verdict::Healthy, 0));
    health.take(look(-1), 2, Counts::Yes);
    assert_eq!((health.verdict, health.streak), (Verdict::Healthy, 1));
    health.take(look(7), 2, Counts::Yes);
    assert_eq!((health.verdict, health.streak), (Verdict::Unhealthy, 2));
    health.take(look(0), 2, Counts::Yes);
    assert_eq!((health.verdict, health.streak), (Verdict::Healthy, 0));
    // The last five are remembered.
    let codes: Vec<i32> = health.looks.iter().map(|look| look.code).collect();
    assert_eq!(codes, [1, 0, -1, 7, 0]);
}

#[test]
fn what_is_written_is_read_and_garbage_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fd = File::open(dir.path()).unwrap();
    assert_eq!(Health::read(&fd).unwrap(), None);
    let mut health = Health::default();
    for _ in 0..9 {
        health.take(
            Look {
                output: "\u{1f980}".repeat(1024),
                ..look(1)
            },
            3,
            Counts::Yes,
        );
    }
    health.write(&fd).unwrap();
    let read = Health::read(&fd).unwrap().unwrap();
    assert_eq!((read.looks, read.streak), (health.looks, 9));
    let file = dir.path().join(Health::FILE);
    for bad in ["", "[]", "{\"v\":9,\"verdict\":\"healthy\",\"streak\":0}"] {
        std::fs::write(&file, bad).unwrap();
        Health::read(&fd).unwrap_err();
    }
}
