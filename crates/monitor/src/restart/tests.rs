#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use protocol::Restart;

use super::{Restarts, Wanted};

const BRIEF: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(11);

#[test]
fn pauses_double_up_to_a_minute_and_begin_anew_after_ten_seconds() {
    let mut restarts = Restarts::new(Restart::Always);
    let pauses: Vec<u128> = (0..12)
        .map(|_| restarts.after(0, BRIEF).unwrap().as_millis())
        .collect();
    assert_eq!(
        pauses,
        [
            100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000
        ]
    );
    assert_eq!(restarts.after(0, LONG).unwrap().as_millis(), 100);
    assert_eq!(restarts.after(1, BRIEF).unwrap().as_millis(), 200);
}

#[test]
fn failures_alone_are_counted_and_limited() {
    let mut restarts = Restarts::new(Restart::OnFailure { most: 2 });
    assert_eq!(restarts.after(0, BRIEF), None);
    assert!(restarts.after(3, BRIEF).is_some());
    restarts.count = 2;
    assert_eq!(restarts.after(3, BRIEF), None);
    let mut restarts = Restarts::new(Restart::OnFailure { most: 0 });
    restarts.count = 1_000_000;
    assert!(restarts.after(137, BRIEF).is_some());
}

#[test]
fn who_was_ended_stays_ended() {
    for policy in [Restart::Always, Restart::OnFailure { most: 0 }] {
        let mut restarts = Restarts::new(policy);
        restarts.wanted = Wanted::End;
        assert_eq!(restarts.after(137, BRIEF), None);
    }
    assert_eq!(Restarts::new(Restart::No).after(1, BRIEF), None);
}
