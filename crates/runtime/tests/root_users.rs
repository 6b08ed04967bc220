//! User namespaces, owners of mounts, and namespaces of others.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::Path;

use bundle::Bundle;
use spec::profile;
use spec::runtime::{Cpu, IdMapping, Mount, Namespace, NamespaceKind, Rlimit, TimeOffset};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

const FIRST: u32 = 100_000;

fn map(first: u32) -> Vec<IdMapping> {
    vec![IdMapping {
        container_id: 0,
        host_id: first,
        size: 65_536,
    }]
}

/// Gives all of `path` to `id`.
fn give(path: &Path, id: u32) {
    lchown(path, Some(id), Some(id)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), id);
        }
    }
}

/// A container whose users are others of the host's.
fn mapped(script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    bundle.linux().uid_mappings = map(FIRST);
    bundle.linux().gid_mappings = map(FIRST);
    bundle
        .linux()
        .namespaces
        .push(Namespace::new(NamespaceKind::User));
    // Root inside must reach it, and own it.
    fs::set_permissions(bundle.path(), fs::Permissions::from_mode(0o711)).unwrap();
    give(&bundle.root(), FIRST);
    bundle
}

const SHOW: &str = "id -u; cat /proc/self/uid_map; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; \
     touch /made && stat -c %u /made; echo x > /dev/null && head -c 2 /dev/zero | wc -c";

#[test]
fn root_inside_is_nobody_outside() {
    sandboxed!();
    let mut bundle = mapped(&format!(
        "{SHOW}; cat /proc/self/oom_score_adj; ulimit -n; sleep 1000"
    ));
    bundle.process().oom_score_adj = Some(321);
    bundle.process().rlimits.push(Rlimit {
        kind: "RLIMIT_NOFILE".to_owned(),
        soft: 77,
        hard: 99,
    });
    let resources = bundle.linux().resources.get_or_insert_default();
    resources.cpu = Some(Cpu {
        shares: Some(512),
        ..Cpu::default()
    });
    bundle.start();
    let text = bundle.lines(9);
    let lines: Vec<String> = text
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "0",
            "0 100000 65536",
            "CapEff: 00000000a80425fb",
            "NoNewPrivs: 0",
            "Seccomp: 2",
            "0",
            "2",
            "321",
            "77"
        ]
    );
    assert_eq!(
        fs::metadata(bundle.root().join("made")).unwrap().uid(),
        FIRST
    );
    let status = fs::read_to_string(format!("/proc/{}/status", bundle.pid())).unwrap();
    assert!(
        status.contains("Uid:\t100000\t100000\t100000\t100000"),
        "{status}"
    );
    // The same for every other program in it.
    let out = bundle.exec(&["sh", "-c", SHOW]).succeeds();
    assert_eq!(
        out.split_whitespace().collect::<Vec<_>>(),
        text.split_whitespace().take(12).collect::<Vec<_>>()
    );
    let out = bundle.call(&[
        "exec",
        "-u",
        "33:34",
        &bundle.id,
        "sh",
        "-c",
        "id -u; id -g",
    ]);
    assert_eq!(out.succeeds(), "33\n34\n");
    if Path::new("/sys/fs/cgroup/cpu").exists() {
        assert_eq!(bundle.cgroup_file("cpu", "cpu.shares"), "512");
    } else {
        assert_ne!(bundle.cgroup_file("", "cpu.weight"), "100");
    }
}

#[test]
fn a_user_namespace_hides_what_it_masks_and_moves_clocks() {
    sandboxed!();
    let mut bundle = mapped(
        "cat /proc/keys | wc -c; (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo wrote; mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; \
         mknod /x c 1 1 2>/dev/null && echo node; cut -d. -f1 /proc/uptime",
    );
    bundle
        .linux()
        .namespaces
        .push(Namespace::new(NamespaceKind::Time));
    let offset = TimeOffset {
        secs: 5_000_000,
        nanosecs: 0,
    };
    bundle
        .linux()
        .time_offsets
        .insert("boottime".to_owned(), offset);
    let out = bundle.run().succeeds();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "0"), "{out}");
    assert!(lines[1].parse::<u64>().unwrap() > 5_000_000, "{out}");
}

#[test]
fn a_source_that_only_the_host_may_reach_is_bound() {
    sandboxed!();
    let mut bundle = mapped("cat /v/file; touch /v/x 2>/dev/null && echo wrote; true");
    let volume = tempfile::tempdir().unwrap();
    let hidden = volume.path().join("hidden/deep");
    fs::create_dir_all(&hidden).unwrap();
    fs::set_permissions(volume.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(hidden.join("file"), "seen\n").unwrap();
    bundle.spec.mounts.push(Mount {
        source: hidden.display().to_string(),
        ..profile::mount("/v", "bind", &["bind", "ro"])
    });
    assert_eq!(bundle.run().succeeds(), "seen\n");
}

#[test]
fn a_user_namespace_is_joined_by_path() {
    sandboxed!();
    let first = mapped("sleep 1000");
    first.start();
    let pid = first.pid();
    for share in [
        vec![],
        vec![
            NamespaceKind::Network,
            NamespaceKind::Pid,
            NamespaceKind::Ipc,
        ],
    ] {
        let mut second = mapped(
            "cat /proc/self/uid_map; readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u",
        );
        second.linux().uid_mappings.clear();
        second.linux().gid_mappings.clear();
        for namespace in &mut second.linux().namespaces {
            let name = match namespace.kind {
                NamespaceKind::User => "user",
                NamespaceKind::Network => "net",
                NamespaceKind::Ipc => "ipc",
                NamespaceKind::Pid => "pid",
                _ => continue,
            };
            if namespace.kind == NamespaceKind::User || share.contains(&namespace.kind) {
                namespace.path = format!("/proc/{pid}/ns/{name}");
            }
        }
        let out = second.run().succeeds();
        let theirs = |kind: &str| {
            fs::read_link(format!("/proc/{pid}/ns/{kind}"))
                .unwrap()
                .display()
                .to_string()
        };
        assert!(out.contains("100000      65536"), "{out}");
        assert!(out.contains(&theirs("user")), "{out}");
        assert_eq!(out.contains(&theirs("net")), !share.is_empty(), "{out}");
        assert!(out.ends_with("\n0\n"), "{out}");
    }
}

#[test]
fn a_new_user_namespace_joins_others_namespaces() {
    sandboxed!();
    let first = Bundle::new("sleep 1000");
    first.start();
    let pid = first.pid();
    let mut second = mapped("readlink /proc/self/ns/net; id -u");
    // A network of the host's: its own sysfs can't be had.
    second
        .spec
        .mounts
        .retain(|m| m.kind != "sysfs" && m.kind != "cgroup");
    for namespace in &mut second.linux().namespaces {
        if namespace.kind == NamespaceKind::Network {
            namespace.path = format!("/proc/{pid}/ns/net");
        }
    }
    let theirs = fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_eq!(
        second.run().succeeds(),
        format!("{}\n0\n", theirs.display())
    );
}

#[test]
fn maps_are_checked() {
    sandboxed!();
    let mut bundle = mapped("true");
    bundle.linux().gid_mappings.clear();
    assert!(bundle.run().fails(1).contains("gidMappings"));
    let mut bundle = Bundle::new("true");
    bundle.linux().uid_mappings = map(0);
    assert!(bundle.run().fails(1).contains("without a user namespace"));
    let mut bundle = mapped("true");
    bundle.linux().uid_mappings[0].container_id = 1;
    assert!(bundle.run().fails(1).contains("user and group 0"));
    // More than the kernel takes in one write must not come out as fewer (CVE-2021-43784).
    let mut bundle = mapped("cat /proc/self/uid_map | wc -l");
    let many = |count: u32| {
        (0..count)
            .map(|i| IdMapping {
                container_id: i,
                host_id: FIRST + i,
                size: 1,
            })
            .collect()
    };
    bundle.linux().uid_mappings = many(300);
    assert_eq!(bundle.run().succeeds(), "300\n");
    bundle.linux().uid_mappings = many(341);
    assert!(bundle.run().fails(1).contains("340"));
}

#[test]
fn owners_of_a_mount_are_mapped() {
    sandboxed!();
    let volume = tempfile::tempdir().unwrap();
    fs::write(volume.path().join("file"), "").unwrap();
    chown(volume.path().join("file"), Some(7), Some(8)).unwrap();
    let sub = volume.path().join("sub");
    fs::create_dir(&sub).unwrap();
    // Of the same file system: tmpfs has no maps of owners before Linux 6.3.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("inner"), "").unwrap();
    rustix::mount::mount_bind(other.path(), &sub).unwrap();
    let script = "stat -c %u:%g /one/file /one/sub/inner /all/file /all/sub/inner; touch /one/made";
    let mut bundle = Bundle::new(script);
    for (path, option) in [("/one", "idmap"), ("/all", "ridmap")] {
        bundle.spec.mounts.push(Mount {
            source: volume.path().display().to_string(),
            uid_mappings: map(1000),
            gid_mappings: map(2000),
            ..profile::mount(path, "bind", &["rbind", "rprivate", option])
        });
    }
    let outcome = bundle.run();
    rustix::mount::unmount(&sub, rustix::mount::UnmountFlags::DETACH).unwrap();
    // Who is 0 outside is nobody that the mount knows: root's file can't be made through it.
    assert_eq!(
        outcome.out, "1007:2008\n0:0\n1007:2008\n1000:2000\n",
        "{outcome:?}"
    );
    // In a user namespace, by its own map: files of the host's root are root's inside.
    let mut bundle = mapped("stat -c %u:%g /v/file; touch /v/made && stat -c %u /v/made");
    bundle.spec.mounts.push(Mount {
        source: volume.path().display().to_string(),
        ..profile::mount("/v", "bind", &["bind", "idmap"])
    });
    assert_eq!(bundle.run().succeeds(), "7:8\n0\n");
    assert_eq!(fs::metadata(volume.path().join("made")).unwrap().uid(), 0);
    // Without any map.
    let mut bundle = Bundle::new("true");
    bundle.spec.mounts.push(Mount {
        source: volume.path().display().to_string(),
        ..profile::mount("/v", "bind", &["bind", "idmap"])
    });
    assert!(bundle.run().fails(1).contains("without a map"));
}

#[test]
fn a_new_file_system_gets_what_was_there() {
    sandboxed!();
    let mut bundle = Bundle::new(
        "cd /up; find . | sort; cat file; stat -c '%a %u:%g %Y' file dir; readlink link; stat -c %a .; touch new; sleep 0",
    );
    let up = bundle.root().join("up");
    fs::create_dir_all(up.join("dir/deep")).unwrap();
    fs::write(up.join("file"), "content\n").unwrap();
    fs::write(up.join("dir/deep/x"), "").unwrap();
    std::os::unix::fs::symlink("/etc/shadow", up.join("link")).unwrap();
    fs::set_permissions(up.join("file"), fs::Permissions::from_mode(0o4640)).unwrap();
    fs::set_permissions(up.join("dir"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(&up, fs::Permissions::from_mode(0o1777)).unwrap();
    chown(up.join("dir"), Some(5), Some(6)).unwrap();
    let time = rustix::fs::Timespec {
        tv_sec: 1_000_000,
        tv_nsec: 0,
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    for name in ["file", "dir"] {
        let flags = rustix::fs::AtFlags::empty();
        rustix::fs::utimensat(rustix::fs::CWD, up.join(name), &times, flags).unwrap();
    }
    bundle
        .spec
        .mounts
        .push(profile::mount("/up", "tmpfs", &["tmpcopyup", "size=4m"]));
    let out = bundle.run().succeeds();
    assert_eq!(
        out,
        ".\n./dir\n./dir/deep\n./dir/deep/x\n./file\n./link\ncontent\n4640 0:0 1000000\n750 5:6 1000000\n/etc/shadow\n1777\n"
    );
    assert!(!up.join("new").exists());
}

#[test]
fn who_joins_a_pid_namespace_is_seen_there_only_as_its_program() {
    sandboxed!();
    // Watches for processes that it didn't make, and what can be seen of them.
    let watch = "while true; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || { readlink $p/exe; readlink $p/root; readlink $p/cwd; }; done 2>/dev/null; done >> /seen";
    let mut first = Bundle::new(watch);
    let mut all: Vec<&str> = profile::CAPABILITIES.to_vec();
    all.push("CAP_SYS_PTRACE");
    first.process().capabilities = Some(profile::capabilities(&all, 0));
    first.start();
    let pid = first.pid();
    for _ in 0..20 {
        let mut second = Bundle::new("test $$ -gt 1; readlink /proc/self/ns/pid");
        for namespace in &mut second.linux().namespaces {
            if namespace.kind == NamespaceKind::Pid {
                namespace.path = format!("/proc/{pid}/ns/pid");
            }
        }
        let theirs = fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
        assert_eq!(second.run().succeeds(), format!("{}\n", theirs.display()));
    }
    first.call(&["kill", &first.id, "KILL"]).succeeds();
    first.wait();
    let seen = fs::read_to_string(first.root().join("seen")).unwrap();
    let mut strange: Vec<&str> = seen
        .lines()
        .filter(|l| !l.starts_with("/bin/") && !l.starts_with("/proc") && *l != "/")
        .collect();
    strange.sort_unstable();
    strange.dedup();
    assert_eq!(strange, Vec::<&str>::new());
}

#[test]
fn a_mount_namespace_is_joined_by_path() {
    sandboxed!();
    let mut holder = std::process::Command::new("unshare")
        .args(["-m", "--propagation", "private", "sleep", "1000"])
        .spawn()
        .unwrap();
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let path = format!("/proc/{}/ns/mnt", holder.id());
    while fs::read_link(&path).is_ok_and(|l| l == own) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let theirs = fs::read_link(&path).unwrap();
    let mut bundle = Bundle::new("readlink /proc/self/ns/mnt; ls /");
    for namespace in &mut bundle.linux().namespaces {
        if namespace.kind == NamespaceKind::Mount {
            namespace.path.clone_from(&path);
        }
    }
    let outcome = bundle.run();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(
        outcome
            .out
            .starts_with(&format!("{}\nbin\n", theirs.display())),
        "{outcome:?}"
    );
}
