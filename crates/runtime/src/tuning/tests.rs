use spec::runtime::{ExecCpuAffinity, IoPriority, MemoryPolicy, Personality, Process, Scheduler};

use super::{Shared, Tuning};

fn tuned(change: impl FnOnce(&mut Process)) -> crate::Result<Tuning> {
    let mut process = Process::default();
    change(&mut process);
    Tuning::new(&process, Shared::default())
}

#[test]
fn nothing_asked_is_nothing_done() {
    let tuning = tuned(|_| ()).unwrap();
    assert_eq!(tuning, Tuning::default());
    assert!(!tuning.is_given());
}

#[test]
fn schedulers_are_the_kernels_numbers() {
    let of = |policy: &str, change: fn(&mut Scheduler)| {
        let mut scheduler = Scheduler {
            policy: policy.to_owned(),
            ..Scheduler::default()
        };
        change(&mut scheduler);
        tuned(|p| p.scheduler = Some(scheduler)).map(|t| t.scheduler.unwrap())
    };
    let batch = of("SCHED_BATCH", |s| s.nice = Some(5)).unwrap();
    assert_eq!((batch.policy, batch.nice), (3, 5));
    let fifo = of("SCHED_FIFO", |s| {
        s.priority = Some(9);
        s.flags = vec!["SCHED_FLAG_RESET_ON_FORK".to_owned()];
    });
    let fifo = fifo.unwrap();
    assert_eq!((fifo.policy, fifo.priority, fifo.flags), (1, 9, 1));
    let deadline = of("SCHED_DEADLINE", |s| {
        s.runtime = Some(1);
        s.deadline = Some(2);
        s.period = Some(3);
    });
    let deadline = deadline.unwrap();
    assert_eq!(
        (deadline.runtime, deadline.deadline, deadline.period),
        (1, 2, 3)
    );
    assert!(of("SCHED_DREAM", |_| ()).is_err());
    assert!(of("SCHED_OTHER", |s| s.priority = Some(1)).is_err());
    assert!(of("SCHED_OTHER", |s| s.runtime = Some(1)).is_err());
    assert!(of("SCHED_OTHER", |s| s.nice = Some(20)).is_err());
    assert!(of("SCHED_RR", |s| s.priority = Some(-1)).is_err());
    assert!(of("SCHED_RR", |s| s.flags = vec!["SCHED_FLAG_X".to_owned()]).is_err());
}

#[test]
fn io_priorities_have_a_class_and_a_level() {
    let of = |class: &str, priority| {
        let class = class.to_owned();
        tuned(|p| p.io_priority = Some(IoPriority { class, priority }))
    };
    assert!(of("IOPRIO_CLASS_BE", 7).unwrap().is_given());
    for (class, level) in [("IOPRIO_CLASS_BE", 8), ("IOPRIO_CLASS_RT", -1), ("BE", 0)] {
        assert!(of(class, level).is_err(), "{class} {level}");
    }
}

#[test]
fn domains_and_memory_policies_are_checked() {
    let shared = |domain: &str, flags: &[&str], mode: &str, nodes: &str| {
        let strings = |list: &[&str]| list.iter().map(|&f| f.to_owned()).collect();
        let personality = Personality {
            domain: domain.to_owned(),
            flags: Vec::new(),
        };
        let policy = MemoryPolicy {
            mode: mode.to_owned(),
            nodes: nodes.to_owned(),
            flags: strings(flags),
        };
        let shared = Shared {
            domain: Some(&personality),
            memory_policy: Some(&policy),
        };
        Tuning::new(&Process::default(), shared).map(|t| t.memory.unwrap())
    };
    let static_nodes = ["MPOL_F_STATIC_NODES"];
    assert_eq!(
        shared("LINUX32", &static_nodes, "MPOL_BIND", "0-1").unwrap(),
        (2 | 1 << 15, vec![0, 1])
    );
    assert!(shared("LINUX", &[], "MPOL_DEFAULT", "").is_ok());
    assert!(shared("BSD", &[], "MPOL_DEFAULT", "").is_err());
    assert!(shared("LINUX", &[], "MPOL_SOMEWHERE", "").is_err());
    assert!(shared("LINUX", &["MPOL_F_X"], "MPOL_BIND", "0").is_err());
    assert!(shared("LINUX", &[], "MPOL_BIND", "0-4294967295").is_err());
}

#[test]
fn processors_are_lists() {
    let of = |initial: &str, last: &str| {
        let (initial, last) = (initial.to_owned(), last.to_owned());
        tuned(|p| p.exec_cpu_affinity = Some(ExecCpuAffinity { initial, last }))
    };
    let both = of("0", "0-1").unwrap();
    assert!(both.processors().initial.is_some() && both.processors().last.is_some());
    assert!(of("", "0").unwrap().processors().initial.is_none());
    assert!(of("x", "").is_err());
    assert!(of("0-2147483647", "").is_err());
}
