//! A filter in the running kernel.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use kernel::seccomp::{Action, Arg, LoadFlags, Op, Profile, Rule, is_available};
use kernel::{Errno, capability};

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
    let only_two = Arg {
        index: 0,
        value: 0,
        value_two: 0,
        op: Op::NotEqual,
    };
    let profile = Profile {
        default: Action::Allow,
        architectures: Vec::new(),
        rules: vec![
            rule("getsid", Action::Errno(99), vec![only_two]),
            rule("sched_get_priority_max", Action::Errno(13), Vec::new()),
            rule("getpriority", Action::Errno(1), Vec::new()),
        ],
    };
    let filter = profile.compile().unwrap();
    let thread = std::thread::spawn(move || {
        capability::set_no_new_privileges().unwrap();
        assert!(filter.load(LoadFlags::LOG).unwrap().is_none());
        let own = rustix::process::getpid();
        assert_eq!(
            rustix::process::getsid(Some(own)),
            Err(Errno::from_raw_os_error(99))
        );
        assert!(rustix::process::getsid(None).is_ok());
        assert_eq!(rustix::process::getpriority_process(None), Err(Errno::PERM));
    });
    assert!(thread.join().is_ok());
    assert!(rustix::process::getpriority_process(None).is_ok());
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
        rustix::process::getpriority_process(None)
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
