//! The commands of `tare-runtime` about containers that run.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bundle::Bundle;
use serde_json::Value;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Waits until `done`.
fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never comes");
}

/// The content of a cgroup file that has another name in version 2.
fn limit(bundle: &Bundle, controller: &str, v1: &str, v2: &str) -> String {
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    bundle.cgroup_file(controller, if unified { v2 } else { v1 })
}

#[test]
fn a_paused_container_stands_still_until_it_is_resumed() {
    sandboxed!();
    let bundle = Bundle::new("while true; do echo tick; sleep 0.01; done");
    bundle.create().succeeds();
    bundle.call(&["resume", &bundle.id]).fails(1);
    bundle.call(&["start", &bundle.id]).succeeds();
    bundle.lines(3);
    bundle.call(&["pause", &bundle.id]).succeeds();
    assert_eq!(bundle.status(), "paused");
    let before = bundle.output();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(bundle.output(), before);
    let error = bundle.call(&["pause", &bundle.id]).fails(1);
    assert!(error.contains("container not running or created: paused"));
    let error = bundle.exec(&["true"]).fails(255);
    assert!(error.contains("--ignore-paused"), "{error}");
    let error = bundle.call(&["delete", &bundle.id]).fails(1);
    assert!(error.contains("that is not stopped: paused"), "{error}");

    let exec = ["exec", "--ignore-paused", &bundle.id, "true"];
    let mut waiting = bundle.command(&exec).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(waiting.try_wait().unwrap().is_none());
    bundle.call(&["resume", &bundle.id]).succeeds();
    assert!(waiting.wait().unwrap().success());
    assert_eq!(bundle.status(), "running");
    let lines = before.lines().count();
    bundle.lines(lines + 2);
    let error = bundle.call(&["resume", &bundle.id]).fails(1);
    assert!(error.contains("container not paused"), "{error}");
}

#[test]
fn a_paused_container_is_killed() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    bundle.call(&["pause", &bundle.id]).succeeds();
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    bundle.wait();
    bundle.call(&["kill", "--all", &bundle.id]).succeeds();
    let error = bundle.call(&["kill", &bundle.id]).fails(1);
    assert!(error.contains("container not running"), "{error}");
    bundle.call(&["delete", &bundle.id]).succeeds();
}

#[test]
fn a_kill_takes_all_where_nothing_ends_with_the_first() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000 & echo ready; sleep 1000");
    bundle
        .linux()
        .namespaces
        .retain(|n| n.kind != spec::runtime::NamespaceKind::Pid);
    bundle.start();
    bundle.lines(1);
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    bundle.wait();
    assert_eq!(bundle.cgroup_file("pids", "cgroup.procs"), "");
}

#[test]
fn limits_are_changed() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let id = bundle.id.as_str();
    let update = |args: &[&str]| {
        let mut all = vec!["update"];
        all.extend(args);
        all.push(id);
        bundle.call(&all)
    };
    update(&[
        "--memory",
        "64m",
        "--pids-limit",
        "50",
        "--cpu-quota",
        "50000",
    ])
    .succeeds();
    let memory = || limit(&bundle, "memory", "memory.limit_in_bytes", "memory.max");
    let quota = || limit(&bundle, "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert_eq!(memory(), (64_u64 << 20).to_string());
    assert_eq!(bundle.cgroup_file("pids", "pids.max"), "50");
    assert!(quota().starts_with("50000"), "{}", quota());
    // The quota stays when only the period is named, and the other way round.
    update(&["--cpu-period", "200000"]).succeeds();
    assert!(quota().starts_with("50000"), "{}", quota());
    update(&["--cpu-quota", "30000"]).succeeds();
    let period = limit(&bundle, "cpu", "cpu.cfs_period_us", "cpu.max");
    assert!(period.ends_with("200000"), "{period}");
    assert_eq!(memory(), (64_u64 << 20).to_string());

    let mut command = bundle.command(&["update", "-r", "-", id]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let text = r#"{"memory":{"limit":-1},"pids":{"limit":-1},"cpu":{"shares":512}}"#;
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(bundle.cgroup_file("pids", "pids.max"), "max");
    assert_ne!(memory(), (64_u64 << 20).to_string());
    assert!(quota().starts_with("30000"), "{}", quota());

    for wrong in [
        &["--memory", "much"][..],
        &["--cpu-share", "-1"],
        &["--cpuset-cpus", "all"],
        &["--l3-cache-schema", "x"],
        &["-r", "/nosuch"],
    ] {
        update(wrong).fails(1);
    }
    let checked = bundle.path().join("limits.json");
    let text = r#"{"memory":{"limit":4096,"checkBeforeUpdate":true}}"#;
    fs::write(&checked, text).unwrap();
    let error = update(&["-r", checked.to_str().unwrap()]).fails(1);
    assert!(error.contains("memory"), "{error}");
    // An exec is under them, and the container can do what it could.
    assert_eq!(
        bundle.exec(&["head", "-c", "1", "/dev/zero"]).succeeds(),
        "\0"
    );
}

#[test]
fn what_is_used_is_told_and_so_is_want_of_memory() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    bundle.linux().resources.get_or_insert_default().memory = Some(spec::runtime::Memory {
        limit: Some(16 << 20),
        swap: Some(16 << 20),
        ..spec::runtime::Memory::default()
    });
    bundle.start();
    let event = json(&bundle.call(&["events", "--stats", &bundle.id]).succeeds());
    assert_eq!(
        (&event["type"], &event["id"]),
        (&"stats".into(), &bundle.id.as_str().into())
    );
    let data = &event["data"];
    assert_eq!(data["pids"]["current"], 1);
    assert_eq!(data["memory"]["usage"]["limit"], 16 << 20);
    assert!(data["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    assert!(data["memory"]["raw"]["pgfault"].is_u64());
    assert!(data["cpu"]["usage"]["total"].as_u64().unwrap() > 0);
    assert!(data["hugetlb"].is_object() && data["intel_rdt"].is_object());

    let file = bundle.path().join("events");
    let mut command = bundle.command(&["events", "--interval", "100ms", &bundle.id]);
    let mut events = command
        .stdout(fs::File::create(&file).unwrap())
        .spawn()
        .unwrap();
    let told = |kind: &str| {
        let text = fs::read_to_string(&file).unwrap();
        text.lines().any(|l| json(l)["type"] == kind)
    };
    until(|| told("stats"));
    assert!(!told("oom"));
    bundle.exec(&["tail", "/dev/zero"]).fails(137);
    until(|| told("oom"));
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    assert!(events.wait().unwrap().success());
    bundle.wait();
    let error = bundle.call(&["events", &bundle.id]).fails(1);
    assert!(error.contains("is not running"), "{error}");
}

#[test]
fn processes_are_listed() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000 & wait");
    bundle.start();
    let pids = || json(&bundle.call(&["ps", "-f", "json", &bundle.id]).succeeds());
    until(|| pids().as_array().unwrap().len() == 2);
    assert!(pids().as_array().unwrap().contains(&bundle.pid().into()));
    // ps(1) is what the host has: here, one that says what it was asked.
    let script = format!(
        "#!/bin/sh\necho USER PID $*\necho root {} one\necho root 1 two\n",
        bundle.pid()
    );
    let fake = bundle.path().join("ps");
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    for (options, shown) in [(&[][..], "-ef"), (&["aux", "-w"], "aux -w")] {
        let mut args = vec!["ps", bundle.id.as_str()];
        args.extend(options);
        let output = bundle
            .command(&args)
            .env("PATH", bundle.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = format!("USER PID {shown}\nroot {} one\n", bundle.pid());
        assert_eq!(
            text,
            expected,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let output = bundle
        .command(&["ps", &bundle.id])
        .env("PATH", "/nosuch")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--format json"), "{error}");
}

#[test]
fn containers_are_listed() {
    sandboxed!();
    let mut bundle = Bundle::new("sleep 1000");
    assert_eq!(bundle.call(&["list", "--format=json"]).succeeds(), "[]\n");
    bundle
        .spec
        .annotations
        .insert("a.note".to_owned(), "text".to_owned());
    bundle.start();
    let list = json(&bundle.call(&["list", "--format", "json"]).succeeds());
    let one = &list[0];
    assert_eq!(one["id"], bundle.id.as_str());
    assert_eq!(one["pid"], bundle.pid());
    assert_eq!(
        (&one["status"], &one["owner"]),
        (&"running".into(), &"root".into())
    );
    assert_eq!(one["bundle"], bundle.path().to_str().unwrap());
    assert_eq!(one["rootfs"], bundle.root().to_str().unwrap());
    assert_eq!(one["annotations"]["a.note"], "text");
    assert_eq!(one["ociVersion"], spec::runtime::VERSION);
    assert_eq!(bundle.state(), *one);
    let table = bundle.call(&["list"]).succeeds();
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    );
    assert_eq!(
        lines[1][..3],
        [&bundle.id, &bundle.pid().to_string(), "running"]
    );
    // One that can't be read hides no other.
    let broken = bundle.path().join("state/broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("state.json"), "{").unwrap();
    assert_eq!(
        bundle.call(&["list", "-q"]).succeeds(),
        format!("{}\n", bundle.id)
    );
    bundle.call(&["delete", "--force", "broken"]).succeeds();
    assert!(!broken.exists());
}

#[test]
fn an_exec_runs_in_a_cgroup_below() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let path = &bundle.spec.linux.as_ref().unwrap().cgroups_path;
    let top = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .into_iter()
        .map(|top| std::path::PathBuf::from(format!("{top}{path}")))
        .find(|top| top.join("pids.max").exists())
        .unwrap();
    fs::create_dir(top.join("below")).unwrap();
    let exec = |cgroup: &str| {
        let args = [
            "exec",
            "--cgroup",
            cgroup,
            &bundle.id,
            "cat",
            "/proc/self/cgroup",
        ];
        bundle.call(&args)
    };
    assert!(exec("pids:below").succeeds().contains("/below\n"));
    assert!(!exec("/").succeeds().contains("/below"));
    exec("pids:nosuch").fails(255);
    exec("pids:../..").fails(255);
    exec("moon:below").fails(255);
}

#[test]
fn a_root_is_entered_without_pivot() {
    sandboxed!();
    let bundle = Bundle::new(
        "ls /; cat /proc/mounts; readlink /proc/1/exe; echo x > /proc/sys/kernel/hostname",
    );
    bundle.write_config();
    let path = bundle.path().to_str().unwrap();
    let outcome = bundle.call(&["run", "--no-pivot", "-b", path, &bundle.id]);
    assert!(outcome.err.contains("ead-only"), "{outcome:?}");
    assert!(outcome.out.starts_with("bin\ndev\netc\n"), "{outcome:?}");
    assert!(outcome.out.contains("/bin/busybox"), "{outcome:?}");
    assert_eq!(
        outcome.out.matches(" /proc proc ").count(),
        1,
        "{outcome:?}"
    );
}

#[test]
fn features_are_those_of_this_build() {
    sandboxed!();
    let bundle = Bundle::new("true");
    let features = json(&bundle.call(&["features"]).succeeds());
    assert_eq!(features["ociVersionMin"], "1.0.0");
    assert_eq!(features["ociVersionMax"], spec::runtime::VERSION);
    let has = |list: &Value, word: &str| list.as_array().unwrap().iter().any(|w| w == word);
    for option in ["rro", "bind", "rslave", "noexec", "tmpcopyup"] {
        assert!(has(&features["mountOptions"], option), "{option}");
    }
    let linux = &features["linux"];
    assert!(has(&linux["namespaces"], "cgroup"));
    assert!(has(&linux["capabilities"], "CAP_CHOWN"));
    assert!(has(&linux["seccomp"]["actions"], "SCMP_ACT_ERRNO"));
    assert!(has(&linux["seccomp"]["operators"], "SCMP_CMP_MASKED_EQ"));
    assert_eq!(linux["cgroup"]["v2"], true);
    // What it says it can't is refused, not passed over.
    if linux["intelRdt"]["enabled"] == false {
        let mut bundle = Bundle::new("true");
        bundle.linux().intel_rdt = Some(spec::runtime::IntelRdt::default());
        bundle.run().fails(1);
    }
}

#[test]
fn every_command_has_help() {
    sandboxed!();
    let bundle = Bundle::new("true");
    let all = bundle.call(&["--help"]).succeeds();
    let commands = all.split("Commands:\n").nth(1).unwrap();
    let commands = commands.split("\n\n").next().unwrap();
    let names: Vec<&str> = commands
        .lines()
        .map(|l| l.split_whitespace().next().unwrap())
        .collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let help = bundle.call(&[name, "--help"]).succeeds();
        assert!(
            help.contains(&format!("Usage: tare-runtime {name}")),
            "{help}"
        );
        assert_eq!(bundle.call(&["help", name]).succeeds(), help);
        let error = bundle.call(&[name, "--nosuch"]).fails(1);
        assert!(error.contains("no such option: --nosuch"), "{error}");
        assert!(
            error.contains(&format!("try: tare-runtime {name} --help")),
            "{error}"
        );
    }
    bundle.call(&[]).fails(1);
    bundle.call(&["--log-format", "xml", "list"]).fails(1);
    bundle.call(&["--rootless", "perhaps", "list"]).fails(1);
    bundle.call(&["--rootless", "auto", "list"]).succeeds();
}

#[test]
fn the_log_tells_what_was_done_when_it_is_asked() {
    sandboxed!();
    let bundle = Bundle::new("true");
    bundle.write_config();
    let (log, path) = (bundle.path().join("log"), bundle.path().to_str().unwrap());
    let log_path = log.to_str().unwrap();
    let globals = ["--debug", "--log", log_path, "--log-format", "json"];
    let run = |args: &[&str]| bundle.call(&[&globals[..], args].concat());
    run(&["run", "-b", path, &bundle.id]).succeeds();
    run(&["state", "nosuch"]).fails(1);
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(json).collect();
    assert_eq!(lines.first().unwrap()["level"], "debug");
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "error");
    assert_eq!(last["msg"], "container nosuch does not exist");
    assert!(last["time"].is_string());
    // A log that can't be written is told of, and changes nothing.
    let outcome = bundle.call(&["--log", "/nosuch/log", "state", "nosuch"]);
    let error = outcome.fails(1);
    assert!(
        error.contains("does not exist") && error.contains("/nosuch/log"),
        "{error}"
    );
}
