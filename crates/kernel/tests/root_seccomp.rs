//! A filter in the running kernel.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use kernel::seccomp::{Action, Arg, LoadFlags, Op, Profile, Rule, is_available};
use kernel::{Errno, capability};
use rustix::process::{getpriority_pgrp, getpriority_process};
use rustix::thread::sched_getaffinity;

fn rule(name: &str, action: Action, args: Vec<Arg>) -> Rule {
    Rule {
        names: vec![name.to_owned()],
        action,
        args,
    }
}

/// A filter is its thread's: the test needs no process, and what it restricts is gone with the thread.
#[test]
fn calls_fail_as_the_profile_says() {
    let not_a_process = Arg {
        index: 0,
        value: 0,
        value_two: 0,
        op: Op::NotEqual,
    };
    let profile = Profile {
        default: Action::Allow,
        architectures: Vec::new(),
        rules: vec![
            rule("getpriority", Action::Errno(99), vec![not_a_process]),
            rule("sched_getaffinity", Action::Errno(1), Vec::new()),
        ],
    };
    let filter = profile.compile().unwrap();
    let thread = std::thread::spawn(move || {
        capability::set_no_new_privileges().unwrap();
        assert!(filter.load(LoadFlags::LOG).unwrap().is_none());
        assert!(getpriority_process(None).is_ok());
        assert_eq!(
            getpriority_pgrp(None),
            Err(Errno::from_raw_os_error(99)),
            "a rule for another argument than 0"
        );
        assert_eq!(sched_getaffinity(None), Err(Errno::PERM));
    });
    assert!(thread.join().is_ok());
    assert!(sched_getaffinity(None).is_ok());
}

#[test]
fn new_calls_are_unknown() {
    // All but one call that is not needed below: the newest named is mseal.
    let names = [
        "read", "write", "close", "futex", "mmap", "munmap", "mprotect", "madvise", "exit",
    ];
    let more = [
        "rt_sigprocmask",
        "sigaltstack",
        "getpid",
        "gettid",
        "mseal",
        "clock_gettime",
        "rseq",
    ];
    let rules = names
        .iter()
        .chain(&more)
        .map(|name| rule(name, Action::Allow, Vec::new()));
    let profile = Profile {
        default: Action::Errno(1),
        architectures: Vec::new(),
        rules: rules.collect(),
    };
    let filter = profile.compile().unwrap();
    let thread = std::thread::spawn(move || {
        capability::set_no_new_privileges().unwrap();
        filter.load(LoadFlags::NONE).unwrap();
        getpriority_process(None)
    });
    assert_eq!(thread.join().unwrap(), Err(Errno::PERM));
}

#[test]
fn actions_are_probed() {
    for action in [
        Action::Allow,
        Action::Log,
        Action::KillProcess,
        Action::Errno(7),
        Action::Notify,
    ] {
        assert!(is_available(action).unwrap(), "{action:?}");
    }
}
