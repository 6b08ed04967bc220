//! Flags of `run` and `create` that no other story takes, over both transports; and the table that names the story of each flag.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeMap;

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    an_init_passes_signals_on_and_takes_the_dead_away,
    groups_are_found_in_the_image,
    block_devices_are_limited,
    security_options_are_enforced_or_refused,
    namespaces_of_the_host_and_their_refusals,
    a_log_may_be_kept_nowhere,
    names_labels_and_files,
    memory_and_processors,
    files_in_memory_and_a_root_that_stays,
    signals_and_times_of_the_end,
    platforms_runtimes_and_pulls,
    streams_that_are_attached,
    devices_and_their_rules,
    what_ends_at_once_says_why,
);

fn run(host: &Host, options: &[&str], command: &[&str]) -> testkit::Outcome {
    let mut args = vec!["run", "--rm", "--network", "none"];
    args.extend(options);
    args.push("busybox");
    args.extend(command);
    host.tare(args)
}

fn refused(host: &Host, options: &[&str], words: &str) {
    let said = run(host, options, &["true"]).fails(125);
    assert!(said.contains(words), "{options:?}: {said}");
}

fn an_init_passes_signals_on_and_takes_the_dead_away(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    assert_eq!(
        run(
            &host,
            &["--init"],
            &["sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline"]
        )
        .ok(),
        "/sbin/docker-init -- sh -c tr '\\0' ' ' < /proc/1/cmdline "
    );
    let _out = run(&host, &["--init"], &["sh", "-c", "exit 9"]).fails(9);
    let _out = run(&host, &["--init"], &["sh", "-c", "kill -KILL $$"]).fails(137);
    let said = run(&host, &["--init"], &["no-such"]).fails(127);
    assert!(said.contains("docker-init: exec no-such: "), "{said}");
    let _out = run(&host, &["--init"], &["/etc"]).fails(126);
    // Who dies without a parent that waits is gone; who asks for the end gets it.
    let script = "trap 'exit 7' TERM; (sleep 0.01 & exec true) & while true; do sleep 0.05; done";
    let args = [
        "run", "-d", "--init", "--name", "c1", "busybox", "sh", "-c", script,
    ];
    let _id = host.tare(args).ok();
    let states = "for s in /proc/[0-9]*/stat; do cut -d' ' -f3 $s; done";
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while host
        .tare(["exec", "c1", "sh", "-c", states])
        .ok()
        .contains('Z')
    {
        assert!(std::time::Instant::now() < end, "the dead stay");
    }
    let _out = host.tare(["stop", "-t", "60", "c1"]).ok();
    assert_eq!(host.tare(["wait", "c1"]).ok(), "7");
    // Its path and arguments are those that were asked for.
    assert_eq!(
        host.tare(["inspect", "-f", "{{.Path}} {{.HostConfig.Init}}", "c1"])
            .ok(),
        "sh true"
    );
    host.finish();
}

fn groups_are_found_in_the_image(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let groups = |options: &[&str]| run(&host, options, &["id", "-G"]).ok();
    assert_eq!(
        groups(&["-u", "7", "--group-add", "tty", "--group-add", "77"]),
        "0 5 77"
    );
    let said = run(&host, &["--group-add", "nobodys"], &["true"]).fails(125);
    assert!(said.contains("unable to find group nobodys"), "{said}");
    let _id = host
        .tare([
            "run",
            "-d",
            "--name",
            "c1",
            "--group-add",
            "tty",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let inside = host.tare(["exec", "-u", "7", "c1", "id", "-G"]).ok();
    assert_eq!(inside, "0 5");
    host.finish();
}

/// A block device of the machine and its number.
fn block_device() -> Option<(String, String)> {
    std::fs::read_dir("/sys/block")
        .ok()?
        .flatten()
        .find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = std::fs::read_to_string(entry.path().join("dev")).ok()?;
            let path = format!("/dev/{name}");
            let there = std::path::Path::new(&path).exists() && !name.starts_with("loop");
            there.then(|| (path, number.trim().to_owned()))
        })
}

fn block_devices_are_limited(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    refused(
        &host,
        &["--blkio-weight", "5"],
        "Range of blkio weight is from 10 to 1000",
    );
    refused(
        &host,
        &["--device-read-bps", "/dev/null:1mb"],
        "it is no block device",
    );
    refused(
        &host,
        &["--device-read-bps", "/dev/none:1mb"],
        "No such file or directory",
    );
    refused(
        &host,
        &["--device-read-bps", "null:1mb"],
        "bad format for device path",
    );
    // Where no scheduler takes weights, they are of no effect, as in Docker.
    let _out = run(&host, &["--blkio-weight", "300"], &["true"]).ok();
    if let Some((device, number)) = block_device() {
        let with = |value: &str| format!("{device}:{value}");
        let args = [
            "run",
            "-d",
            "--name",
            "c1",
            "--device-read-bps",
            &with("1mb"),
            "--device-write-bps",
            &with("2mb"),
            "--device-read-iops",
            &with("30"),
            "--device-write-iops",
            &with("40"),
            "busybox",
            "sleep",
            "1000",
        ];
        let _id = host.tare(args).ok();
        let id = host.tare(["inspect", "-f", "{{.Id}}", "c1"]).ok();
        let below = format!("{}/{id}", host.cgroup().trim_start_matches('/'));
        let file = |name: &str| {
            std::fs::read_to_string(format!("/sys/fs/cgroup/{name}"))
                .ok()
                .map(|text| text.trim().to_owned())
        };
        let old = |name: &str| file(&format!("blkio/{below}/blkio.throttle.{name}_device"));
        match old("read_bps") {
            Some(limit) => {
                assert_eq!(limit, format!("{number} 1048576"));
                assert_eq!(old("write_bps").unwrap(), format!("{number} 2097152"));
                assert_eq!(old("read_iops").unwrap(), format!("{number} 30"));
                assert_eq!(old("write_iops").unwrap(), format!("{number} 40"));
            }
            None => assert_eq!(
                file(&format!("{below}/io.max")).unwrap(),
                format!("{number} rbps=1048576 wbps=2097152 riops=30 wiops=40")
            ),
        }
        let shown = "{{(index .HostConfig.BlkioDeviceReadBps 0).Rate}}";
        assert_eq!(host.tare(["inspect", "-f", shown, "c1"]).ok(), "1048576");
        // Few machines have a scheduler that takes weights: it is kept for those.
        let weight = with("100");
        let _id = host
            .tare([
                "create",
                "--name",
                "c2",
                "--blkio-weight-device",
                &weight,
                "busybox",
            ])
            .ok();
        let shown = "{{(index .HostConfig.BlkioWeightDevice 0).Weight}}";
        assert_eq!(host.tare(["inspect", "-f", shown, "c2"]).ok(), "100");
    }
    host.finish();
}

fn security_options_are_enforced_or_refused(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let opt =
        |option: &str, script: &str| run(&host, &["--security-opt", option], &["sh", "-c", script]);
    let masked = "test -s /proc/kcore -o -r /proc/keys && echo seen || echo hidden; grep -c ' /proc/sys ' /proc/mounts";
    let unconfined = opt(
        "systempaths=unconfined",
        "grep -c ' /proc/sys ' /proc/mounts || true",
    )
    .ok();
    assert_eq!(unconfined, "0");
    assert!(run(&host, &[], &["sh", "-c", masked]).ok().ends_with('1'));
    let cgroup = "grep ' /sys/fs/cgroup' /proc/mounts | grep -c '[ ,]ro[, ]' || true";
    assert_ne!(run(&host, &[], &["sh", "-c", cgroup]).ok(), "0");
    let writable = opt(
        "writable-cgroups=true",
        "touch /sys/fs/cgroup/x 2>&1 | grep -c Read-only || true",
    )
    .ok();
    assert_eq!(writable, "0");
    assert_eq!(
        opt("no-new-privileges", "grep NoNewPrivs /proc/self/status").ok(),
        "NoNewPrivs:\t1"
    );
    assert_eq!(
        opt("seccomp=unconfined", "grep Seccomp: /proc/self/status").ok(),
        "Seccomp:\t0"
    );
    assert_eq!(opt("apparmor=unconfined", "echo fine").ok(), "fine");
    assert_eq!(opt("label=disable", "echo fine").ok(), "fine");
    let profile = host.scratch().join("profile.json");
    std::fs::write(&profile, r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#).unwrap();
    let said = opt(
        &format!("seccomp={}", profile.display()),
        "mkdir /x 2>&1; true",
    )
    .ok();
    assert!(said.contains("Operation not permitted"), "{said}");
    if !std::path::Path::new("/sys/kernel/security/apparmor").exists() {
        refused(
            &host,
            &["--security-opt", "apparmor=mine"],
            "AppArmor profile mine",
        );
    }
    refused(
        &host,
        &["--security-opt", "label=type:mine"],
        "can't be enforced",
    );
    refused(
        &host,
        &["--security-opt", "nonsense"],
        "invalid --security-opt",
    );
    refused(
        &host,
        &["--security-opt", "writable-cgroups=perhaps"],
        "invalid --security-opt",
    );
    refused(
        &host,
        &["--security-opt", "seccomp=/no/such"],
        "open seccomp profile /no/such",
    );
    host.finish();
}

fn namespaces_of_the_host_and_their_refusals(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for (flag, name) in [
        ("--pid", "pid"),
        ("--ipc", "ipc"),
        ("--uts", "uts"),
        ("--cgroupns", "cgroup"),
    ] {
        let ours = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        let link = format!("/proc/self/ns/{name}");
        let theirs = run(&host, &[flag, "host"], &["readlink", &link]).ok();
        assert_eq!(theirs, ours.to_str().unwrap(), "{flag}");
        refused(&host, &[flag, "mars"], "mode: mars");
    }
    let ours = std::fs::read_link("/proc/self/ns/cgroup").unwrap();
    let private = run(
        &host,
        &["--cgroupns", "private"],
        &["readlink", "/proc/self/ns/cgroup"],
    )
    .ok();
    assert_ne!(private, ours.to_str().unwrap());
    assert_eq!(
        run(&host, &["--userns", "host"], &["echo", "fine"]).ok(),
        "fine"
    );
    refused(&host, &["--userns", "mine"], "mode: mine");
    let none = run(
        &host,
        &["--ipc", "none"],
        &["sh", "-c", "grep -c /dev/shm /proc/mounts || true"],
    );
    assert_eq!(none.ok(), "0");
    // What is not done is said, not left out.
    refused(&host, &["--pid", "container:x"], "not supported yet");
    host.finish();
}

fn a_log_may_be_kept_nowhere(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let args = [
        "run",
        "--name",
        "c1",
        "--log-driver",
        "none",
        "busybox",
        "echo",
        "heard",
    ];
    assert_eq!(host.tare(args).ok(), "heard");
    let said = host.tare(["logs", "c1"]).fails(1);
    assert!(
        said.contains("configured logging driver does not support reading"),
        "{said}"
    );
    for driver in ["local", "json-file"] {
        let args = [
            "run",
            "--name",
            driver,
            "--log-driver",
            driver,
            "--log-opt",
            "max-size=1m",
            "--log-opt",
            "max-file=2",
            "busybox",
            "echo",
            "kept",
        ];
        let _out = host.tare(args).ok();
        assert_eq!(host.tare(["logs", driver]).ok(), "kept");
    }
    refused(
        &host,
        &["--log-driver", "syslog"],
        "logging driver syslog is not supported",
    );
    refused(
        &host,
        &["--log-opt", "color=red"],
        "unknown log opt 'color'",
    );
    refused(
        &host,
        &["--log-opt", "max-size=big"],
        "invalid value for log opt max-size",
    );
    host.finish();
}

fn names_labels_and_files(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = |name: &str, text: &str| {
        let path = host.scratch().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let cidfile = host.scratch().join("cid").display().to_string();
    let labels = file("labels", "from=file\nalone\n");
    let variables = file(
        "env",
        "# comment\nA=1\nB=with space\nHOME_IS_NOT_SET_HERE\n",
    );
    let args = [
        "run",
        "-d",
        "--name",
        "c1",
        "--cidfile",
        &cidfile,
        "--label-file",
        &labels,
        "-l",
        "by=flag",
        "--env-file",
        &variables,
        "-e",
        "C=3",
        "--annotation",
        "note=here",
        "--domainname",
        "example.test",
        "--hostname",
        "box",
        "busybox",
        "sleep",
        "1000",
    ];
    let id = host.tare(args).ok();
    assert_eq!(std::fs::read_to_string(&cidfile).unwrap(), id);
    let shown = host
        .tare([
            "inspect",
            "-f",
            "{{json .Config.Labels}} {{json .HostConfig.Annotations}}",
            "c1",
        ])
        .ok();
    assert_eq!(
        shown,
        r#"{"alone":"","by":"flag","from":"file"} {"note":"here"}"#
    );
    let seen = host
        .tare([
            "exec",
            "c1",
            "sh",
            "-c",
            "echo $A,$B,$C; hostname; cat /proc/sys/kernel/domainname",
        ])
        .ok();
    assert_eq!(seen, "1,with space,3\nbox\nexample.test");
    refused(&host, &["--cidfile", &cidfile], "exists already");
    refused(&host, &["--env-file", "/no/such"], "/no/such");
    refused(&host, &["--domainname", "a b"], "invalid domainname");
    host.finish();
}

fn memory_and_processors(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let args = [
        "run",
        "-d",
        "--name",
        "c1",
        "-m",
        "64m",
        "--memory-reservation",
        "32m",
        "--memory-swap",
        "96m",
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "25000",
        "-c",
        "256",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
        "--pids-limit",
        "50",
        "--oom-score-adj",
        "500",
        "--ulimit",
        "nofile=100:200",
        "busybox",
        "sleep",
        "1000",
    ];
    let _id = host.tare(args).ok();
    let id = host.tare(["inspect", "-f", "{{.Id}}", "c1"]).ok();
    let below = format!("{}/{id}", host.cgroup().trim_start_matches('/'));
    let value = |old: &str, new: &str| {
        let controller = old.split_once('.').unwrap().0;
        let paths = [
            format!("/sys/fs/cgroup/{controller}/{below}/{old}"),
            format!("/sys/fs/cgroup/{below}/{new}"),
        ];
        let text = paths
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        text.unwrap_or_default().trim().to_owned()
    };
    assert_eq!(
        value("memory.soft_limit_in_bytes", "memory.low"),
        (32 << 20).to_string()
    );
    assert!(["25000", "25000 50000"].contains(&value("cpu.cfs_quota_us", "cpu.max").as_str()));
    assert_eq!(value("cpuset.cpus", "cpuset.cpus"), "0");
    assert_eq!(value("cpuset.mems", "cpuset.mems"), "0");
    let inside = "cat /proc/1/oom_score_adj; ulimit -n; ulimit -Hn";
    assert_eq!(
        host.tare(["exec", "c1", "sh", "-c", inside]).ok(),
        "500\n100\n200"
    );
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    if unified {
        refused(&host, &["--memory-swappiness", "10"], "unified");
        refused(&host, &["--oom-kill-disable"], "unified");
    } else {
        let _out = run(&host, &["--memory-swappiness", "10"], &["true"]).ok();
        let _out = run(&host, &["-m", "64m", "--oom-kill-disable"], &["true"]).ok();
    }
    if !std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        refused(&host, &["--cpu-rt-runtime", "1000"], "real-time scheduler");
        refused(&host, &["--cpu-rt-period", "1000"], "real-time scheduler");
    }
    refused(&host, &["--memory-swappiness", "101"], "swappiness");
    refused(&host, &["--cgroup-parent", "../up"], "cgroup");
    host.finish();
}

fn files_in_memory_and_a_root_that_stays(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "touch /x 2>/dev/null || echo stays; touch /t/y && echo written; grep ' /t ' /proc/mounts; df -k /dev/shm | tail -1 | awk '{print $2}'";
    let options = [
        "--read-only",
        "--tmpfs",
        "/t:size=1m,noexec,mode=0755",
        "--shm-size",
        "8m",
    ];
    let out = run(&host, &options, &["sh", "-c", script]).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..2], ["stays", "written"]);
    assert!(
        lines[2].contains("size=1024k") && lines[2].contains("noexec"),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3], "8192");
    refused(&host, &["--tmpfs", "/t:nonsense"], "nonsense");
    refused(&host, &["--storage-opt", "size=1g"], "storage");
    host.finish();
}

fn signals_and_times_of_the_end(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "trap 'exit 8' USR1; while true; do sleep 0.05; done";
    let args = [
        "run",
        "-d",
        "--name",
        "c1",
        "--stop-signal",
        "USR1",
        "--stop-timeout",
        "60",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    let _id = host.tare(args).ok();
    // The trap is set when it has slept once.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let _out = host.tare(["stop", "c1"]).ok();
    assert_eq!(host.tare(["wait", "c1"]).ok(), "8");
    refused(&host, &["--stop-signal", "NOISE"], "invalid signal: NOISE");
    host.finish();
}

fn platforms_runtimes_and_pulls(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for fine in [
        ["--platform", "linux/amd64"].as_slice(),
        &["--runtime", "tare-runtime"],
        &["--isolation", "default"],
        &["--pull", "missing"],
        &["--pull", "never", "-q"],
    ] {
        if fine[0] != "--platform" || cfg!(target_arch = "x86_64") {
            assert_eq!(run(&host, fine, &["echo", "fine"]).ok(), "fine", "{fine:?}");
        }
    }
    refused(&host, &["--platform", "plan9/mips"], "platform");
    refused(
        &host,
        &["--runtime", "kata"],
        "unknown or invalid runtime name: kata",
    );
    refused(&host, &["--isolation", "hyperv"], "hyperv");
    refused(&host, &["--pull", "sometimes"], "must be one of");
    refused(&host, &["--gpus", "all"], "could not select device driver");
    let said = host.tare(["run", "--pull", "never", "absent"]).fails(125);
    assert!(said.contains("No such image: absent"), "{said}");
    host.finish();
}

fn streams_that_are_attached(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let both = ["sh", "-c", "echo out; echo err >&2"];
    let out = run(&host, &["-a", "stdout"], &both);
    assert_eq!((out.stdout.trim(), out.stderr.trim()), ("out", ""));
    let out = run(&host, &["-a", "STDERR"], &both);
    assert_eq!((out.stdout.trim(), out.stderr.trim()), ("", "err"));
    let typed = host.tare_with_input(
        [
            "run", "--rm", "-i", "-a", "stdin", "-a", "stdout", "busybox", "cat",
        ],
        b"typed",
    );
    assert_eq!(typed.ok(), "typed");
    refused(
        &host,
        &["-a", "stdlog"],
        "valid streams are STDIN, STDOUT and STDERR",
    );
    refused(&host, &["-d", "-a", "stdout"], "conflicting options");
    host.finish();
}

fn devices_and_their_rules(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let renamed = run(
        &host,
        &["--device", "/dev/full:/dev/mine:r"],
        &["sh", "-c", "stat -c %t:%T /dev/mine"],
    );
    assert_eq!(renamed.ok(), "1:7");
    // A rule lets a node be made and used that is not given.
    let script = "mknod /x c 1 7 && head -c 1 /x | wc -c";
    assert_eq!(
        run(
            &host,
            &["--device-cgroup-rule", "c 1:7 rwm"],
            &["sh", "-c", script]
        )
        .ok(),
        "1"
    );
    // As from Docker: its command line takes the words for those of a program.
    let said = run(&host, &["--device", "/dev/no-such"], &["true"]).fails(127);
    assert!(said.contains("/dev/no-such"), "{said}");
    refused(
        &host,
        &["--device-cgroup-rule", "x 1:7 rwm"],
        "invalid device cgroup rule format",
    );
    refused(
        &host,
        &["--device-cgroup-rule", "c 1:7 rwx"],
        "invalid device cgroup rule format",
    );
    host.finish();
}

fn what_ends_at_once_says_why(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "--name", "c1", "busybox", "sh", "-c", "exit 3"])
        .fails(3);
    for command in [
        ["exec", "c1", "true"].as_slice(),
        &["top", "c1"],
        &["pause", "c1"],
    ] {
        let said = host.tare(command).fails(1);
        assert!(
            said.contains("it ended with exit code 3"),
            "{command:?}: {said}"
        );
        assert!(said.contains("tare logs c1"), "{command:?}: {said}");
    }
    let _id = host.tare(["create", "--name", "c2", "busybox"]).ok();
    let said = host.tare(["exec", "c2", "true"]).fails(1);
    assert!(said.contains("it was never started"), "{said}");
    host.finish();
}

/// The story that takes each flag. Those about networks are in the stories of networks.
const TABLE: &[(&str, &str)] = &[
    ("annotation", "names_labels_and_files"),
    ("attach", "streams_that_are_attached"),
    ("blkio-weight", "block_devices_are_limited"),
    ("blkio-weight-device", "block_devices_are_limited"),
    ("cap-add", "flags_change_the_defaults"),
    ("cap-drop", "flags_change_the_defaults"),
    ("cgroup-parent", "memory_and_processors"),
    ("cgroupns", "namespaces_of_the_host_and_their_refusals"),
    ("cidfile", "names_labels_and_files"),
    ("cpu-period", "memory_and_processors"),
    ("cpu-quota", "memory_and_processors"),
    ("cpu-rt-period", "memory_and_processors"),
    ("cpu-rt-runtime", "memory_and_processors"),
    ("cpu-shares", "memory_and_processors"),
    ("cpus", "limits_are_changed_while_it_runs"),
    ("cpuset-cpus", "memory_and_processors"),
    ("cpuset-mems", "memory_and_processors"),
    ("detach", "a_detached_service_lives_its_life"),
    ("detach-keys", "detach_keys_leave_it_running"),
    ("device", "devices_and_their_rules"),
    ("device-cgroup-rule", "devices_and_their_rules"),
    ("device-read-bps", "block_devices_are_limited"),
    ("device-read-iops", "block_devices_are_limited"),
    ("device-write-bps", "block_devices_are_limited"),
    ("device-write-iops", "block_devices_are_limited"),
    ("domainname", "names_labels_and_files"),
    ("entrypoint", "entrypoint_and_command_combine_as_dockers"),
    ("env", "environment_workdir_user_and_hostname"),
    ("env-file", "names_labels_and_files"),
    ("gpus", "platforms_runtimes_and_pulls"),
    ("group-add", "groups_are_found_in_the_image"),
    ("health-cmd", "a_container_gets_well_and_unwell"),
    ("health-interval", "a_container_gets_well_and_unwell"),
    ("health-retries", "a_container_gets_well_and_unwell"),
    ("health-start-interval", "failures_at_first_do_not_count"),
    ("health-start-period", "failures_at_first_do_not_count"),
    ("health-timeout", "looks_are_limited_in_time_and_output"),
    ("hostname", "environment_workdir_user_and_hostname"),
    ("init", "an_init_passes_signals_on_and_takes_the_dead_away"),
    ("interactive", "run_reads_standard_input"),
    ("ipc", "namespaces_of_the_host_and_their_refusals"),
    ("isolation", "platforms_runtimes_and_pulls"),
    ("label", "names_labels_and_files"),
    ("label-file", "names_labels_and_files"),
    ("log-driver", "a_log_may_be_kept_nowhere"),
    ("log-opt", "a_log_may_be_kept_nowhere"),
    ("memory", "memory_and_processors"),
    ("memory-reservation", "memory_and_processors"),
    ("memory-swap", "memory_and_processors"),
    ("memory-swappiness", "memory_and_processors"),
    ("mount", "volumes_and_binds"),
    ("name", "names_are_unique_and_free_again"),
    ("no-healthcheck", "what_makes_no_sense_is_refused"),
    ("oom-kill-disable", "memory_and_processors"),
    ("oom-score-adj", "memory_and_processors"),
    ("pid", "namespaces_of_the_host_and_their_refusals"),
    ("pids-limit", "memory_and_processors"),
    ("platform", "platforms_runtimes_and_pulls"),
    ("privileged", "flags_change_the_defaults"),
    ("pull", "platforms_runtimes_and_pulls"),
    ("quiet", "platforms_runtimes_and_pulls"),
    ("read-only", "files_in_memory_and_a_root_that_stays"),
    ("restart", "failures_are_tried_again_as_often_as_asked"),
    ("rm", "run_prints_what_the_program_prints"),
    ("runtime", "platforms_runtimes_and_pulls"),
    ("security-opt", "security_options_are_enforced_or_refused"),
    ("shm-size", "files_in_memory_and_a_root_that_stays"),
    ("sig-proxy", "simple_commands"),
    ("stop-signal", "signals_and_times_of_the_end"),
    ("stop-timeout", "signals_and_times_of_the_end"),
    ("storage-opt", "files_in_memory_and_a_root_that_stays"),
    ("sysctl", "flags_change_the_defaults"),
    ("tmpfs", "files_in_memory_and_a_root_that_stays"),
    ("tty", "a_shell_is_typed_at"),
    ("ulimit", "memory_and_processors"),
    ("user", "environment_workdir_user_and_hostname"),
    ("userns", "namespaces_of_the_host_and_their_refusals"),
    ("uts", "namespaces_of_the_host_and_their_refusals"),
    ("volume", "volumes_and_binds"),
    ("volume-driver", "flags_become_the_request"),
    ("volumes-from", "flags_become_the_request"),
    ("workdir", "environment_workdir_user_and_hostname"),
];

/// Flags about networks, ports and names: not this file's.
const NETWORKS: &[&str] = &[
    "add-host",
    "dns",
    "dns-option",
    "dns-search",
    "expose",
    "ip",
    "ip6",
    "link",
    "link-local-ip",
    "mac-address",
    "network",
    "network-alias",
    "publish",
    "publish-all",
];

const STORIES: &str = concat!(
    include_str!("flags.rs"),
    include_str!("stories.rs"),
    include_str!("hardening.rs"),
    include_str!("terminals.rs"),
    include_str!("health.rs"),
    include_str!("restart.rs"),
    include_str!("changes.rs"),
    include_str!("../../../crates/tare/tests/run.rs"),
    include_str!("../../../crates/tare/tests/lifecycle.rs"),
);

#[test]
fn every_flag_has_its_story() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let host = Host::new(&sandbox, Transport::Embedded);
    let help = host.tare(["run", "--help"]).ok();
    let table: BTreeMap<&str, &str> = TABLE.iter().copied().collect();
    let flags = help.lines().filter_map(|line| {
        let (_, flag) = line.get(..40).unwrap_or(line).split_once("--")?;
        flag.split([' ', ',', '='])
            .next()
            .filter(|flag| *flag != "help")
    });
    let mut missing: Vec<String> = TABLE
        .iter()
        .filter(|(flag, _)| !help.contains(&format!("--{flag} ")))
        .map(|(flag, _)| format!("--{flag} is not in the help"))
        .collect();
    let mut seen = 0;
    for flag in flags {
        seen += 1;
        if NETWORKS.contains(&flag) {
            continue;
        }
        match table.get(flag) {
            Some(story) if STORIES.contains(&format!("fn {story}(")) => {}
            other => missing.push(format!("--{flag}: {other:?}")),
        }
    }
    assert!(missing.is_empty() && seen > 80, "{seen}: {missing:#?}");
    host.finish();
}
