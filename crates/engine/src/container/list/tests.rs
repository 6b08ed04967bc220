use std::collections::BTreeMap;

use spec::{ContainerId, Digest, ImageId};

use super::{admits, labelled, named};
use crate::container::{Filters, State, Status, Summary};

fn summary() -> Summary {
    Summary {
        id: ContainerId::from_bytes([0xab; 32]),
        name: "web-1".to_owned(),
        image: "busybox".to_owned(),
        image_id: ImageId::new(Digest::of("x")),
        command: "sh".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        state: State {
            status: Status::Exited,
            pid: 0,
            exit_code: 3,
            oom_killed: false,
            error: String::new(),
            started: None,
            finished: None,
            restarts: 0,
            health: None,
        },
        labels: [("tier".to_owned(), "front".to_owned())].into(),
        mounts: Vec::new(),
        network_mode: "none".to_owned(),
        ends: Vec::new(),
        ports: Vec::new(),
        size_rw: None,
        size_root: None,
    }
}

fn wanted(change: impl FnOnce(&mut Filters)) -> bool {
    let mut filters = Filters::default();
    change(&mut filters);
    admits(&filters, &summary())
}

#[test]
fn one_term_of_a_list_suffices_and_every_list_counts() {
    assert!(wanted(|_| {}));
    assert!(wanted(|f| f.id = vec!["ff".into(), "abab".into()]));
    assert!(!wanted(|f| f.id = vec!["ff".into()]));
    assert!(wanted(|f| f.name = vec!["web".into()]));
    assert!(wanted(|f| f.status = vec![Status::Running, Status::Exited]));
    assert!(!wanted(|f| f.status = vec![Status::Running]));
    assert!(wanted(|f| f.exited = vec![3]));
    assert!(!wanted(|f| f.exited = vec![0]));
    assert!(!wanted(|f| {
        f.name = vec!["web".into()];
        f.network = vec!["host".into()];
    }));
    assert!(!wanted(|f| f.volume = vec!["data".into()]));
}

#[test]
fn all_labels_must_match() {
    assert!(wanted(
        |f| f.label = vec!["tier".into(), "tier=front".into()]
    ));
    assert!(!wanted(
        |f| f.label = vec!["tier".into(), "tier=back".into()]
    ));
    let none = BTreeMap::new();
    assert!(!labelled(&none, "tier"));
}

#[test]
fn names_may_be_fastened() {
    for (term, expected) in [
        ("eb-", true),
        ("^web", true),
        ("^/web-1$", true),
        ("1$", true),
        ("^eb", false),
        ("web$", false),
        ("/web-1", true),
    ] {
        assert_eq!(named("web-1", term), expected, "{term}");
    }
}
