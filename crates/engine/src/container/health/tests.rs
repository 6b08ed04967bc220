#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Config, Healthcheck, check, probe};

fn config(test: &[&str]) -> Config {
    Config {
        healthcheck: Some(Healthcheck {
            test: test.iter().map(|word| (*word).to_owned()).collect(),
            ..Healthcheck::default()
        }),
        ..Config::default()
    }
}

#[test]
fn commands_are_run_by_a_shell_or_alone() {
    assert_eq!(probe(&config(&["CMD", "a", "b"])).unwrap().args, ["a", "b"]);
    let shell = config(&["CMD-SHELL", "a || b"]);
    assert_eq!(probe(&shell).unwrap().args, ["/bin/sh", "-c", "a || b"]);
    let own = Config {
        shell: Some(vec!["bash".to_owned(), "-ec".to_owned()]),
        ..shell
    };
    assert_eq!(probe(&own).unwrap().args, ["bash", "-ec", "a || b"]);
    for nobody in [
        &[][..],
        &["NONE"],
        &["CMD"],
        &["CMD-SHELL"],
        &["SOMETHING", "x"],
    ] {
        assert_eq!(probe(&config(nobody)), None, "{nobody:?}");
    }
    assert_eq!(probe(&Config::default()), None);
}

#[test]
fn what_was_not_said_is_dockers() {
    let usual = probe(&config(&["CMD", "a"])).unwrap();
    let second = 1_000_000_000;
    assert_eq!((usual.interval, usual.timeout), (30 * second, 30 * second));
    assert_eq!((usual.start_period, usual.start_interval), (0, 5 * second));
    assert_eq!(usual.retries, 3);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |change: fn(&mut Healthcheck)| {
        let mut asked = config(&["CMD", "a"]).healthcheck.unwrap();
        change(&mut asked);
        check(&asked).unwrap_err().message
    };
    assert_eq!(
        refused(|c| c.interval = 1),
        "Interval in Healthcheck cannot be less than 1ms"
    );
    assert_eq!(
        refused(|c| c.start_period = -1),
        "StartPeriod in Healthcheck cannot be less than 1ms"
    );
    assert_eq!(
        refused(|c| c.retries = -1),
        "Retries in Healthcheck cannot be negative"
    );
    assert!(refused(|c| c.test = vec!["X".to_owned()]).contains("Unknown healthcheck type 'X'"));
    assert!(refused(|c| c.test = vec!["CMD".to_owned()]).contains("needs a command"));
    check(&config(&["NONE"]).healthcheck.unwrap()).unwrap();
    check(&Healthcheck::default()).unwrap();
}
