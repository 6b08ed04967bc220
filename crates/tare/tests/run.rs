//! `run` and `create`: what is asked of the engine, in which order, and what comes of it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;

use fake::{Fake, frame};
use serde_json::json;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn created() -> String {
    format!("{{\"Id\":\"{ID}\",\"Warnings\":[]}}")
}

fn container(path: &str) -> String {
    format!("/containers/{ID}/{path}")
}

fn engine(code: i64, output: &[u8]) -> Fake {
    Fake::new()
        .json("POST", "/containers/create", 201, &created())
        .hijack("POST", &container("attach"), output)
        .json(
            "POST",
            &container("wait"),
            200,
            &format!("{{\"StatusCode\":{code}}}"),
        )
        .json("POST", &container("start"), 204, "")
        .json("POST", &container("resize"), 200, "")
}

#[test]
fn foreground_run_attaches_and_waits_before_it_starts() {
    let mut output = frame(1, "to out\n");
    output.extend(frame(2, "to err\n"));
    output.extend(frame(1, "again\n"));
    let fake = engine(42, &output);
    let done = fake.run(&["run", "--rm", "busybox", "ls", "-l", "--all"]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (42, "to out\nagain\n", "to err\n")
    );
    let asked = fake.asked();
    let order: Vec<&str> = asked
        .iter()
        .map(|a| a.split('?').next().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(order[0], "create");
    assert_eq!(order[3], "start", "{asked:?}");
    assert!(
        order[1..3].contains(&"attach") && order[1..3].contains(&"wait"),
        "{asked:?}"
    );
    assert!(
        asked.iter().any(|a| a.contains("condition=removed")),
        "{asked:?}"
    );
    let body = fake.body("/containers/create");
    assert_eq!(body["Cmd"], json!(["ls", "-l", "--all"]));
    assert_eq!(body["HostConfig"]["AutoRemove"], json!(true));
}

#[test]
fn standard_input_is_sent_and_its_end_too() {
    let fake = engine(0, &frame(1, "x\n"));
    let done = fake.run_with(&["run", "-i", "busybox", "cat"], b"typed\n");
    assert_eq!((done.code, done.out.as_str()), (0, "x\n"));
    let body = fake.body("/containers/create");
    assert_eq!(
        (&body["OpenStdin"], &body["StdinOnce"], &body["AttachStdin"]),
        (&json!(true), &json!(true), &json!(true))
    );
}

#[test]
fn detached_run_prints_the_id() {
    let fake = engine(0, b"");
    let done = fake.run(&["run", "-d", "--name", "web", "busybox"]);
    assert_eq!((done.code, done.out), (0, format!("{ID}\n")));
    assert_eq!(
        fake.asked(),
        [
            "POST /containers/create?name=web".to_owned(),
            format!("POST {}", container("start"))
        ]
    );
    assert_eq!(
        fake.body("/containers/create")["AttachStdout"],
        json!(false)
    );
}

#[test]
fn refusals_name_what_why_and_what_to_do() {
    let fake = Fake::new()
        .json(
            "POST",
            "/containers/create",
            404,
            "{\"message\":\"No such image: nope:latest\"}",
        )
        .json("POST", "/images/create", 404, "{\"message\":\"not there\"}");
    let done = fake.run(&["run", "--pull", "never", "nope"]);
    assert_eq!(done.code, 125);
    assert_eq!(
        done.err,
        "tare: Error response from daemon: No such image: nope:latest\n\
         See 'tare run --help'.\n"
    );
    let done = fake.run(&["create", "--pull", "never", "nope"]);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.err,
        "Error response from daemon: No such image: nope:latest\n"
    );
    let done = fake.run(&["run", "nope"]);
    assert_eq!(done.code, 125);
    assert_eq!(
        done.err,
        "Unable to find image 'nope:latest' locally\n\
         tare: Error response from daemon: not there\n\
         See 'tare run --help'.\n"
    );
    assert!(
        fake.asked()
            .contains(&"POST /images/create?fromImage=nope&tag=latest".to_owned())
    );
}

#[test]
fn start_failures_have_dockers_exit_codes() {
    for (message, code) in [
        ("exec: \\\"x\\\": executable file not found in $PATH", 127),
        ("exec /x: no such file or directory", 127),
        ("exec /etc: permission denied", 126),
        ("exec /etc: is a directory", 126),
        ("no space left on device", 125),
    ] {
        let fake = Fake::new()
            .json("POST", "/containers/create", 201, &created())
            .hijack("POST", &container("attach"), b"")
            .json("POST", &container("wait"), 200, "{\"StatusCode\":127}")
            .json(
                "POST",
                &container("start"),
                400,
                &format!("{{\"message\":\"{message}\"}}"),
            );
        let done = fake.run(&["run", "busybox", "x"]);
        assert_eq!(done.code, code, "{message}");
        assert!(
            done.err.starts_with("tare: Error response from daemon: "),
            "{}",
            done.err
        );
    }
}

#[test]
fn warnings_are_said() {
    let fake = Fake::new().json(
        "POST",
        "/containers/create",
        201,
        &format!("{{\"Id\":\"{ID}\",\"Warnings\":[\"no network\\u001b[2J\"]}}"),
    );
    let done = fake.run(&["create", "busybox"]);
    assert_eq!(
        (done.code, done.out, done.err.as_str()),
        (0, format!("{ID}\n"), "WARNING: no network\\x1b[2J\n")
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of flags and fields")]
fn flags_become_the_request() {
    let fake = engine(0, b"");
    std::fs::File::create(fake.path("env"))
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"F=1\n#c\nINHERITED\n"))
        .unwrap();
    std::fs::File::create(fake.path("labels"))
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"from=file\n"))
        .unwrap();
    let done = fake.run(&[
        "run",
        "-d",
        "-e",
        "A=b",
        "-e",
        "INHERITED",
        "-e",
        "UNSET",
        "--env-file",
        "env",
        "-l",
        "a=b",
        "--label-file",
        "labels",
        "-v",
        "/host:/in:ro",
        "-v",
        "./rel:/rel",
        "-v",
        "named:/n",
        "-v",
        "/anon",
        "--tmpfs",
        "/t:size=1m",
        "--mount",
        "type=bind,src=/a,dst=/b,readonly",
        "-m",
        "64m",
        "--memory-swap",
        "-1",
        "--cpus",
        "1.5",
        "--pids-limit",
        "-1",
        "-c",
        "512",
        "--cpuset-cpus",
        "0",
        "-u",
        "1:2",
        "-w",
        "/w",
        "--hostname",
        "h",
        "--network",
        "none",
        "--add-host",
        "db:10.0.0.1",
        "--cap-add",
        "NET_ADMIN",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--privileged",
        "--read-only",
        "--init",
        "--shm-size",
        "1m",
        "--ulimit",
        "nofile=1:2",
        "--sysctl",
        "net.ipv4.ip_forward=1",
        "--device",
        "/dev/null:/dev/x:r",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "3",
        "--restart",
        "on-failure:2",
        "--pid",
        "host",
        "--ipc",
        "host",
        "--uts",
        "host",
        "--cgroupns",
        "host",
        "--userns",
        "host",
        "--oom-score-adj",
        "-5",
        "--entrypoint",
        "",
        "-p",
        "127.0.0.1:8080:80",
        "--expose",
        "90",
        "-P",
        "--link",
        "db:d",
        "-t",
        "--cidfile",
        "cid",
        "busybox",
        "cmd",
    ]);
    assert_eq!(done.code, 0, "{}", done.err);
    let body = fake.body("/containers/create");
    assert_eq!(
        body["Env"],
        json!([
            "F=1",
            "INHERITED=from outside",
            "A=b",
            "INHERITED=from outside"
        ])
    );
    assert_eq!(body["Labels"], json!({"from": "file", "a": "b"}));
    assert_eq!(body["Volumes"], json!({"/anon": {}}));
    assert_eq!(
        (&body["User"], &body["WorkingDir"], &body["Hostname"]),
        (&json!("1:2"), &json!("/w"), &json!("h"))
    );
    assert_eq!(
        (&body["Entrypoint"], &body["Cmd"], &body["Tty"]),
        (&json!([""]), &json!(["cmd"]), &json!(true))
    );
    assert_eq!(body["ExposedPorts"], json!({"80/tcp": {}, "90/tcp": {}}));
    assert_eq!(
        (&body["StopSignal"], &body["StopTimeout"]),
        (&json!("INT"), &json!(3))
    );
    let host = &body["HostConfig"];
    let relative = fake.path("rel");
    assert_eq!(
        host["Binds"],
        json!([
            "/host:/in:ro",
            format!("{}:/rel", relative.display()),
            "named:/n"
        ])
    );
    assert_eq!(host["Mounts"][0]["Type"], json!("bind"));
    assert_eq!(
        (
            &host["Mounts"][0]["Source"],
            &host["Mounts"][0]["Target"],
            &host["Mounts"][0]["ReadOnly"]
        ),
        (&json!("/a"), &json!("/b"), &json!(true))
    );
    assert_eq!(host["Tmpfs"], json!({"/t": "size=1m"}));
    for (field, value) in [
        ("Memory", json!(64 << 20)),
        ("MemorySwap", json!(-1)),
        ("NanoCpus", json!(1_500_000_000)),
        ("PidsLimit", json!(-1)),
        ("CpuShares", json!(512)),
        ("CpusetCpus", json!("0")),
        ("NetworkMode", json!("none")),
        ("ExtraHosts", json!(["db:10.0.0.1"])),
        ("CapAdd", json!(["NET_ADMIN"])),
        ("CapDrop", json!(["ALL"])),
        ("SecurityOpt", json!(["no-new-privileges"])),
        ("Privileged", json!(true)),
        ("ReadonlyRootfs", json!(true)),
        ("Init", json!(true)),
        ("ShmSize", json!(1 << 20)),
        ("Sysctls", json!({"net.ipv4.ip_forward": "1"})),
        ("PidMode", json!("host")),
        ("IpcMode", json!("host")),
        ("UTSMode", json!("host")),
        ("CgroupnsMode", json!("host")),
        ("UsernsMode", json!("host")),
        ("OomScoreAdj", json!(-5)),
        ("PublishAllPorts", json!(true)),
        ("Links", json!(["db:d"])),
        (
            "RestartPolicy",
            json!({"Name": "on-failure", "MaximumRetryCount": 2}),
        ),
        ("Ulimits", json!([{"Name": "nofile", "Soft": 1, "Hard": 2}])),
        (
            "Devices",
            json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]),
        ),
        (
            "PortBindings",
            json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
        ),
    ] {
        assert_eq!(host[field], value, "{field}");
    }
    assert_eq!(std::fs::read_to_string(fake.path("cid")).unwrap(), ID);
    let again = fake.run(&["run", "-d", "--cidfile", "cid", "busybox"]);
    assert_eq!(again.code, 125);
    assert!(
        again.err.contains("cid") && again.err.contains("exists"),
        "{}",
        again.err
    );
}

#[test]
fn conflicts_are_refused_before_anything_is_asked() {
    let fake = engine(0, b"");
    for (args, text) in [
        (
            &["run", "-d", "-a", "stdout", "b"][..],
            "conflicting options: cannot specify both --attach and --detach",
        ),
        (
            &["run", "--rm", "--restart", "always", "b"],
            "conflicting options: cannot specify both --restart and --rm",
        ),
        (
            &["run", "--env-file", "missing", "b"],
            "missing: No such file or directory",
        ),
    ] {
        let done = fake.run(args);
        assert_eq!(done.code, 125);
        assert!(done.err.contains(text), "{}", done.err);
    }
    let done = fake.run(&["run", "-it", "b"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (
            1,
            "tare: the input device is not a TTY\nhint: run it from a terminal, or leave out -t\n"
        )
    );
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[test]
fn a_daemon_that_is_not_there_is_named() {
    let done = Fake::new().run(&["-H", "unix:///nowhere/s", "run", "b"]);
    assert_eq!(done.code, 125);
    assert!(
        done.err.contains("/nowhere/s") && done.err.contains("tare daemon"),
        "{}",
        done.err
    );
}
