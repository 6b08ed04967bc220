//! Containers that are started again, by their monitors alone, over both transports; and that are not, when somebody ended them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    failures_are_tried_again_as_often_as_asked,
    what_always_runs_is_ended_by_its_user_alone,
    between_two_runs_it_can_be_ended,
    policies_are_checked_and_changed,
    what_was_written_and_set_is_there_in_each_run,
    what_is_always_to_run_is_started_after_the_machine,
);

#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(host: &Host, options: &[&str], script: &str) {
    let mut args = vec!["run", "-d", "--name", "c1"];
    args.extend(options);
    args.extend(["busybox", "sh", "-c", script]);
    let _id = host.tare(args).ok();
}

fn inspect(host: &Host, format: &str) -> String {
    host.tare(["inspect", "-f", format, "c1"]).ok()
}

const STATE: &str = "{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.ExitCode}} {{.RestartCount}}";

fn actions(host: &Host) -> Vec<String> {
    let args = [
        "events",
        "--since",
        "10m",
        "--until",
        "0s",
        "--filter",
        "container=c1",
        "--format",
        "{{.Action}}",
    ];
    host.tare(args).ok().lines().map(str::to_owned).collect()
}

fn failures_are_tried_again_as_often_as_asked(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    run(&host, &["--restart", "on-failure:2"], "echo ran; exit 3");
    until("it gives up", || {
        inspect(&host, STATE) == "exited false false 3 2"
    });
    assert_eq!(host.tare(["logs", "c1"]).ok(), "ran\nran\nran");
    let lives: Vec<String> = actions(&host)
        .into_iter()
        .filter(|action| ["start", "die"].contains(&action.as_str()))
        .collect();
    assert_eq!(lives, ["start", "die", "start", "die", "start", "die"]);
    // A start by hand begins to count anew; a success is no failure.
    let _out = host.tare(["start", "c1"]).ok();
    until("it gives up again", || {
        inspect(&host, STATE) == "exited false false 3 2"
    });
    let _out = host.tare(["rm", "c1"]).ok();
    run(&host, &["--restart", "on-failure"], "exit 0");
    assert_eq!(host.tare(["wait", "c1"]).ok(), "0");
    assert_eq!(inspect(&host, STATE), "exited false false 0 0");
    host.finish();
}

fn what_always_runs_is_ended_by_its_user_alone(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    run(&host, &["--restart", "always"], "sleep 1000");
    let pid = || -> i32 { inspect(&host, "{{.State.Pid}}").parse().unwrap() };
    let runs_again = |before: i32| {
        // In one look: between two, it may have ended.
        until("it runs again", || {
            let seen = inspect(&host, "{{.State.Status}} {{.State.Pid}}");
            seen.starts_with("running ") && seen != format!("running {before}")
        });
    };
    let first = pid();
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    runs_again(first);
    assert_eq!(inspect(&host, STATE), "running true false 0 1");
    assert_eq!(host.tare(["exec", "c1", "echo", "here"]).ok(), "here");
    // Who waits hears of this end though another run follows.
    let waiting = host
        .command(["wait", "c1"])
        .stdout(std::process::Stdio::piped())
        .spawn();
    let waiting = waiting.unwrap();
    let second = pid();
    // The wait is known to the monitor when its socket has a client more.
    std::thread::sleep(Duration::from_millis(300));
    kill_process(Pid::from_raw(second).unwrap(), Signal::KILL).unwrap();
    let heard = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&heard.stdout).trim(), "137");
    runs_again(second);
    for end in [["stop", "-t", "0", "c1"].as_slice(), &["kill", "c1"]] {
        let _out = host.tare(end).ok();
        assert!(inspect(&host, STATE).starts_with("exited false false 137"));
        let _out = host.tare(["start", "c1"]).ok();
        assert_eq!(inspect(&host, STATE), "running true false 0 0");
    }
    let _out = host.tare(["restart", "-t", "0", "c1"]).ok();
    assert_eq!(inspect(&host, STATE), "running true false 0 0");
    let _out = host.tare(["rm", "-f", "c1"]).ok();
    host.finish();
}

fn between_two_runs_it_can_be_ended(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    run(&host, &["--restart", "unless-stopped"], "exit 5");
    // The pauses grow: soon there is time to look.
    until("it waits", || {
        let count: u32 = inspect(&host, "{{.RestartCount}}").parse().unwrap();
        count >= 4 && inspect(&host, "{{.State.Restarting}}") == "true"
    });
    let status = host.tare(["ps", "--format", "{{.State}} {{.Status}}"]).ok();
    assert!(status.starts_with("restarting Restarting (5) "), "{status}");
    let listed = host
        .tare(["ps", "-q", "--filter", "status=restarting"])
        .ok();
    assert!(!listed.is_empty());
    for args in [
        ["exec", "c1", "true"].as_slice(),
        &["pause", "c1"],
        &["top", "c1"],
        &["attach", "c1"],
    ] {
        let said = host.tare(args).stderr;
        assert!(
            said.contains("is restarting, wait until"),
            "{args:?}: {said}"
        );
    }
    let said = host.tare(["rm", "c1"]).fails(1);
    assert!(
        said.contains("container is restarting: stop the container"),
        "{said}"
    );
    assert_eq!(host.tare(["stop", "c1"]).ok(), "c1");
    assert!(inspect(&host, STATE).starts_with("exited false false 5"));
    let _out = host.tare(["start", "c1"]).ok();
    let _out = host.tare(["rm", "-f", "c1"]).ok();
    host.finish();
}

fn policies_are_checked_and_changed(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let said = host
        .tare(["run", "--rm", "--restart", "always", "busybox"])
        .fails(125);
    assert!(
        said.contains("cannot specify both --restart and --rm"),
        "{said}"
    );
    let said = host
        .tare(["run", "--restart", "often", "busybox"])
        .fails(125);
    assert!(said.contains("unknown policy 'often'"), "{said}");
    run(&host, &[], "sleep 0.2; exit 4");
    let _out = host
        .tare(["update", "--restart", "on-failure:1", "c1"])
        .ok();
    until("it was tried once more", || {
        inspect(&host, STATE) == "exited false false 4 1"
    });
    assert_eq!(
        inspect(
            &host,
            "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
        ),
        "on-failure 1"
    );
    let _out = host
        .tare(["create", "--rm", "--name", "brief", "busybox"])
        .ok();
    let said = host
        .tare(["update", "--restart", "always", "brief"])
        .fails(1);
    assert!(said.contains("AutoRemove is enabled"), "{said}");
    host.finish();
}

fn what_was_written_and_set_is_there_in_each_run(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let script = "echo x >> /count; cat /proc/self/limits > /limits; test $(wc -l < /count) = 3 && exec sleep 1000";
    run(
        &host,
        &[
            "--restart",
            "on-failure",
            "-m",
            "64m",
            "-v",
            "kept:/kept",
            "--read-only=false",
        ],
        script,
    );
    until("it stays", || {
        inspect(&host, STATE) == "running true false 0 2"
    });
    until("it counted", || {
        host.tare(["exec", "c1", "cat", "/count"]).stdout == "x\nx\nx\n"
    });
    let id = inspect(&host, "{{.Id}}");
    let below = format!("{}/{id}", host.cgroup().trim_start_matches('/'));
    let limits = [
        format!("/sys/fs/cgroup/memory/{below}/memory.limit_in_bytes"),
        format!("/sys/fs/cgroup/{below}/memory.max"),
    ];
    let limit = limits.iter().find_map(|p| std::fs::read_to_string(p).ok());
    assert_eq!(limit.unwrap().trim(), (64 << 20).to_string());
    host.finish();
}

/// The machine's start: all monitors are gone.
fn what_is_always_to_run_is_started_after_the_machine(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for (name, policy) in [
        ("always", "always"),
        ("stopped", "unless-stopped"),
        ("unless", "unless-stopped"),
        ("failing", "on-failure"),
        ("never", "no"),
    ] {
        let _id = host
            .tare([
                "run",
                "-d",
                "--name",
                name,
                "--restart",
                policy,
                "busybox",
                "sleep",
                "1000",
            ])
            .ok();
    }
    let _id = host
        .tare([
            "create",
            "--name",
            "fresh",
            "--restart",
            "always",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let _out = host.tare(["stop", "-t", "0", "stopped"]).ok();
    for name in ["always", "unless", "failing", "never"] {
        let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", name]).ok();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap();
        let monitor = Pid::from_raw(parent.parse().unwrap()).unwrap();
        kill_process(monitor, Signal::KILL).unwrap();
    }
    until("all are gone", || host.tare(["ps", "-q"]).ok().is_empty());
    let _out = host.tare(["internal", "boot"]).ok();
    let running = host.tare(["ps", "--format", "{{.Names}}"]).ok();
    let mut running: Vec<&str> = running.lines().collect();
    running.sort_unstable();
    assert_eq!(running, ["always", "unless"]);
    host.finish();
}

#[test]
fn a_daemon_starts_what_is_always_to_run() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut host = Host::with_busybox(&sandbox, Transport::Socket);
    run(&host, &["--restart", "always"], "sleep 1000");
    let _out = host.tare(["stop", "-t", "0", "c1"]).ok();
    assert_eq!(host.stop_daemon(Signal::TERM), Some(0));
    host.start_daemon();
    until("it runs again", || {
        inspect(&host, "{{.State.Running}}") == "true"
    });
    for client in testkit::fixtures::docker_clients() {
        let docker = |args: &[&str]| testkit::host::run(host.docker(&client, args));
        let _out = docker(&["update", "--restart", "on-failure:3", "c1"]).ok();
        assert_eq!(
            docker(&[
                "inspect",
                "-f",
                "{{.HostConfig.RestartPolicy}} {{.RestartCount}}",
                "c1"
            ])
            .ok(),
            "{on-failure 3} 0"
        );
    }
    host.finish();
}
