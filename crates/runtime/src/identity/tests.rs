use spec::profile;
use spec::runtime::{Capabilities, Process, Rlimit, User};

use super::{Identity, Sets, sets};

#[test]
fn the_default_sets_are_dockers() {
    let root = sets(&profile::capabilities(&profile::CAPABILITIES, 0));
    let all = 0xa804_25fb;
    assert_eq!(
        root,
        Sets {
            bounding: all,
            effective: all,
            permitted: all,
            inheritable: 0,
            ambient: 0
        }
    );
    let user = sets(&profile::capabilities(&profile::CAPABILITIES, 1000));
    assert_eq!(
        user,
        Sets {
            bounding: all,
            ..Sets::default()
        }
    );
}

#[test]
fn unknown_names_are_passed_over() {
    let names = |list: &[&str]| list.iter().map(|&n| n.to_owned()).collect();
    let capabilities = Capabilities {
        bounding: names(&["CAP_CHOWN", "CHOWN", "cap_chown", "CAP_MOON", ""]),
        ..Capabilities::default()
    };
    assert_eq!(sets(&capabilities).bounding, 1);
}

#[test]
fn nothing_is_had_that_was_not_held() {
    let asked = Sets {
        bounding: 0b111,
        effective: 0b111,
        permitted: 0b110,
        inheritable: 0b011,
        ambient: 0b111,
    };
    let got = asked.within(0b101);
    assert_eq!(
        got,
        Sets {
            bounding: 0b101,
            effective: 0b100,
            permitted: 0b100,
            inheritable: 0b001,
            ambient: 0
        }
    );
}

#[test]
fn the_id_that_means_no_change_is_refused() {
    let with = |user| {
        Identity::new(
            &Process {
                user,
                ..Process::default()
            },
            None,
        )
    };
    assert!(with(User::default()).is_ok());
    assert!(
        with(User {
            uid: u32::MAX,
            ..User::default()
        })
        .is_err()
    );
    assert!(
        with(User {
            gid: u32::MAX,
            ..User::default()
        })
        .is_err()
    );
    assert!(
        with(User {
            additional_gids: vec![u32::MAX],
            ..User::default()
        })
        .is_err()
    );
}

#[test]
fn limits_are_checked() {
    let with = |kind: &str, soft, hard| {
        let rlimits = vec![Rlimit {
            kind: kind.to_owned(),
            hard,
            soft,
        }];
        Identity::new(
            &Process {
                rlimits,
                ..Process::default()
            },
            None,
        )
    };
    assert!(with("RLIMIT_NOFILE", 1, 2).is_ok());
    assert!(with("RLIMIT_NOFILE", 2, 1).is_err());
    assert!(with("NOFILE", 1, 2).is_err());
}
