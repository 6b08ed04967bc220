//! The default container is what Docker's is, on every path that starts a process in it: run and exec.
#![allow(clippy::unwrap_used, reason = "tests")]

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    capabilities_seccomp_and_descriptors,
    masked_and_read_only_paths,
    devices,
    limits_are_in_force,
    a_workdir_does_not_lead_out,
    the_monitors_binary_cannot_be_written,
    flags_change_the_defaults,
);

/// What `script` prints in a default container by run, and by exec.
fn by_run_and_exec(host: &Host, flags: &[&str], script: &str) -> [String; 2] {
    let run = host
        .tare(
            ["run", "--rm"]
                .iter()
                .chain(flags)
                .chain(&["busybox", "sh", "-c", script]),
        )
        .ok();
    let _id = host
        .tare(
            ["run", "-d", "--name", "x1"]
                .iter()
                .chain(flags)
                .chain(&["busybox", "sleep", "1000"]),
        )
        .ok();
    let exec = host.tare(["exec", "x1", "sh", "-c", script]).ok();
    let _removed = host.tare(["rm", "-f", "x1"]).ok();
    [run, exec]
}

fn capabilities_seccomp_and_descriptors(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status | tr '\\t' ' '; ls /proc/self/fd | wc -l";
    for shown in by_run_and_exec(&host, &[], script) {
        for set in [
            "CapPrm: 00000000a80425fb",
            "CapEff: 00000000a80425fb",
            "CapBnd: 00000000a80425fb",
        ] {
            assert!(shown.contains(set), "{shown}");
        }
        for set in [
            "CapInh: 0000000000000000",
            "CapAmb: 0000000000000000",
            "Seccomp: 2",
        ] {
            assert!(shown.contains(set), "{shown}");
        }
        // 0, 1, 2 and the directory that ls reads.
        assert_eq!(
            shown.lines().next_back().map(str::trim),
            Some("4"),
            "{shown}"
        );
    }
    for shown in by_run_and_exec(&host, &["-u", "1000"], script) {
        assert!(
            shown.contains("CapPrm: 0000000000000000")
                && shown.contains("CapEff: 0000000000000000"),
            "{shown}"
        );
    }
    for shown in by_run_and_exec(
        &host,
        &["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        script,
    ) {
        assert!(
            shown.contains("CapBnd: 0000000000000000") && shown.contains("NoNewPrivs: 1"),
            "{shown}"
        );
    }
    host.finish();
}

fn masked_and_read_only_paths(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "for f in kcore keys timer_list sched_debug interrupts; do test -e /proc/$f && head -c1 /proc/$f 2>&1; done; \
        ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v :; \
        for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do (echo x > $f) 2>/dev/null && echo WROTE $f; done; \
        mkdir /sys/fs/cgroup/x 2>/dev/null && echo MADE; true";
    for shown in by_run_and_exec(&host, &[], script) {
        assert_eq!(shown.trim(), "", "nothing shown, nothing written");
    }
    host.finish();
}

fn devices(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "ls /dev | tr '\\n' ' '; echo x > /dev/null; head -c4 /dev/urandom | wc -c; \
        mknod /tmp/disk b 7 0 && dd if=/tmp/disk of=/dev/null count=1 2>&1 | tail -1";
    for shown in by_run_and_exec(&host, &[], script) {
        for name in [
            "null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "mqueue", "fd",
            "stdin", "ptmx",
        ] {
            assert!(
                shown.split_whitespace().any(|w| w == name),
                "{name} in {shown}"
            );
        }
        assert!(shown.contains("Operation not permitted"), "{shown}");
    }
    host.finish();
}

fn limits_are_in_force(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let hog = host.tare([
        "run",
        "--name",
        "hog",
        "-m",
        "32m",
        "--memory-swap",
        "32m",
        "busybox",
        "sh",
        "-c",
        "tail /dev/zero",
    ]);
    assert_eq!(hog.code, 137, "{}", hog.stderr);
    assert_eq!(
        host.tare(["inspect", "-f", "{{.State.OOMKilled}}", "hog"])
            .ok(),
        "true"
    );
    let forks = host.tare([
        "run",
        "--rm",
        "--pids-limit",
        "10",
        "busybox",
        "sh",
        "-c",
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done; wait",
    ]);
    assert!(
        forks.stderr.contains("fork"),
        "{} {}",
        forks.stdout,
        forks.stderr
    );
    host.finish();
}

fn a_workdir_does_not_lead_out(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "x1", "busybox", "sleep", "1000"])
        .ok();
    for fd in 3..40 {
        let dir = format!("/proc/self/fd/{fd}");
        let run = host.tare(["exec", "-w", &dir, "x1", "ls", "../../../../var/tmp"]);
        assert!(
            run.code != 0 && !run.stdout.contains("tare-test"),
            "{dir}: {run:?}"
        );
    }
    for dir in ["/proc/self/fd/5", "/proc/self/fd/7", "/proc/self/root"] {
        let run = host.tare([
            "run",
            "--rm",
            "-w",
            dir,
            "busybox",
            "ls",
            "../../../../var/tmp",
        ]);
        assert!(!run.stdout.contains("tare-test"), "{dir}: {run:?}");
    }
    host.finish();
}

fn the_monitors_binary_cannot_be_written(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let before = std::fs::read(testkit::fixtures::binary("tare-monitor")).unwrap();
    // CVE-2019-5736: the program is the runtime itself, and something inside opens it for writing.
    let _run = host.tare(["run", "--rm", "busybox", "/proc/self/exe"]);
    let _id = host.tare(["run", "-d", "--name", "x1", "busybox", "sh", "-c", "while true; do for p in /proc/[0-9]*; do (echo pwned >> $p/exe) 2>/dev/null; done; done"]).ok();
    for _ in 0..30 {
        let _exec = host.tare(["exec", "x1", "/proc/self/exe"]);
    }
    assert!(
        before == std::fs::read(testkit::fixtures::binary("tare-monitor")).unwrap(),
        "the binary was changed"
    );
    host.finish();
}

fn flags_change_the_defaults(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let run = |args: &[&str]| host.tare(["run", "--rm"].iter().chain(args));
    let ro = run(&["--read-only", "busybox", "touch", "/x"]).fails(1);
    assert!(ro.contains("Read-only file system"), "{ro}");
    assert_eq!(
        run(&[
            "--read-only",
            "--tmpfs",
            "/run",
            "busybox",
            "sh",
            "-c",
            "touch /run/x && echo ok"
        ])
        .ok(),
        "ok"
    );
    assert_eq!(
        run(&[
            "--shm-size",
            "1m",
            "busybox",
            "sh",
            "-c",
            "df -k /dev/shm | tail -1 | awk '{print $2}'"
        ])
        .ok(),
        "1024"
    );
    assert_eq!(
        run(&[
            "--ulimit",
            "nofile=123:456",
            "busybox",
            "sh",
            "-c",
            "ulimit -n; ulimit -Hn"
        ])
        .ok(),
        "123\n456"
    );
    assert_eq!(
        run(&[
            "--sysctl",
            "kernel.msgmax=9000",
            "busybox",
            "cat",
            "/proc/sys/kernel/msgmax"
        ])
        .ok(),
        "9000"
    );
    let all = run(&[
        "--privileged",
        "busybox",
        "sh",
        "-c",
        "grep -E 'CapEff|Seccomp:' /proc/self/status; test -e /dev/loop-control && echo devices",
    ])
    .ok();
    assert!(
        all.contains("Seccomp:\t0") && all.contains("devices"),
        "{all}"
    );
    assert!(
        run(&[
            "--security-opt",
            "seccomp=unconfined",
            "busybox",
            "grep",
            "Seccomp:",
            "/proc/self/status"
        ])
        .ok()
        .ends_with('0')
    );
    assert!(
        run(&[
            "--cap-add",
            "NET_ADMIN",
            "busybox",
            "grep",
            "CapEff",
            "/proc/self/status"
        ])
        .ok()
        .ends_with("a80435fb")
    );
    host.finish();
}
