//! What a container may and may not do, on every path alike.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use bundle::Bundle;
use spec::runtime::{Cpu, Device, DeviceKind, Memory, Namespace, NamespaceKind, Pids, Rlimit};

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

const STATUS: &str = "grep -E '^(Cap|Seccomp|NoNewPrivs)' /proc/self/status";

fn status(prm: &str, bnd: &str, nnp: u8, seccomp: u8) -> String {
    let zero = "0000000000000000";
    let filters = u8::from(seccomp == 2);
    format!(
        "CapInh:\t{zero}\nCapPrm:\t{prm}\nCapEff:\t{prm}\nCapBnd:\t{bnd}\nCapAmb:\t{zero}\nNoNewPrivs:\t{nnp}\nSeccomp:\t{seccomp}\nSeccomp_filters:\t{filters}\n"
    )
}

const DOCKER: &str = "00000000a80425fb";
const NONE: &str = "0000000000000000";

#[test]
fn run_and_exec_have_the_same_bounds() {
    sandboxed!();
    let bundle = Bundle::new(&format!("{STATUS}; sleep 1000"));
    bundle.start();
    let expected = status(DOCKER, DOCKER, 0, 2);
    assert_eq!(bundle.lines(7), expected);
    assert_eq!(bundle.exec(&["sh", "-c", STATUS]).succeeds(), expected);
    // Another user has none of root's capabilities.
    let other = bundle
        .call(&["exec", "-u", "1000", &bundle.id, "sh", "-c", STATUS])
        .succeeds();
    assert_eq!(other, status(NONE, DOCKER, 0, 2));
}

#[test]
fn no_new_privileges_holds_on_both_paths() {
    sandboxed!();
    let mut bundle = Bundle::new(&format!("{STATUS}; sleep 1000"));
    bundle.process().no_new_privileges = true;
    bundle.process().user.uid = 1000;
    bundle.process().capabilities = Some(spec::profile::capabilities(
        &spec::profile::CAPABILITIES,
        1000,
    ));
    bundle.start();
    let expected = status(NONE, DOCKER, 1, 2);
    assert_eq!(bundle.exec(&["sh", "-c", STATUS]).succeeds(), expected);
    assert_eq!(bundle.lines(7), expected);
}

#[test]
fn a_process_without_capabilities_has_none() {
    sandboxed!();
    let mut bundle = Bundle::new(STATUS);
    bundle.process().capabilities = None;
    assert_eq!(bundle.run().succeeds(), status(NONE, NONE, 0, 2));
    bundle.linux().seccomp = None;
    assert_eq!(bundle.run().succeeds(), status(NONE, NONE, 0, 0));
}

#[test]
fn ambient_capabilities_are_had_where_they_are_asked_for() {
    sandboxed!();
    let mut bundle = Bundle::new("grep -E '^Cap(Prm|Amb)' /proc/self/status");
    let names = vec!["CAP_NET_BIND_SERVICE".to_owned()];
    bundle.process().user.uid = 1000;
    bundle.process().capabilities = Some(spec::runtime::Capabilities {
        bounding: names.clone(),
        effective: names.clone(),
        inheritable: names.clone(),
        permitted: names.clone(),
        ambient: names,
    });
    assert_eq!(
        bundle.run().succeeds(),
        "CapPrm:\t0000000000000400\nCapAmb:\t0000000000000400\n"
    );
}

#[test]
fn only_standard_descriptors_are_open() {
    sandboxed!();
    let list = "ls /proc/self/fd | tr '\\n' ' '";
    let bundle = Bundle::new(&format!("{list}; sleep 1000"));
    bundle.start();
    // The last one is that of ls itself.
    assert_eq!(bundle.exec(&["sh", "-c", list]).succeeds(), "0 1 2 3 ");
    for _ in 0..500 {
        if bundle.output() == "0 1 2 3 " {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{}", bundle.output());
}

#[test]
fn namespaces_are_the_containers_own() {
    sandboxed!();
    let all = ["mnt", "net", "pid", "ipc", "uts", "cgroup"];
    let mut bundle = Bundle::new(
        "for n in mnt net pid ipc uts cgroup; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup",
    );
    let host = |kind: &str| {
        std::fs::read_link(format!("/proc/self/ns/{kind}"))
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let out = bundle.run().succeeds();
    for (line, kind) in out.lines().zip(all) {
        assert_eq!(line == host(kind), kind == "cgroup", "{kind}");
    }
    bundle
        .linux()
        .namespaces
        .push(Namespace::new(NamespaceKind::Cgroup));
    bundle
        .linux()
        .namespaces
        .retain(|n| !matches!(n.kind, NamespaceKind::Network | NamespaceKind::Ipc));
    let out = bundle.run().succeeds();
    for (line, kind) in out.lines().zip(all) {
        assert_eq!(line == host(kind), matches!(kind, "net" | "ipc"), "{kind}");
    }
    // Its cgroup is the root of its namespace.
    assert!(out.lines().skip(6).all(|l| l.ends_with(":/")), "{out}");
}

#[test]
fn namespaces_are_joined_by_path() {
    sandboxed!();
    let first = Bundle::new("sleep 1000");
    first.start();
    let pid = first.pid();
    let mut second = Bundle::new(
        "for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; ps | grep -c '[s]leep 1000'",
    );
    second.spec.hostname.clear();
    for namespace in &mut second.linux().namespaces {
        let name = match namespace.kind {
            NamespaceKind::Network => "net",
            NamespaceKind::Ipc => "ipc",
            NamespaceKind::Uts => "uts",
            NamespaceKind::Pid => "pid",
            _ => continue,
        };
        namespace.path = format!("/proc/{pid}/ns/{name}");
    }
    let out = second.run().succeeds();
    for (line, kind) in out.lines().zip(["net", "ipc", "uts", "pid"]) {
        let theirs = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(line, theirs.to_str().unwrap());
    }
    assert!(out.ends_with("\n1\n"), "{out}");
}

#[test]
fn masked_paths_are_empty_and_readonly_ones_refuse() {
    sandboxed!();
    let bundle = Bundle::new(
        "cat /proc/keys /proc/kcore /proc/timer_list | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -vc :; \
         echo x > /proc/keys; cat /proc/keys | wc -c; \
         for f in /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/irq/default_smp_affinity /sys/power/state /proc/sys/x; do \
           (echo x > $f) 2>/dev/null && echo wrote $f; done; \
         mkdir /sys/fs/cgroup/pids/x 2>/dev/null && echo made; true",
    );
    let outcome = bundle.run();
    let lines: Vec<&str> = outcome.out.lines().collect();
    // acpi may not exist at all; what exists lists nothing.
    assert_eq!((lines[0], lines[2]), ("0", "0"), "{outcome:?}");
    assert!(lines[1] == "0" || lines[1] == "1", "{outcome:?}");
    assert_eq!(lines.len(), 3, "{outcome:?}");
}

#[test]
fn devices_are_those_of_the_list() {
    sandboxed!();
    let mut bundle = Bundle::new(
        "echo x > /dev/null && head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; \
         stat -c '%a %t:%T %F' /dev/null /dev/extra; readlink /dev/ptmx; readlink /dev/fd; \
         mknod /x b 8 0 && dd if=/x count=1 2>&1 | grep -o 'not permitted'; \
         mknod /y c 1 1 && dd if=/y count=1 2>&1 | grep -o 'not permitted'",
    );
    bundle.linux().devices.push(Device {
        path: "/dev/extra".to_owned(),
        kind: DeviceKind::Char,
        major: 10,
        minor: 229,
        file_mode: Some(0o640),
        uid: Some(0),
        gid: Some(44),
    });
    let out = bundle.run().out;
    let expected = "3\n3\n666 1:3 character special file\n640 a:e5 character special file\npts/ptmx\n/proc/self/fd\nnot permitted\nnot permitted\n";
    assert_eq!(out, expected);
}

#[test]
fn limits_are_in_the_cgroup() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    let resources = bundle.linux().resources.get_or_insert_default();
    resources.memory = Some(Memory {
        limit: Some(64 << 20),
        ..Memory::default()
    });
    resources.pids = Some(Pids { limit: 20 });
    resources.cpu = Some(Cpu {
        shares: Some(512),
        quota: Some(50_000),
        period: Some(100_000),
        ..Cpu::default()
    });
    bundle.start();
    let pid = bundle.pid().to_string();
    let all = bundle.cgroup_file("pids", "cgroup.procs");
    assert!(all.lines().any(|p| p == pid), "{all}");
    assert_eq!(bundle.cgroup_file("pids", "pids.max"), "20");
    if std::path::Path::new("/sys/fs/cgroup/memory").exists() {
        assert_eq!(
            bundle.cgroup_file("memory", "memory.limit_in_bytes"),
            (64 << 20).to_string()
        );
        assert_eq!(bundle.cgroup_file("cpu", "cpu.shares"), "512");
        assert_eq!(bundle.cgroup_file("cpu", "cpu.cfs_quota_us"), "50000");
        for controller in [
            "cpu", "memory", "devices", "freezer", "blkio", "cpuset", "systemd", "unified",
        ] {
            let all = bundle.cgroup_file(controller, "cgroup.procs");
            assert!(all.lines().any(|p| p == pid), "{controller}: {all}");
        }
    } else {
        assert_eq!(bundle.cgroup_file("", "memory.max"), (64 << 20).to_string());
        assert_eq!(bundle.cgroup_file("", "cpu.max"), "50000 100000");
    }
    // More processes than the limit: some can't be made, in an exec as well.
    let bomb = "for i in $(seq 40); do sleep 1000 >/dev/null 2>&1 & done; true";
    let refused = bundle.exec(&["sh", "-c", bomb]);
    assert!(refused.err.contains("can't fork"), "{refused:?}");
}

#[test]
fn rlimits_and_umask_are_set() {
    sandboxed!();
    let mut bundle = Bundle::new("ulimit -n; ulimit -Hn; ulimit -c; umask; sleep 1000");
    bundle.process().user.umask = Some(0o27);
    for (kind, soft, hard) in [("RLIMIT_NOFILE", 100, 200), ("RLIMIT_CORE", 0, 0)] {
        bundle.process().rlimits.push(Rlimit {
            kind: kind.to_owned(),
            soft,
            hard,
        });
    }
    bundle.start();
    let out = bundle
        .exec(&["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c; umask"])
        .succeeds();
    assert_eq!(out, "100\n200\n0\n0027\n");
    assert_eq!(bundle.lines(4), out);
}

#[test]
fn users_have_their_groups_and_no_others() {
    sandboxed!();
    let mut bundle = Bundle::new("id -u; id -g; id -G; sleep 1000");
    bundle.process().user = spec::runtime::User {
        uid: 33,
        gid: 34,
        additional_gids: vec![34, 44],
        ..Default::default()
    };
    bundle.start();
    assert_eq!(
        bundle.exec(&["sh", "-c", "id -u; id -g; id -G"]).succeeds(),
        "33\n34\n34 44\n"
    );
    assert_eq!(bundle.lines(3), "33\n34\n34 44\n");
    for (user, ids) in [
        ("web", "33 34 34 44"),
        ("0", "0 0 0"),
        ("web:root", "33 0 0"),
        ("77:78", "77 78 78"),
    ] {
        let out = bundle.call(&[
            "exec",
            "-u",
            user,
            &bundle.id,
            "sh",
            "-c",
            "echo $(id -u) $(id -g) $(id -G)",
        ]);
        assert_eq!(out.succeeds().trim(), ids, "{user}");
    }
    let error = bundle
        .call(&["exec", "-u", "nosuch", &bundle.id, "id"])
        .fails(255);
    assert!(
        error.contains("unable to find user nosuch: no matching entries in passwd file"),
        "{error}"
    );
}

#[test]
fn pipes_can_be_opened_again_by_their_user() {
    sandboxed!();
    let mut bundle = Bundle::new("echo again > /dev/stdout");
    bundle.process().user.uid = 1000;
    assert_eq!(bundle.run().succeeds(), "again\n");
}

#[test]
fn sysctls_are_the_namespaces_own() {
    sandboxed!();
    let mut bundle =
        Bundle::new("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax");
    let before = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
    for (name, value) in [
        ("net.ipv4.ip_unprivileged_port_start", "77"),
        ("kernel.msgmax", "9000"),
    ] {
        bundle
            .linux()
            .sysctl
            .insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(bundle.run().succeeds(), "77\n9000\n");
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(),
        before
    );
    bundle
        .linux()
        .sysctl
        .insert("kernel.core_pattern".to_owned(), "|x".to_owned());
    bundle.run().fails(1);
}

#[test]
fn what_is_asked_for_and_cannot_be_had_is_an_error() {
    sandboxed!();
    let mut bundle = Bundle::new("true");
    bundle.process().apparmor_profile = "nosuch".to_owned();
    bundle.run().fails(1);
    bundle.process().apparmor_profile.clear();
    bundle.run().succeeds();
    bundle.spec.hooks = Some(spec::runtime::Hooks {
        poststop: vec![spec::runtime::Hook::default()],
        ..Default::default()
    });
    bundle.run().fails(1);
}

#[test]
fn system_calls_are_filtered() {
    sandboxed!();
    let bundle = Bundle::new(
        "unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; dmesg 2>&1 | head -1; chroot / true && echo chroot; mkdir /sub && echo mkdir",
    );
    let out = bundle.run().out;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert!(lines[..3].iter().all(|l| l.contains("ermi")), "{out}");
    assert_eq!(&lines[3..], ["chroot", "mkdir"]);
}

#[test]
fn a_read_only_root_is_read_only_but_what_is_mounted_is_not() {
    sandboxed!();
    let mut bundle = Bundle::new(
        "touch /x 2>/dev/null && echo root; touch /tmp/x && echo tmp; touch /dev/shm/x && echo shm; touch /run/x 2>/dev/null || echo no; true",
    );
    bundle.spec.root.as_mut().unwrap().readonly = true;
    std::fs::create_dir(bundle.root().join("run")).unwrap();
    bundle
        .spec
        .mounts
        .push(spec::profile::mount("/tmp", "tmpfs", &["size=1m"]));
    bundle
        .spec
        .mounts
        .push(spec::profile::mount("/run", "tmpfs", &["ro"]));
    assert_eq!(bundle.run().succeeds(), "tmp\nshm\nno\n");
}

#[test]
fn signals_are_as_a_program_expects_them() {
    sandboxed!();
    let show = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    let bundle = Bundle::new(&format!("exec {show}; sleep 1000"));
    let zero = "0000000000000000";
    let expected = format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\nSigCgt:\t{zero}\n");
    assert_eq!(bundle.run().succeeds(), expected);
}

#[test]
fn a_time_namespace_is_entered_too() {
    sandboxed!();
    let mut bundle = Bundle::new("readlink /proc/self/ns/time; sleep 1000");
    bundle
        .linux()
        .namespaces
        .push(Namespace::new(NamespaceKind::Time));
    bundle.start();
    let inside = bundle.exec(&["readlink", "/proc/self/ns/time"]).succeeds();
    assert_eq!(bundle.lines(1), inside);
    assert_ne!(
        std::fs::read_link("/proc/self/ns/time")
            .unwrap()
            .to_str()
            .unwrap(),
        inside.trim()
    );
}

#[test]
fn a_tracer_inside_sees_nothing_of_the_host_in_what_enters() {
    sandboxed!();
    let script = "while true; do for p in /proc/[0-9]*; do \
         for l in $p/exe $p/root $p/cwd $p/fd/*; do readlink $l; done; done 2>/dev/null; done | sort -u > /seen";
    let mut bundle = Bundle::new(script);
    let mut all: Vec<&str> = spec::profile::CAPABILITIES.to_vec();
    all.push("CAP_SYS_PTRACE");
    bundle.process().capabilities = Some(spec::profile::capabilities(&all, 0));
    bundle.process().args[2] = script.replace("| sort -u > /seen", ">> /seen");
    bundle.start();
    for _ in 0..60 {
        bundle.exec(&["true"]).succeeds();
    }
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    bundle.wait();
    let seen = std::fs::read_to_string(bundle.root().join("seen")).unwrap();
    // Its own standard output and error are the host's, as it was told.
    let own = bundle.path().to_str().unwrap();
    let known =
        |l: &&str| l.starts_with('/') && !["/proc", "/bin", own].iter().any(|k| l.starts_with(k));
    let mut strange: Vec<&str> = seen.lines().filter(known).collect();
    strange.sort_unstable();
    strange.dedup();
    assert_eq!(strange, ["/", "/dev/null", "/seen"], "{strange:?}");
}
