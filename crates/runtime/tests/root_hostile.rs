//! Roots and configurations that want out.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bundle::Bundle;
use spec::profile;
use spec::runtime::Mount;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// A directory of the host's that no container may see into or change.
struct Victim(tempfile::TempDir);

impl Victim {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("HOSTMARK"), "SECRET").unwrap();
        fs::create_dir(directory.path().join("dir")).unwrap();
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Names, owners, modes and times of all that is in it.
    fn look(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let mut left = vec![self.path().to_owned()];
        while let Some(path) = left.pop() {
            let m = fs::symlink_metadata(&path).unwrap();
            seen.push(format!(
                "{} {} {} {} {}",
                path.display(),
                m.mode(),
                m.uid(),
                m.mtime_nsec(),
                m.size()
            ));
            if m.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
        }
        seen.sort();
        seen
    }
}

fn bind(source: &Path, destination: &str) -> Mount {
    Mount {
        source: source.to_str().unwrap().to_owned(),
        ..profile::mount(destination, "bind", &["rbind", "rprivate"])
    }
}

#[test]
fn links_for_proc_dev_and_sys_are_refused() {
    sandboxed!();
    let victim = Victim::new();
    let before = victim.look();
    for name in ["proc", "dev", "sys"] {
        for target in [
            victim.path().to_str().unwrap(),
            "/etc",
            "etc",
            "../../../../../../tmp",
            "/nosuch",
        ] {
            let bundle = Bundle::new("true");
            symlink(target, bundle.root().join(name)).unwrap();
            let error = bundle.run().fails(1);
            assert!(error.contains(&format!("/{name}")), "{error}");
        }
        let bundle = Bundle::new("true");
        fs::write(bundle.root().join(name), "").unwrap();
        bundle.run().fails(1);
    }
    assert_eq!(victim.look(), before);
}

#[test]
fn links_elsewhere_stay_inside() {
    sandboxed!();
    let victim = Victim::new();
    let before = victim.look();
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("mine"), "x").unwrap();
    let mut bundle = Bundle::new("ls /etc/mounted /new/dir; cat /HOSTMARK; pwd");
    let root = bundle.root();
    fs::remove_dir_all(root.join("etc")).unwrap();
    // Absolute, and more steps up than there are: both mean the container's root.
    let path = victim.path().to_str().unwrap();
    symlink(path, root.join("etc")).unwrap();
    symlink(format!("../../../../../../../..{path}"), root.join("new")).unwrap();
    symlink(format!("{path}/other"), root.join("work")).unwrap();
    bundle.process().cwd = "/work/deep".to_owned();
    bundle.spec.mounts.push(bind(source.path(), "/etc/mounted"));
    bundle.spec.mounts.push(bind(source.path(), "/new/dir"));
    let outcome = bundle.run();
    assert_eq!(
        outcome.out,
        format!("/etc/mounted:\nmine\n\n/new/dir:\nmine\n{path}/other/deep\n"),
        "{outcome:?}"
    );
    assert_eq!(victim.look(), before);
}

#[test]
fn a_working_directory_is_inside() {
    sandboxed!();
    let mut bundle = Bundle::new("ls ../../../../HOSTMARK ../../../../../bin/busybox; pwd");
    fs::create_dir(bundle.root().join("w2")).unwrap();
    symlink("/proc/self/fd/7", bundle.root().join("work")).unwrap();
    symlink("/proc/self/fd", bundle.root().join("w2/x")).unwrap();
    let mut paths: Vec<String> = (3..32).map(|fd| format!("/proc/self/fd/{fd}")).collect();
    paths.extend(
        [
            "/work",
            "/w2/x/8",
            "/proc/self/cwd",
            "/proc/self/root",
            "/proc/1/root",
        ]
        .map(str::to_owned),
    );
    for path in &paths {
        bundle.process().cwd.clone_from(path);
        let outcome = bundle.run();
        assert_ne!(outcome.code, 0, "{path}: {outcome:?}");
        assert_eq!(outcome.out, "", "{path}: {outcome:?}");
    }
    bundle.args(&["sleep", "1000"]);
    bundle.process().cwd = "/".to_owned();
    bundle.start();
    for path in &paths {
        let outcome = bundle.call(&[
            "exec",
            "--cwd",
            path,
            &bundle.id,
            "sh",
            "-c",
            "ls ../../../../HOSTMARK; pwd",
        ]);
        assert_ne!(outcome.code, 0, "{path}: {outcome:?}");
        assert_eq!(outcome.out, "", "{path}: {outcome:?}");
    }
}

#[test]
fn nothing_is_mounted_over_procfs() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    for path in [
        "/proc",
        "/proc/self",
        "/proc/self/attr",
        "/etc/../proc/self",
        "/link/self",
        "/link",
    ] {
        let mut bundle = Bundle::new("true");
        symlink("proc", bundle.root().join("link")).unwrap();
        bundle.spec.mounts.push(bind(volume.path(), path));
        bundle.run().fails(1);
    }
    let file = volume.path().join("uptime");
    fs::write(&file, "1 1\n").unwrap();
    let mut bundle = Bundle::new("cat /proc/uptime");
    bundle.spec.mounts.push(bind(&file, "/proc/uptime"));
    assert_eq!(bundle.run().succeeds(), "1 1\n");
    // A procfs itself may be bound there, as with the host's pid namespace.
    let mut bundle = Bundle::new("test -d /proc/1");
    bundle.spec.mounts[0] = bind(Path::new("/proc"), "/proc");
    bundle.run().succeeds();
}

#[test]
fn masks_do_not_come_from_the_containers_dev() {
    sandboxed!();
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let volume = tempfile::tempdir().unwrap();
    symlink("/proc/sys/kernel/core_pattern", volume.path().join("null")).unwrap();
    let mut bundle = Bundle::new(
        "cat /proc/keys | wc -c; echo '|/evil' > /proc/sys/kernel/core_pattern; echo '|/evil' > /proc/keys; cat /proc/sys/kernel/core_pattern",
    );
    bundle
        .spec
        .mounts
        .retain(|m| !m.destination.starts_with("/dev"));
    bundle.spec.mounts.insert(1, bind(volume.path(), "/dev"));
    let outcome = bundle.run();
    assert_eq!(outcome.out, format!("0\n{pattern}"), "{outcome:?}");
    assert_eq!(
        fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(),
        pattern
    );
}

#[test]
fn devices_that_are_something_else_are_refused() {
    sandboxed!();
    let victim = Victim::new();
    let before = victim.look();
    // Without a tmpfs on /dev the nodes are made in the image's own.
    let mut bundle = Bundle::new("true");
    bundle.spec.mounts.retain(|m| m.destination != "/dev");
    bundle
        .spec
        .mounts
        .retain(|m| !m.destination.starts_with("/dev/"));
    fs::create_dir(bundle.root().join("dev")).unwrap();
    symlink(
        victim.path().join("dir/made"),
        bundle.root().join("dev/null"),
    )
    .unwrap();
    bundle.run().fails(1);
    fs::remove_file(bundle.root().join("dev/null")).unwrap();
    bundle.run().succeeds();
    bundle.run().succeeds();
    assert_eq!(victim.look(), before);
}

#[test]
fn cgroups_stay_below_their_root() {
    sandboxed!();
    for path in ["/..", "../../../x", "/a/../../b", "/a//b", "/", "/a/./b"] {
        let mut bundle = Bundle::new("true");
        bundle.linux().cgroups_path = path.to_owned();
        bundle.run().fails(1);
    }
}

#[test]
fn a_destination_that_is_exchanged_meanwhile_stays_inside() {
    sandboxed!();
    let victim = Victim::new();
    let before = victim.look();
    let volume = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("mine"), "").unwrap();
    fs::create_dir(volume.path().join("d")).unwrap();
    symlink(victim.path(), volume.path().join("link")).unwrap();
    let mut bundle = Bundle::new("ls /v/d /v/link 2>/dev/null; true");
    bundle.spec.mounts.push(bind(volume.path(), "/v"));
    bundle.spec.mounts.push(bind(other.path(), "/v/d/x"));
    let stop = AtomicBool::new(false);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (volume.path().join("d"), volume.path().join("link"));
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, flags).unwrap();
            }
        });
        for _ in 0..150 {
            let outcome = bundle.run();
            assert!(!outcome.out.contains("HOSTMARK"), "{outcome:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(victim.look(), before);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn mounts_below_a_read_only_tree_are_read_only() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    let sub = volume.path().join("sub");
    fs::create_dir(&sub).unwrap();
    rustix::mount::mount(
        "tmpfs",
        &sub,
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .unwrap();
    let mut bundle = Bundle::new(
        "for d in /one /all; do touch $d/x 2>/dev/null && echo $d; touch $d/sub/x 2>/dev/null && echo $d/sub; done; true",
    );
    for (path, option) in [("/one", "ro"), ("/all", "rro")] {
        let mut mount = bind(volume.path(), path);
        mount.options.push(option.to_owned());
        bundle.spec.mounts.push(mount);
    }
    assert_eq!(bundle.run().succeeds(), "/one/sub\n");
    rustix::mount::unmount(&sub, rustix::mount::UnmountFlags::DETACH).unwrap();
}

#[test]
fn a_failed_creation_leaves_nothing() {
    sandboxed!();
    let bundle = Bundle::new("true");
    for change in 0..4 {
        let mut spec = bundle.spec.clone();
        let missing = bind(Path::new("/nosuch"), "/x");
        match change {
            0 => spec.mounts.push(missing),
            1 => spec.mounts.push(profile::mount("/x", "nosuchfs", &[])),
            2 => spec
                .mounts
                .push(profile::mount("/x", "tmpfs", &["nosuchoption=1"])),
            _ => spec.root.as_mut().unwrap().path = "nosuch".to_owned(),
        }
        fs::write(
            bundle.path().join("config.json"),
            serde_json::to_string(&spec).unwrap(),
        )
        .unwrap();
        let path = bundle.path().to_str().unwrap();
        let error = bundle.call(&["create", "-b", path, &bundle.id]).fails(1);
        assert!(error.contains("nosuch"), "{error}");
        bundle.call(&["state", &bundle.id]).fails(1);
    }
}

#[test]
fn the_runtime_cannot_be_overwritten_from_inside() {
    sandboxed!();
    let binary = testkit::fixtures::binary("tare-runtime");
    let before = fs::read(&binary).unwrap();
    // CVE-2019-5736: who gets hold of the runtime's file writes to it when it is idle.
    let script = "while true; do for p in /proc/[0-9]*/exe /proc/self/exe; do \
         case $(readlink $p) in /bin/*) ;; *) exec 7<$p && (echo evil >> /proc/self/fd/7) 2>/dev/null && echo wrote; exec 7<&-;; esac; \
         done 2>/dev/null; done";
    let mut bundle = Bundle::new(script);
    let mut all: Vec<&str> = profile::CAPABILITIES.to_vec();
    all.push("CAP_SYS_PTRACE");
    bundle.process().capabilities = Some(profile::capabilities(&all, 0));
    bundle.start();
    for program in ["/proc/self/exe", "true"] {
        for _ in 0..40 {
            bundle.exec(&[program, "--version"]);
        }
    }
    assert_eq!(bundle.output(), "");
    assert!(fs::read(&binary).unwrap() == before);
    let mut second = Bundle::new("");
    second.args(&["/proc/self/exe", "--version"]);
    assert!(second.run().succeeds().starts_with("tare-runtime"));
    assert!(fs::read(&binary).unwrap() == before);
}
