//! What a user does with containers, over both transports.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    run_prints_what_the_program_prints,
    run_gives_the_programs_exit_code,
    run_reads_standard_input,
    environment_workdir_user_and_hostname,
    entrypoint_and_command_combine_as_dockers,
    a_detached_service_lives_its_life,
    a_stopped_container_starts_again,
    kill_and_stop_signals,
    removing_a_running_container_needs_force,
    names_are_unique_and_free_again,
    exec_runs_in_the_container,
    logs_tail_follow_and_timestamps,
    wait_gives_the_exit_code,
    volumes_and_binds,
    ps_filters_and_formats,
    inspect_tells_the_truth,
    images_are_listed_tagged_and_removed,
    network_none_has_loopback_only_and_host_has_the_hosts,
    many_at_once,
    a_debian_root_runs,
);

/// Waits until `ready` or panics with `what` after 10 s.
#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run_prints_what_the_program_prints(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let out = host.tare([
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2",
    ]);
    assert_eq!((out.code, out.stdout.as_str()), (0, "out\n"));
    assert!(out.stderr.contains("err\n"), "{}", out.stderr);
    // A large output arrives whole and in order.
    let big = host
        .tare([
            "run",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done",
        ])
        .ok();
    assert_eq!(big.lines().count(), 20_000);
    assert_eq!(big.lines().next_back(), Some("line 19999"));
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "");
    host.finish();
}

fn run_gives_the_programs_exit_code(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    assert_eq!(
        host.tare(["run", "--rm", "busybox", "sh", "-c", "exit 3"])
            .code,
        3
    );
    // The first process of a container is deaf to its own SIGKILL, so another of its processes is killed.
    assert_eq!(
        host.tare([
            "run",
            "--rm",
            "busybox",
            "sh",
            "-c",
            "sh -c 'kill -9 $$'; exit $?"
        ])
        .code,
        137
    );
    let missing = host
        .tare(["run", "--rm", "busybox", "no-such-program"])
        .fails(127);
    assert!(missing.contains("no-such-program"), "{missing}");
    let directory = host.tare(["run", "--rm", "busybox", "/etc"]).fails(126);
    assert!(directory.contains("permission denied"), "{directory}");
    let unknown = host.tare(["run", "--rm", "no-such-image"]).fails(125);
    assert!(unknown.contains("no-such-image"), "{unknown}");
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "", "nothing half made");
    host.finish();
}

fn run_reads_standard_input(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let text = "a line\n".repeat(100_000);
    let out = host
        .tare_with_input(
            ["run", "--rm", "-i", "busybox", "wc", "-c"],
            text.as_bytes(),
        )
        .ok();
    assert_eq!(out.trim(), text.len().to_string());
    let echo = host.tare_with_input(["run", "--rm", "-i", "busybox", "cat"], text.as_bytes());
    assert_eq!((echo.code, echo.stdout.len()), (0, text.len()));
    // Without -i standard input is empty.
    assert_eq!(
        host.tare_with_input(["run", "--rm", "busybox", "cat"], b"unseen")
            .ok(),
        ""
    );
    host.finish();
}

fn environment_workdir_user_and_hostname(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let run = |args: &[&str]| host.tare(["run", "--rm"].iter().chain(args)).ok();
    assert_eq!(
        run(&[
            "-e",
            "A=1 2",
            "-e",
            "B=",
            "busybox",
            "sh",
            "-c",
            "echo \"$A,${B-unset}\""
        ]),
        "1 2,"
    );
    assert_eq!(
        run(&["-w", "/made/for/you", "busybox", "pwd"]),
        "/made/for/you"
    );
    assert_eq!(run(&["-u", "1000:1000", "busybox", "id", "-u"]), "1000");
    assert_eq!(
        run(&["-u", "nobody", "busybox", "sh", "-c", "id -un"]),
        "nobody"
    );
    assert_eq!(
        run(&["--hostname", "weighed", "busybox", "hostname"]),
        "weighed"
    );
    assert!(run(&["--hostname", "weighed", "busybox", "cat", "/etc/hosts"]).contains("weighed"));
    assert_eq!(run(&["busybox", "sh", "-c", "echo $HOME"]), "/root");
    let refused = host
        .tare(["run", "--rm", "-u", "stranger", "busybox", "id"])
        .fails(125);
    assert!(
        refused.contains("unable to find user stranger"),
        "{refused}"
    );
    let id = host.tare(["create", "busybox", "hostname"]).ok();
    assert_eq!(host.tare(["start", "-a", &id]).ok(), &id[..12]);
    host.finish();
}

fn entrypoint_and_command_combine_as_dockers(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let out = host
        .tare(["run", "--rm", "--entrypoint", "echo", "busybox", "a", "b"])
        .ok();
    assert_eq!(out, "a b");
    let args = [
        "import",
        "-c",
        "ENTRYPOINT [\"/bin/echo\",\"entry\"]",
        "-c",
        "CMD [\"command\"]",
        "-c",
        "ENV X=y",
    ];
    let root = testkit::fixtures::image("busybox-root.tar");
    let _id = host
        .tare(
            args.iter()
                .copied()
                .chain([root.to_str().unwrap(), "echoing"]),
        )
        .ok();
    assert_eq!(host.tare(["run", "--rm", "echoing"]).ok(), "entry command");
    assert_eq!(
        host.tare(["run", "--rm", "echoing", "other"]).ok(),
        "entry other"
    );
    assert_eq!(
        host.tare([
            "run",
            "--rm",
            "--entrypoint",
            "sh",
            "echoing",
            "-c",
            "echo $X"
        ])
        .ok(),
        "y"
    );
    host.finish();
}

fn a_detached_service_lives_its_life(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.1; done";
    let id = host
        .tare([
            "run", "-d", "--name", "service", "busybox", "sh", "-c", script,
        ])
        .ok();
    assert_eq!(id.len(), 64);
    until("the service is up", || {
        host.tare(["logs", "service"]).ok() == "up"
    });
    assert!(host.tare(["ps"]).ok().contains("service"));
    assert_eq!(
        host.tare(["exec", "service", "echo", "inside"]).ok(),
        "inside"
    );
    assert_eq!(host.tare(["stop", "service"]).ok(), "service");
    assert_eq!(host.tare(["logs", "service"]).ok(), "up\nbye");
    assert_eq!(
        host.tare(["inspect", "-f", "{{.State.ExitCode}}", "service"])
            .ok(),
        "0"
    );
    assert_eq!(host.tare(["rm", "service"]).ok(), "service");
    host.finish();
}

fn a_stopped_container_starts_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "echo again >> /kept; cat /kept";
    let first = host
        .tare(["run", "--name", "twice", "busybox", "sh", "-c", script])
        .ok();
    assert_eq!(first, "again");
    assert_eq!(host.tare(["start", "-a", "twice"]).ok(), "again\nagain");
    assert_eq!(host.tare(["logs", "twice"]).ok(), "again\nagain\nagain");
    host.finish();
}

fn kill_and_stop_signals(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare([
            "run",
            "-d",
            "--name",
            "deaf",
            "busybox",
            "sh",
            "-c",
            "trap '' TERM; echo up; while true; do sleep 0.1; done",
        ])
        .ok();
    until("the trap is set", || {
        host.tare(["logs", "deaf"]).ok() == "up"
    });
    let begin = Instant::now();
    assert_eq!(host.tare(["stop", "-t", "1", "deaf"]).ok(), "deaf");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(host.tare(["wait", "deaf"]).ok(), "137");
    let _started = host.tare(["start", "deaf"]).ok();
    assert_eq!(host.tare(["kill", "-s", "KILL", "deaf"]).ok(), "deaf");
    assert_eq!(host.tare(["wait", "deaf"]).ok(), "137");
    let twice = host.tare(["kill", "deaf"]).fails(1);
    assert!(twice.contains("is not running"), "{twice}");
    // Stopping what is stopped is no error.
    assert_eq!(host.tare(["stop", "deaf"]).ok(), "deaf");
    host.finish();
}

fn removing_a_running_container_needs_force(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "busy", "busybox", "sleep", "1000"])
        .ok();
    let refused = host.tare(["rm", "busy"]).fails(1);
    assert!(
        refused.contains("running") && refused.contains("-f"),
        "{refused}"
    );
    assert_eq!(host.tare(["rm", "-f", "busy"]).ok(), "busy");
    let gone = host.tare(["rm", "busy"]).fails(1);
    assert!(gone.contains("No such container: busy"), "{gone}");
    host.finish();
}

fn names_are_unique_and_free_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let id = host
        .tare(["create", "--name", "one", "busybox", "true"])
        .ok();
    let taken = host
        .tare(["create", "--name", "one", "busybox", "true"])
        .fails(1);
    assert!(
        taken.contains("Conflict. The container name \"/one\" is already in use by container"),
        "{taken}"
    );
    let taken = host
        .tare(["run", "--name", "one", "busybox", "true"])
        .fails(125);
    assert!(taken.contains(&id), "{taken}");
    let bad = host
        .tare(["create", "--name", "a/b", "busybox", "true"])
        .fails(1);
    assert!(bad.contains("Invalid container name (a/b)"), "{bad}");
    assert_eq!(
        host.tare(["rm", &id[..8]]).ok(),
        &id[..8],
        "by a prefix of its id"
    );
    assert_eq!(
        host.tare(["run", "--rm", "--name", "one", "busybox", "echo", "free"])
            .ok(),
        "free"
    );
    host.finish();
}

fn exec_runs_in_the_container(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare([
            "run", "-d", "--name", "c1", "-e", "FROM=run", "busybox", "sleep", "1000",
        ])
        .ok();
    let exec = |args: &[&str]| host.tare(["exec"].iter().chain(args));
    assert_eq!(exec(&["c1", "sh", "-c", "echo $FROM"]).ok(), "run");
    assert_eq!(
        exec(&[
            "-e",
            "FROM=exec",
            "-w",
            "/tmp",
            "-u",
            "1000",
            "c1",
            "sh",
            "-c",
            "echo $FROM $PWD $(id -u)"
        ])
        .ok(),
        "exec /tmp 1000"
    );
    assert_eq!(exec(&["c1", "sh", "-c", "exit 9"]).code, 9);
    assert_eq!(exec(&["c1", "sh", "-c", "kill -9 $$"]).code, 137);
    let missing = exec(&["c1", "no-such-program"]).fails(127);
    assert!(missing.contains("no-such-program"), "{missing}");
    let input = host
        .tare_with_input(["exec", "-i", "c1", "cat"], b"through")
        .ok();
    assert_eq!(input, "through");
    let out = exec(&["c1", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!(
        (out.stdout.as_str(), out.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(exec(&["-d", "c1", "touch", "/tmp/detached"]).ok(), "");
    until("the detached exec ran", || {
        exec(&["c1", "test", "-e", "/tmp/detached"]).code == 0
    });
    let _killed = host.tare(["kill", "c1"]).ok();
    let _code = host.tare(["wait", "c1"]).ok();
    let dead = exec(&["c1", "true"]).fails(1);
    assert!(dead.contains("is not running"), "{dead}");
    host.finish();
}

fn logs_tail_follow_and_timestamps(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare([
            "run",
            "-d",
            "--name",
            "talker",
            "busybox",
            "sh",
            "-c",
            "for i in 1 2 3 4 5; do echo $i; done; echo e >&2; sleep 1; echo last",
        ])
        .ok();
    until("all is said", || {
        host.tare(["logs", "talker"]).stdout.lines().count() >= 5
    });
    assert_eq!(
        host.tare(["logs", "--tail", "2", "-f", "talker"])
            .stdout
            .lines()
            .next_back(),
        Some("last")
    );
    assert_eq!(host.tare(["logs", "talker"]).stderr, "e\n");
    let stamped = host.tare(["logs", "-t", "--tail", "1", "talker"]).ok();
    let (stamp, text) = stamped.split_once(' ').unwrap();
    assert_eq!(text, "last");
    assert!(stamp.ends_with('Z') && stamp.contains('T'), "{stamp}");
    assert_eq!(host.tare(["logs", "--tail", "0", "talker"]).ok(), "");
    assert_eq!(
        host.tare(["logs", "--since", stamp, "talker"]).stdout,
        "last\n"
    );
    assert_eq!(
        host.tare(["logs", "--until", "2001-01-01T00:00:00Z", "talker"])
            .stdout,
        ""
    );
    let none = host.tare(["logs", "nobody"]).fails(1);
    assert!(none.contains("No such container: nobody"), "{none}");
    host.finish();
}

fn wait_gives_the_exit_code(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare([
            "run",
            "-d",
            "--name",
            "w1",
            "busybox",
            "sh",
            "-c",
            "sleep 0.3; exit 7",
        ])
        .ok();
    assert_eq!(host.tare(["wait", "w1"]).ok(), "7");
    assert_eq!(
        host.tare(["wait", "w1"]).ok(),
        "7",
        "and again, of what has ended"
    );
    host.finish();
}

fn volumes_and_binds(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let dir = host.scratch();
    let bind = format!("{}:/data", dir.display());
    let _wrote = host
        .tare([
            "run",
            "--rm",
            "-v",
            &bind,
            "busybox",
            "sh",
            "-c",
            "echo written > /data/file",
        ])
        .ok();
    assert_eq!(
        std::fs::read_to_string(dir.join("file")).unwrap(),
        "written\n"
    );
    let read_only = host
        .tare([
            "run",
            "--rm",
            "-v",
            &format!("{bind}:ro"),
            "busybox",
            "touch",
            "/data/no",
        ])
        .fails(1);
    assert!(read_only.contains("Read-only file system"), "{read_only}");
    let _wrote = host
        .tare([
            "run",
            "--rm",
            "-v",
            "kept:/var/kept",
            "busybox",
            "sh",
            "-c",
            "echo v > /var/kept/f",
        ])
        .ok();
    assert_eq!(
        host.tare(["run", "--rm", "-v", "kept:/x", "busybox", "cat", "/x/f"])
            .ok(),
        "v"
    );
    assert!(
        host.tare(["volume", "ls", "-q"])
            .ok()
            .lines()
            .any(|l| l == "kept")
    );
    // What the image has where a fresh volume is mounted is copied into it.
    assert_eq!(
        host.tare([
            "run",
            "--rm",
            "-v",
            "etc:/etc",
            "busybox",
            "sh",
            "-c",
            "test -e /etc/passwd && echo yes"
        ])
        .ok(),
        "yes"
    );
    host.finish();
}

fn ps_filters_and_formats(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _a = host
        .tare([
            "run", "-d", "--name", "a1", "-l", "tier=web", "busybox", "sleep", "1000",
        ])
        .ok();
    let _b = host.tare(["run", "--name", "b1", "busybox", "sh", "-c", "exit 4"]);
    let _c = host
        .tare(["create", "--name", "c1", "busybox", "true"])
        .ok();
    let names = |args: &[&str]| {
        let all = ["ps", "--format", "{{.Names}}"];
        host.tare(all.iter().chain(args))
            .ok()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["a1"]);
    assert_eq!(names(&["-a"]), ["c1", "b1", "a1"]);
    assert_eq!(names(&["-a", "--filter", "status=exited"]), ["b1"]);
    assert_eq!(names(&["-a", "--filter", "exited=4"]), ["b1"]);
    assert_eq!(names(&["-a", "--filter", "label=tier=web"]), ["a1"]);
    assert_eq!(names(&["-a", "--filter", "name=c1"]), ["c1"]);
    assert_eq!(names(&["-n", "1"]), ["c1"]);
    let table = host.tare(["ps", "-a"]).ok();
    assert!(table.starts_with("CONTAINER ID   IMAGE"), "{table}");
    assert!(
        table.contains("Exited (4)") && table.contains("Created") && table.contains("Up "),
        "{table}"
    );
    host.finish();
}

fn inspect_tells_the_truth(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let id = host
        .tare([
            "run",
            "-d",
            "--name",
            "i1",
            "-m",
            "64m",
            "--cpus",
            "0.5",
            "--pids-limit",
            "50",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let text = host.tare(["inspect", "i1"]).ok();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let one = &all[0];
    assert_eq!(one["Id"], id.as_str());
    assert_eq!(one["Name"], "/i1");
    assert_eq!(one["State"]["Running"], true);
    assert_eq!(one["HostConfig"]["Memory"], 64 << 20);
    assert_eq!(one["HostConfig"]["NanoCpus"], 500_000_000);
    assert_eq!(one["HostConfig"]["PidsLimit"], 50);
    assert_eq!(one["Config"]["Cmd"], serde_json::json!(["sleep", "1000"]));
    let pid = one["State"]["Pid"].as_u64().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    let _killed = host.tare(["kill", "i1"]).ok();
    let _code = host.tare(["wait", "i1"]).ok();
    assert_eq!(
        host.tare([
            "inspect",
            "-f",
            "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}",
            "i1"
        ])
        .ok(),
        "exited 137 0"
    );
    let none = host.tare(["inspect", "nobody"]).fails(1);
    assert!(
        none.to_lowercase().contains("no such object: nobody"),
        "{none}"
    );
    host.finish();
}

fn images_are_listed_tagged_and_removed(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let table = host.tare(["images"]).ok();
    assert!(
        table.contains("busybox") && table.contains("latest"),
        "{table}"
    );
    let _tagged = host
        .tare(["tag", "busybox", "registry.example:5000/team/box:v1"])
        .ok();
    assert!(
        host.tare(["images"])
            .ok()
            .contains("registry.example:5000/team/box")
    );
    let removed = host.tare(["rmi", "registry.example:5000/team/box:v1"]).ok();
    assert_eq!(removed, "Untagged: registry.example:5000/team/box:v1");
    let _id = host
        .tare(["create", "--name", "user", "busybox", "true"])
        .ok();
    let used = host.tare(["rmi", "busybox"]).fails(1);
    assert!(
        used.contains("conflict") && used.contains("user") || used.contains("is using"),
        "{used}"
    );
    let _removed = host.tare(["rm", "user"]).ok();
    let removed = host.tare(["rmi", "busybox"]).ok();
    assert!(
        removed.contains("Untagged: busybox:latest") && removed.contains("Deleted: sha256:"),
        "{removed}"
    );
    let none = host.tare(["rmi", "busybox"]).fails(1);
    assert!(none.contains("No such image: busybox:latest"), "{none}");
    host.finish();
}

fn network_none_has_loopback_only_and_host_has_the_hosts(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let links = host
        .tare([
            "run",
            "--rm",
            "--network",
            "none",
            "busybox",
            "sh",
            "-c",
            "ls /sys/class/net; cat /sys/class/net/lo/flags",
        ])
        .ok();
    assert_eq!(links.lines().next(), Some("lo"), "{links}");
    let flags = links.lines().next_back().unwrap();
    assert_eq!(
        u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap() & 1,
        1,
        "lo is up"
    );
    let mine = std::fs::read_link("/proc/self/ns/net").unwrap();
    let theirs = host
        .tare([
            "run",
            "--rm",
            "--network",
            "host",
            "busybox",
            "readlink",
            "/proc/self/ns/net",
        ])
        .ok();
    assert_eq!(theirs, mine.to_str().unwrap());
    host.finish();
}

fn many_at_once(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..24)
            .map(|n| {
                let host = &host;
                scope.spawn(move || {
                    host.tare(["run", "--rm", "busybox", "echo", &n.to_string()])
                        .ok()
                })
            })
            .collect();
        for (n, run) in runs.into_iter().enumerate() {
            assert_eq!(run.join().unwrap(), n.to_string());
        }
    });
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "");
    host.finish();
}

fn a_debian_root_runs(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let root = testkit::fixtures::image("debian-root.tar");
    let command = [
        "import",
        "-c",
        "CMD [\"bash\"]",
        root.to_str().unwrap(),
        "debian",
    ];
    let id = host.tare(command).ok();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    let run = |args: &[&str]| host.tare(["run", "--rm", "debian"].iter().chain(args)).ok();
    let release = run(&["cat", "/etc/os-release"]);
    assert!(release.contains("ID=debian"), "{release}");
    assert_eq!(
        run(&["bash", "-c", "echo $((6 * 7)) $BASH_VERSION | cut -c1-4"]),
        "42 5"
    );
    assert_eq!(
        run(&["stat", "-c", "%a %U %G", "/tmp", "/etc/shadow"]),
        "1777 root root\n640 root shadow"
    );
    // Nothing that the layer holds is lost: as many files as the archive has.
    let files = run(&[
        "bash",
        "-c",
        "find / -xdev -type f | grep -vE '^/etc/(hosts|hostname|resolv.conf)$' | wc -l",
    ]);
    assert!(files.trim().parse::<u32>().unwrap() > 1000, "{files}");
    host.finish();
}
