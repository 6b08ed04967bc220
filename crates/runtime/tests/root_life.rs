//! A container's life through `tare-runtime`: made, started, entered, killed, deleted.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::time::Duration;

use bundle::Bundle;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

#[test]
fn a_program_runs_and_its_code_is_ours() {
    sandboxed!();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -9 $$", 0),
        ("kill -15 $$; exit 3", 3),
    ] {
        let outcome = Bundle::new(script).run();
        // A first process can't kill itself: signals that it doesn't handle pass it by.
        assert_eq!(outcome.code, code, "{script}: {outcome:?}");
    }
    let bundle = Bundle::new("echo out; echo err >&2; hostname; pwd");
    let outcome = bundle.run();
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str()),
        ("out\ninside\n/\n", "err\n")
    );
}

#[test]
fn the_states_follow_each_other() {
    sandboxed!();
    let bundle = Bundle::new("echo begun; sleep 1000");
    bundle.create().succeeds();
    assert_eq!(bundle.status(), "created");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(bundle.output(), "");
    bundle.create().fails(1);
    bundle.call(&["start", &bundle.id]).succeeds();
    assert_eq!(bundle.status(), "running");
    for _ in 0..100 {
        if bundle.output() == "begun\n" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(bundle.output(), "begun\n");
    bundle.call(&["start", &bundle.id]).fails(1);
    bundle.call(&["delete", &bundle.id]).fails(1);
    assert!(bundle.call(&["list", "-q"]).succeeds().contains(&bundle.id));
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    bundle.wait();
    bundle.call(&["kill", &bundle.id, "KILL"]).fails(1);
    bundle.call(&["start", &bundle.id]).fails(1);
    bundle.exec(&["true"]).fails(255);
    bundle.call(&["delete", &bundle.id]).succeeds();
    bundle.call(&["state", &bundle.id]).fails(1);
    bundle.call(&["delete", &bundle.id]).fails(1);
    bundle.call(&["delete", "--force", &bundle.id]).succeeds();
}

#[test]
fn a_container_that_was_never_started_is_deleted() {
    sandboxed!();
    let bundle = Bundle::new("true");
    bundle.create().succeeds();
    bundle.call(&["delete", &bundle.id]).succeeds();
}

#[test]
fn signals_reach_the_program() {
    sandboxed!();
    let bundle =
        Bundle::new("trap 'echo caught; exit 5' TERM; echo ready; while true; do sleep 0.05; done");
    bundle.start();
    while !bundle.output().contains("ready") {
        std::thread::sleep(Duration::from_millis(10));
    }
    bundle.call(&["kill", &bundle.id]).succeeds();
    bundle.wait();
    assert!(bundle.output().ends_with("caught\n"));
}

#[test]
fn kill_all_takes_every_process() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000 & sleep 1000 & echo ready; wait");
    // In the host's pid namespace nobody ends with the first process.
    bundle
        .linux()
        .namespaces
        .retain(|n| n.kind != spec::runtime::NamespaceKind::Pid);
    bundle.start();
    while !bundle.output().contains("ready") {
        std::thread::sleep(Duration::from_millis(10));
    }
    bundle.call(&["kill", "--all", &bundle.id, "9"]).succeeds();
    bundle.wait();
    assert_eq!(bundle.cgroup_file("pids", "cgroup.procs"), "");
}

#[test]
fn a_program_that_cannot_run_is_told() {
    sandboxed!();
    let mut bundle = Bundle::new("");
    std::fs::write(bundle.root().join("text"), "no program").unwrap();
    std::fs::write(bundle.root().join("orphan"), "#!/nosuch\n").unwrap();
    std::fs::write(bundle.root().join("noise"), [1_u8, 2, 3]).unwrap();
    for name in ["orphan", "noise"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bundle.root().join(name), mode).unwrap();
    }
    for (program, text) in [
        (
            "nosuch",
            r#"exec: "nosuch": executable file not found in $PATH"#,
        ),
        (
            "/nosuch",
            r#"exec: "/nosuch": stat /nosuch: no such file or directory"#,
        ),
        ("/etc", r#"exec: "/etc": permission denied"#),
        ("/text", r#"exec: "/text": permission denied"#),
        ("/orphan", "exec /orphan: no such file or directory"),
        ("/noise", "exec /noise: exec format error"),
    ] {
        bundle.args(&[program]);
        // Callers read the text; the code is runc's.
        let error = bundle.run().fails(1);
        assert!(error.contains(text), "{error}");
        bundle.call(&["state", &bundle.id]).fails(1);
    }
    bundle.args(&["sleep", "1000"]);
    bundle.start();
    for program in ["nosuch", "/etc", "/orphan", "/noise"] {
        bundle.exec(&[program]).fails(255);
    }
}

#[test]
fn exec_runs_in_the_container() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let namespaces = "for n in mnt net pid ipc uts; do readlink /proc/self/ns/$n; done";
    let inside = bundle.exec(&["sh", "-c", namespaces]).succeeds();
    let first = bundle
        .exec(&["sh", "-c", &namespaces.replace("self", "1")])
        .succeeds();
    assert_eq!(inside, first);
    for line in inside.lines() {
        let kind = line.split(':').next().unwrap();
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(host.to_str().unwrap(), line);
    }
    assert_eq!(bundle.exec(&["hostname"]).succeeds(), "inside\n");
    assert_eq!(bundle.exec(&["sh", "-c", "exit 9"]).code, 9);
    assert_eq!(bundle.exec(&["sh", "-c", "kill -9 $$"]).code, 137);
    let cgroups = |args: &[&str]| bundle.exec(args).succeeds();
    assert_eq!(
        cgroups(&["cat", "/proc/self/cgroup"]),
        cgroups(&["cat", "/proc/1/cgroup"])
    );
    let out = bundle.call(&[
        "exec",
        "-e",
        "A=b c",
        "--cwd",
        "/tmp",
        &bundle.id,
        "sh",
        "-c",
        "echo $A; pwd",
    ]);
    assert_eq!(out.succeeds(), "b c\n/tmp\n");
    bundle
        .call(&["exec", "--cwd", "/nosuch", &bundle.id, "pwd"])
        .fails(255);
}

#[test]
fn exec_takes_a_process_file_and_writes_its_pid() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let mut process = bundle.spec.process.clone().unwrap();
    process.args = ["sleep", "1000"].map(str::to_owned).to_vec();
    let file = bundle.path().join("process.json");
    std::fs::write(&file, serde_json::to_string(&process).unwrap()).unwrap();
    let pid_file = bundle.path().join("pid");
    let paths = (file.to_str().unwrap(), pid_file.to_str().unwrap());
    // Its output would be that of a process that lives on.
    let mut command = bundle.command(&[
        "exec",
        "-d",
        "-p",
        paths.0,
        "--pid-file",
        paths.1,
        &bundle.id,
    ]);
    assert!(
        command
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let pids = bundle.cgroup_file("pids", "cgroup.procs");
    assert!(pids.lines().any(|p| p == pid), "{pid}: {pids}");
}

#[test]
fn a_container_that_ends_while_it_is_entered_gives_an_error() {
    sandboxed!();
    let marker = tempfile::tempdir().unwrap();
    let path = marker.path().join("marker");
    for _ in 0..20 {
        let bundle = Bundle::new("sleep 0.02");
        bundle.start();
        for _ in 0..10 {
            // On the host this would make a file.
            bundle.exec(&["touch", path.to_str().unwrap()]);
        }
        assert!(!path.exists());
    }
}

#[test]
fn ids_are_names() {
    sandboxed!();
    let bundle = Bundle::new("true");
    bundle.write_config();
    let path = bundle.path().to_str().unwrap();
    let long = "x".repeat(129);
    for id in [
        "../x",
        "a/b",
        ".",
        "..",
        "",
        "-x",
        "x y",
        "x\u{e9}",
        long.as_str(),
    ] {
        bundle.call(&["create", "-b", path, "--", id]).fails(1);
        bundle.call(&["state", "--", id]).fails(1);
        bundle.call(&["delete", "--force", "--", id]).fails(1);
    }
}

#[test]
fn errors_are_in_the_log_too() {
    sandboxed!();
    let mut bundle = Bundle::new("");
    bundle.args(&["nosuch"]);
    bundle.write_config();
    let log = bundle.path().join("log.json");
    let path = bundle.path().to_str().unwrap();
    let log_path = log.to_str().unwrap();
    bundle
        .call(&[
            "--log",
            log_path,
            "--log-format",
            "json",
            "create",
            "-b",
            path,
            &bundle.id,
        ])
        .fails(1);
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(line["level"], "error");
    assert!(
        line["msg"]
            .as_str()
            .unwrap()
            .contains("executable file not found in $PATH")
    );
}

#[test]
fn version_spec_and_usage() {
    sandboxed!();
    let bundle = Bundle::new("true");
    assert!(
        bundle
            .call(&["--version"])
            .succeeds()
            .starts_with("tare-runtime version ")
    );
    let path = bundle.path().to_str().unwrap();
    bundle.call(&["spec", "-b", path]).succeeds();
    bundle.call(&["spec", "-b", path]).fails(1);
    let text = std::fs::read_to_string(bundle.path().join("config.json")).unwrap();
    let mut expected = spec::profile::default_spec();
    expected.hostname = "tare".to_owned();
    expected.process.as_mut().unwrap().terminal = true;
    assert_eq!(
        serde_json::from_str::<spec::runtime::Spec>(&text).unwrap(),
        expected
    );
    for args in [
        &["nosuch"][..],
        &["create", "--nosuch", "x"],
        &["state"],
        &["state", "a", "b"],
        &["kill", "x", "MOON"],
    ] {
        bundle.call(args).fails(1);
    }
}
