//! What once let others' containers out, tried here: each class by its own test, on every path that there is.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bundle::Bundle;
use spec::profile;
use spec::runtime::{Cpu, Memory, Mount};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// How often a race is tried. `TARE_TEST_RACES=1000` is what a release gets.
fn races() -> usize {
    let asked = std::env::var("TARE_TEST_RACES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(60)
}

/// Runs `each` while `a` and `b` are exchanged all the time.
fn exchanged(a: &Path, b: &Path, mut each: impl FnMut()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, a, rustix::fs::CWD, b, flags).unwrap();
            }
        });
        for _ in 0..races() {
            each();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn bind(source: &Path, destination: &str) -> Mount {
    Mount {
        source: source.to_str().unwrap().to_owned(),
        ..profile::mount(destination, "bind", &["rbind", "rprivate"])
    }
}

/// Names below `path`.
fn names(path: &Path) -> Vec<String> {
    let mut seen = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            seen.push(path.display().to_string());
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                left.push(path);
            }
        }
    }
    seen.sort();
    seen
}

/// CVE-2024-45310: mount points that are made while what they are in is exchanged.
#[test]
fn mount_points_are_made_nowhere_else() {
    sandboxed!();
    let victim = tempfile::tempdir().unwrap();
    fs::write(victim.path().join("HOSTMARK"), "SECRET").unwrap();
    let before = names(victim.path());
    let (volume, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(volume.path().join("d")).unwrap();
    symlink(victim.path(), volume.path().join("link")).unwrap();
    let mut bundle = Bundle::new("ls /v/d /v/link 2>/dev/null; true");
    bundle.spec.mounts.push(bind(volume.path(), "/v"));
    bundle.spec.mounts.push(bind(other.path(), "/v/d/new/dir"));
    let file = other.path().join("file");
    fs::write(&file, "").unwrap();
    bundle.spec.mounts.push(bind(&file, "/v/d/new/file"));
    bundle.process().cwd = "/v/d/cwd".to_owned();
    exchanged(
        &volume.path().join("d"),
        &volume.path().join("link"),
        || {
            let outcome = bundle.run();
            assert!(!outcome.out.contains("HOSTMARK"), "{outcome:?}");
            assert_eq!(names(victim.path()), before);
        },
    );
}

/// CVE-2025-31133: what masks is exchanged for a link to what is masked.
#[test]
fn masks_hold_while_dev_null_is_exchanged() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    let (link, null) = (volume.path().join("null"), volume.path().join("other"));
    symlink("/proc/sys/kernel/core_pattern", &link).unwrap();
    fs::write(&null, "").unwrap();
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let mut bundle = Bundle::new(
        "cat /proc/keys | wc -c; (echo '|/evil' > /proc/keys; echo '|/evil' > /proc/sys/kernel/core_pattern) 2>/dev/null; true",
    );
    bundle
        .spec
        .mounts
        .retain(|m| !m.destination.starts_with("/dev"));
    bundle.spec.mounts.insert(1, bind(volume.path(), "/dev"));
    exchanged(&link, &null, || {
        let outcome = bundle.run();
        assert!(matches!(&*outcome.out, "0\n" | ""), "{outcome:?}");
        assert_eq!(
            fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(),
            pattern
        );
    });
}

/// CVE-2025-52565: the place of the console is exchanged for a link.
#[test]
fn the_console_is_bound_to_no_link() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    let victim = tempfile::NamedTempFile::new().unwrap();
    let (link, console) = (volume.path().join("console"), volume.path().join("other"));
    symlink("/proc/sysrq-trigger", &link).unwrap();
    fs::write(&console, "").unwrap();
    let mut bundle =
        Bundle::new("tty; (echo h > /proc/sysrq-trigger) 2>/dev/null && echo wrote; true");
    bundle.process().terminal = true;
    let dev = bundle
        .spec
        .mounts
        .iter()
        .position(|m| m.destination == "/dev")
        .unwrap();
    bundle.spec.mounts[dev] = bind(volume.path(), "/dev");
    bundle.spec.mounts[dev].options.push("rw".to_owned());
    exchanged(&link, &console, || {
        let outcome = bundle.run();
        assert!(!outcome.out.contains("wrote"), "{outcome:?}");
    });
    assert_eq!(fs::read_to_string(victim.path()).unwrap(), "");
}

/// CVE-2021-43784 and its kin: lengths that wrap.
#[test]
fn large_configurations_are_taken_whole_or_refused() {
    sandboxed!();
    let mut bundle = Bundle::new("true");
    let long = format!("size={}", "1".repeat(70_000));
    bundle
        .spec
        .mounts
        .push(profile::mount("/x", "tmpfs", &[&long]));
    bundle.run().fails(1);
    let mut bundle = Bundle::new("wc -l < /proc/self/mountinfo");
    let before: usize = bundle.run().succeeds().trim().parse().unwrap();
    for number in 0..1000 {
        let path = format!("/m/{number}");
        bundle
            .spec
            .mounts
            .push(profile::mount(&path, "tmpfs", &["size=4k"]));
    }
    let after: usize = bundle.run().succeeds().trim().parse().unwrap();
    assert_eq!(after, before + 1000);
    let mut bundle = Bundle::new("echo ${#LONG}");
    bundle
        .process()
        .env
        .push(format!("LONG={}", "x".repeat(100_000)));
    assert_eq!(bundle.run().succeeds(), "100000\n");
}

/// Mounts of a container that may make them end with it.
#[test]
fn mounts_made_inside_stay_inside() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    let script = "for i in $(seq 20); do mount -t tmpfs none /v || exit 1; mount -t tmpfs none /tmp || exit 1; done; echo made";
    let mut bundle = Bundle::new(script);
    bundle.spec.mounts.push(bind(volume.path(), "/v"));
    let mut all: Vec<&str> = profile::CAPABILITIES.to_vec();
    all.push("CAP_SYS_ADMIN");
    bundle.process().capabilities = Some(profile::capabilities(&all, 0));
    bundle.linux().seccomp = None;
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(bundle.run().succeeds(), "made\n");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

/// Standard input and output that are the host's devices keep their owner.
#[test]
fn devices_of_the_host_are_given_to_nobody() {
    sandboxed!();
    let before = fs::metadata("/dev/null").unwrap();
    let mut bundle = Bundle::new("sleep 1000");
    bundle.process().user.uid = 1000;
    bundle.start();
    bundle.exec(&["true"]).succeeds();
    let after = fs::metadata("/dev/null").unwrap();
    assert_eq!(
        (after.uid(), after.gid(), after.mode()),
        (before.uid(), before.gid(), before.mode())
    );
}

/// CVE-2022-2989, CVE-2022-36109: a group that is denied something stays a member's.
#[test]
fn groups_that_take_away_are_kept() {
    sandboxed!();
    let read = "cat /secret 2>&1; id -G";
    let mut bundle = Bundle::new(&format!("{read}; sleep 1000"));
    let secret = bundle.root().join("secret");
    fs::write(&secret, "SECRET").unwrap();
    chown(&secret, Some(0), Some(1000)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o607)).unwrap();
    bundle.process().user = spec::runtime::User {
        uid: 2000,
        gid: 2000,
        additional_gids: vec![1000],
        ..Default::default()
    };
    bundle.process().capabilities = Some(profile::capabilities(&profile::CAPABILITIES, 2000));
    bundle.start();
    let expected = "cat: can't open '/secret': Permission denied\n2000 1000\n";
    assert_eq!(bundle.lines(2), expected);
    assert_eq!(bundle.exec(&["sh", "-c", read]).succeeds(), expected);
}

/// CVE-2025-65105: a label that can't be had is no label on no path.
#[test]
fn labels_that_cannot_be_had_are_errors_on_every_path() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    bundle.process().apparmor_profile = "nosuch".to_owned();
    for error in [bundle.create().fails(1), bundle.run().fails(1)] {
        assert!(error.contains("AppArmor profile nosuch"), "{error}");
    }
    bundle.process().apparmor_profile.clear();
    bundle.process().selinux_label = "a:b:c".to_owned();
    assert!(bundle.run().fails(1).contains("SELinux label a:b:c"));
    bundle.process().selinux_label.clear();
    bundle.start();
    for flag in ["--apparmor", "--process-label"] {
        let error = bundle
            .call(&["exec", flag, "nosuch", &bundle.id, "true"])
            .fails(255);
        assert!(error.contains("nosuch"), "{error}");
    }
}

/// CVE-2018-20699: lists that would be large.
#[test]
fn lists_of_processors_are_bounded() {
    sandboxed!();
    for cpus in [
        "0-2147483647".to_owned(),
        "0,".repeat(100_000),
        "x".to_owned(),
        "0\n1".to_owned(),
    ] {
        let mut bundle = Bundle::new("true");
        bundle.linux().resources.get_or_insert_default().cpu = Some(Cpu {
            cpus,
            ..Cpu::default()
        });
        bundle.run().fails(1);
    }
}

/// A container that is frozen is killed and deleted all the same.
#[test]
fn a_frozen_container_is_deleted() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    bundle.call(&["pause", &bundle.id]).succeeds();
    assert_eq!(bundle.status(), "paused");
    bundle.call(&["delete", "--force", &bundle.id]).succeeds();
    bundle.call(&["state", &bundle.id]).fails(1);
}

/// CVE-2022-0492: a release agent needs what nobody in a container has.
#[test]
fn release_agents_are_not_set() {
    sandboxed!();
    let script = "mkdir /c; for c in memory rdma pids cpu; do mount -t cgroup -o $c none /c 2>/dev/null && echo mounted; done; \
         (echo /evil > /sys/fs/cgroup/memory/release_agent) 2>/dev/null && echo wrote; \
         unshare -UrmC sh -c 'mount -t cgroup -o memory none /c && echo mounted' 2>/dev/null; true";
    let bundle = Bundle::new(script);
    assert_eq!(bundle.run().succeeds(), "");
}

/// Limits that are changed leave all else as it was.
#[test]
fn an_update_keeps_what_confines() {
    sandboxed!();
    let show = "grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; mknod /x c 1 1 && dd if=/x count=1 2>&1 | grep -o 'not permitted'; rm /x";
    let mut bundle = Bundle::new("sleep 1000");
    bundle.linux().resources.get_or_insert_default().memory = Some(Memory {
        limit: Some(64 << 20),
        ..Memory::default()
    });
    bundle.start();
    let before = bundle.exec(&["sh", "-c", show]).succeeds();
    assert!(before.ends_with("not permitted\n"), "{before}");
    bundle
        .call(&[
            "update",
            "--memory",
            "33554432",
            "--pids-limit",
            "50",
            &bundle.id,
        ])
        .succeeds();
    assert_eq!(bundle.exec(&["sh", "-c", show]).succeeds(), before);
    assert_eq!(bundle.cgroup_file("pids", "pids.max"), "50");
}
