use super::*;

fn state(status: Status) -> State {
    State {
        status,
        pid: 0,
        exit_code: 3,
        oom_killed: false,
        error: String::new(),
        started: Some(Timestamp::from_second(1000).unwrap()),
        finished: Some(Timestamp::from_second(2000).unwrap()),
        restarts: 0,
        health: None,
    }
}

#[test]
fn states_in_dockers_words() {
    let now = Timestamp::from_second(2030).unwrap();
    let words = |of| status(&state(of), now);
    assert_eq!(words(Status::Created), "Created");
    assert_eq!(words(Status::Running), "Up 17 minutes");
    assert_eq!(words(Status::Exited), "Exited (3) 30 seconds ago");
    assert_eq!(words(Status::Removing), "Removal In Progress");
}
