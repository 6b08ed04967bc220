//! How programs are scheduled, on every path alike.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use bundle::Bundle;
use spec::runtime::{
    ConsoleSize, ExecCpuAffinity, IoPriority, MemoryPolicy, Namespace, NamespaceKind, Personality,
    Scheduler, TimeOffset,
};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// Policy, nice value, priority for input and output, machine.
const SHOW: &str =
    "set -- $(sed 's/.*) //' /proc/self/stat); echo ${39} ${17}; ionice -p $$; uname -m";

#[test]
fn scheduler_priority_and_personality_hold_for_all_programs() {
    sandboxed!();
    let mut bundle = Bundle::new(&format!("{SHOW}; sleep 1000"));
    bundle.process().scheduler = Some(Scheduler {
        policy: "SCHED_BATCH".to_owned(),
        nice: Some(7),
        ..Scheduler::default()
    });
    bundle.process().io_priority = Some(IoPriority {
        class: "IOPRIO_CLASS_BE".to_owned(),
        priority: 6,
    });
    bundle.linux().personality = Some(Personality {
        domain: "LINUX32".to_owned(),
        ..Personality::default()
    });
    bundle.linux().memory_policy = Some(MemoryPolicy {
        mode: "MPOL_DEFAULT".to_owned(),
        ..MemoryPolicy::default()
    });
    bundle.start();
    let machine = if cfg!(target_arch = "x86_64") {
        "i686"
    } else {
        "armv8l"
    };
    let expected = format!("3 7\nbest-effort: prio 6\n{machine}\n");
    assert_eq!(bundle.lines(3), expected);
    assert_eq!(bundle.exec(&["sh", "-c", SHOW]).succeeds(), expected);
}

#[test]
fn what_the_kernel_refuses_is_an_error_and_leaves_nothing() {
    sandboxed!();
    let mut bundle = Bundle::new("true");
    bundle.process().scheduler = Some(Scheduler {
        policy: "SCHED_FIFO".to_owned(),
        priority: Some(100),
        ..Scheduler::default()
    });
    let error = bundle.run().fails(1);
    assert!(error.contains("scheduler"), "{error}");
    bundle.process().scheduler = None;
    bundle.linux().memory_policy = Some(MemoryPolicy {
        mode: "MPOL_BIND".to_owned(),
        nodes: "999".to_owned(),
        ..MemoryPolicy::default()
    });
    let error = bundle.run().fails(1);
    assert!(error.contains("memory policy"), "{error}");
}

#[test]
fn an_exec_runs_on_its_processors() {
    sandboxed!();
    let mut bundle = Bundle::new("grep Cpus_allowed_list /proc/self/status; sleep 1000");
    // It isn't the first process's.
    bundle.process().exec_cpu_affinity = Some(ExecCpuAffinity {
        initial: "0".to_owned(),
        last: "0".to_owned(),
    });
    bundle.start();
    let show = ["grep", "Cpus_allowed_list", "/proc/self/status"];
    assert_eq!(bundle.exec(&show).succeeds(), "Cpus_allowed_list:\t0\n");
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own
        .lines()
        .find(|l| l.starts_with("Cpus_allowed_list"))
        .unwrap();
    assert_eq!(bundle.lines(1).trim_end(), own);
}

#[test]
fn clocks_of_a_time_namespace_are_moved() {
    sandboxed!();
    let show = "cut -d. -f1 /proc/uptime";
    let mut bundle = Bundle::new(&format!("{show}; sleep 1000"));
    bundle
        .linux()
        .namespaces
        .push(Namespace::new(NamespaceKind::Time));
    let offset = TimeOffset {
        secs: 1_000_000,
        nanosecs: 5,
    };
    for clock in ["monotonic", "boottime"] {
        bundle.linux().time_offsets.insert(clock.to_owned(), offset);
    }
    bundle.start();
    let host = std::fs::read_to_string("/proc/uptime").unwrap();
    let host: u64 = host.split('.').next().unwrap().parse().unwrap();
    for text in [bundle.lines(1), bundle.exec(&["sh", "-c", show]).succeeds()] {
        let up: u64 = text.trim().parse().unwrap();
        assert!(
            (host + 1_000_000 - 60..host + 1_000_060).contains(&up),
            "{up} {host}"
        );
    }
    let mut bundle = Bundle::new("true");
    bundle
        .linux()
        .time_offsets
        .insert("monotonic".to_owned(), offset);
    let error = bundle.run().fails(1);
    assert!(error.contains("without a new time namespace"), "{error}");
}

#[test]
fn a_console_has_the_size_of_the_configuration() {
    sandboxed!();
    let mut bundle = Bundle::new("stty size");
    bundle.process().terminal = true;
    bundle.process().console_size = Some(ConsoleSize {
        height: 33,
        width: 77,
    });
    let out = bundle.run().succeeds();
    assert!(out.contains("33 77"), "{out}");
}
