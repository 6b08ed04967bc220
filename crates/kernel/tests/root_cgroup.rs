//! Groups on this host, below `/tare-test-PID`, whatever versions it has.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::time::Duration;

use kernel::cgroup::{
    Access, Cgroup, CgroupPath, Controller, DeviceKind, DeviceRule, Layout, Permit, Plan,
    Resources, Version,
};
use kernel::process::{Executable, ExitStatus, Spawn};
use kernel::signal;

/// A group that is gone after the test, and its parent with it.
struct Group {
    layout: Layout,
    parent: CgroupPath,
    path: CgroupPath,
}

impl Group {
    fn new(name: &str) -> Option<Self> {
        if !testkit::sandbox::is_root() {
            return None;
        }
        let parent = format!("/tare-test-{}-{name}", std::process::id());
        Some(Self {
            layout: Layout::probe().unwrap(),
            path: CgroupPath::parse(&format!("{parent}/group")).unwrap(),
            parent: CgroupPath::parse(&parent).unwrap(),
        })
    }

    fn create(&self, resources: &Resources) -> Cgroup {
        let plan = Plan::new(resources, &self.layout).unwrap();
        Cgroup::create(&self.layout, &self.path, &plan).unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = Cgroup::open(&self.layout, &self.parent).unwrap() {
            group.kill_all().unwrap();
            group.remove().unwrap();
        }
        assert!(Cgroup::open(&self.layout, &self.parent).unwrap().is_none());
    }
}

fn shell(script: &str) -> Spawn {
    let shell = Executable::Path("/bin/sh".into());
    Spawn::new(shell, ["sh", "-c", script]).env("PATH", "/usr/bin:/bin")
}

fn limits() -> Resources {
    Resources {
        memory_limit: Some(64 << 20),
        pids_limit: Some(20),
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        ..Resources::default()
    }
}

#[test]
fn limits_processes_and_the_end() {
    let Some(test) = Group::new("life") else {
        return;
    };
    let group = test.create(&limits());
    let read = |controller, old: &str, new: &str| {
        let file = match group.version_of(controller).unwrap() {
            Version::V1 => old,
            Version::V2 => new,
        };
        group
            .read(controller, file)
            .unwrap()
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(
        read(Controller::Memory, "memory.limit_in_bytes", "memory.max"),
        "67108864"
    );
    assert_eq!(read(Controller::Pids, "pids.max", "pids.max"), "20");

    // By itself, before exec; and its children with it.
    let mut spawn = shell("sleep 100 & sleep 100 & wait");
    spawn.cgroup = group.procs_files().unwrap();
    let child = spawn.start().unwrap();
    while group.pids().unwrap().len() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(group.pids().unwrap().contains(&child.pid));
    let text =
        std::fs::read_to_string(format!("/proc/{}/cgroup", child.pid.as_raw_nonzero())).unwrap();
    let everywhere = text
        .lines()
        .filter(|line| line.ends_with(&test.path.to_string()))
        .count();
    assert_eq!(everywhere, test.layout.hierarchies.len(), "{text}");
    let stats = group.stats().unwrap();
    assert_eq!(
        (stats.pids, stats.pids_limit, stats.memory_limit),
        (3, 20, 64 << 20)
    );

    // Another by its number.
    let other = shell("exec sleep 100").start().unwrap();
    group.add_process(other.pid).unwrap();
    assert_eq!(group.pids().unwrap().len(), 4);

    group.freeze().unwrap();
    assert!(group.is_frozen().unwrap());
    group.thaw().unwrap();
    assert!(!group.is_frozen().unwrap());

    // Frozen ones die too.
    group.freeze().unwrap();
    group.kill_all().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(signal::SIGKILL));
    assert_eq!(other.wait().unwrap(), ExitStatus::Signaled(signal::SIGKILL));
    assert!(group.pids().unwrap().is_empty());
    group.remove().unwrap();
    assert!(Cgroup::open(&test.layout, &test.path).unwrap().is_none());
}

#[test]
fn limits_change_in_both_directions() {
    let Some(test) = Group::new("update") else {
        return;
    };
    let group = test.create(&Resources::default());
    for (limit, swap) in [(64, 128), (256, 256), (16, 32), (128, 128)] {
        let resources = Resources {
            memory_limit: Some(limit << 20),
            memory_swap: Some(swap << 20),
            ..Resources::default()
        };
        group
            .apply(&Plan::new(&resources, &test.layout).unwrap())
            .unwrap();
        assert_eq!(
            group.stats().unwrap().memory_limit,
            (limit << 20).unsigned_abs()
        );
    }
}

#[test]
fn a_group_that_fails_is_not_left() {
    let Some(test) = Group::new("fails") else {
        return;
    };
    let resources = Resources {
        cpuset_cpus: "4000".to_owned(),
        ..limits()
    };
    let plan = Plan::new(&resources, &test.layout).unwrap();
    assert!(Cgroup::create(&test.layout, &test.path, &plan).is_err());
    assert!(Cgroup::open(&test.layout, &test.path).unwrap().is_none());
    // One that was there before stays.
    let group = test.create(&Resources::default());
    assert!(Cgroup::create(&test.layout, &test.path, &plan).is_err());
    assert!(Cgroup::open(&test.layout, &test.path).unwrap().is_some());
    group.remove().unwrap();
}

#[test]
fn too_much_memory() {
    let Some(test) = Group::new("oom") else {
        return;
    };
    let group = test.create(&Resources {
        memory_limit: Some(8 << 20),
        memory_swap: Some(8 << 20),
        ..Resources::default()
    });
    assert_eq!(group.oom_kills().unwrap(), 0);
    let mut spawn = shell("exec dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null");
    spawn.cgroup = group.procs_files().unwrap();
    let child = spawn.start().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(signal::SIGKILL));
    assert_eq!(group.oom_kills().unwrap(), 1);
}

#[test]
fn devices() {
    let Some(test) = Group::new("devices") else {
        return;
    };
    let null = DeviceRule {
        permit: Permit::Allow,
        kind: DeviceKind::Char,
        major: Some(1),
        minor: Some(3),
        access: Access::ALL,
    };
    let group = test.create(&Resources {
        devices: vec![DeviceRule::everything(Permit::Deny), null],
        ..Resources::default()
    });
    let run = |script: &str| {
        let mut spawn = shell(script);
        spawn.cgroup = group.procs_files().unwrap();
        spawn.start().unwrap().wait().unwrap()
    };
    assert!(run("head -c 1 /dev/null").success());
    assert!(!run("head -c 1 /dev/zero 2>/dev/null").success());
    let zero = DeviceRule {
        minor: Some(5),
        ..null
    };
    let rules = vec![DeviceRule::everything(Permit::Deny), null, zero];
    let resources = Resources {
        devices: rules,
        ..Resources::default()
    };
    group
        .apply(&Plan::new(&resources, &test.layout).unwrap())
        .unwrap();
    assert!(run("head -c 1 /dev/zero >/dev/null").success());
    assert!(!run("head -c 1 /dev/random 2>/dev/null >/dev/null").success());
}

/// On a host of version 1 too: the unified hierarchy takes the program, and all that is attached must permit.
#[test]
fn device_program_of_the_unified_hierarchy() {
    let Some(test) = Group::new("program") else {
        return;
    };
    let Some(unified) = test.layout.unified().cloned() else {
        return;
    };
    let only = Layout {
        hierarchies: vec![unified],
    };
    let allow = |minor| DeviceRule {
        permit: Permit::Allow,
        kind: DeviceKind::Char,
        major: Some(1),
        minor: Some(minor),
        access: Access::ALL,
    };
    let plan = |rules: Vec<DeviceRule>| {
        let resources = Resources {
            devices: rules,
            ..Resources::default()
        };
        let plan = Plan::new(&resources, &only).unwrap();
        assert!(plan.device_program.is_some());
        plan
    };
    let deny = DeviceRule::everything(Permit::Deny);
    let group = Cgroup::create(&only, &test.path, &plan(vec![deny, allow(3)])).unwrap();
    let run = |script: &str| {
        let mut spawn = shell(script);
        spawn.cgroup = group.procs_files().unwrap();
        spawn.start().unwrap().wait().unwrap().success()
    };
    assert!(run("head -c 1 /dev/null"));
    assert!(!run("head -c 1 /dev/zero 2>/dev/null"));
    // Replaced, also again, not added to: zero is permitted now.
    for _ in 0..3 {
        group.apply(&plan(vec![deny, allow(3), allow(5)])).unwrap();
        assert!(run("head -c 1 /dev/zero >/dev/null"));
    }
    assert!(!run("head -c 1 /dev/random 2>/dev/null >/dev/null"));
}
