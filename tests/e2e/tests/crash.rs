//! Whoever is killed, wherever: the next command finds a sound store, nothing leaked, and no container "running" that
//! isn't. Every fail point of the table is visited; one that no story visits fails the test.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::registry::{noise, tar_of};
use testkit::sandbox::Sandbox;
use testkit::{Host, Registry, Transport};

testkit::over_both_transports!(
    every_fail_point_is_survived,
    a_killed_client_leaves_the_container_to_its_monitor,
    a_killed_monitor_takes_its_container_along,
);

/// One life: everything that passes a fail point. Failures are the point's doing, so they are not looked at here.
fn life(host: &Host, registry: &Registry) {
    let tare = |args: &[&str]| host.tare(args);
    let context = context(host);
    let pulled = registry.name("pulled");
    let pushed = registry.name("pushed");
    let archive = testkit::fixtures::image("busybox.tar");
    let root = testkit::fixtures::image("busybox-root.tar");
    for args in [
        ["pull", "-q", &pulled].as_slice(),
        &["load", "-q", "-i", archive.to_str().unwrap()],
        &["import", root.to_str().unwrap(), "imported"],
        &["tag", "busybox", "tagged"],
        &["tag", "busybox", &pushed],
        &["push", "-q", &pushed],
        &[
            "create",
            "--name",
            "life",
            "-v",
            "fresh:/etc",
            "busybox",
            "sleep",
            "1000",
        ],
        &["start", "life"],
        &["exec", "life", "true"],
        &["commit", "life", "committed"],
        &["network", "create", "life"],
        &["network", "connect", "life", "life"],
        &["network", "disconnect", "life", "life"],
        &["network", "connect", "life", "life"],
        &["network", "publish", "life", "-p", "8080:80"],
        &["network", "unpublish", "life", "-p", "8080:80"],
        &["logs", "life"],
        &["update", "--pids-limit", "77", "life"],
        &["pause", "life"],
        &["unpause", "life"],
        &["rename", "life", "second"],
        &["rename", "second", "life"],
        &["stop", "-t", "0", "life"],
        &["start", "life"],
        &["kill", "life"],
        &["wait", "life"],
        &["run", "--rm", "busybox", "true"],
        &["run", "-d", "--rm", "--name", "brief", "busybox", "true"],
        &["wait", "brief"],
        &[
            "run",
            "-d",
            "--restart",
            "on-failure:1",
            "--name",
            "again",
            "busybox",
            "false",
        ],
        &["wait", "again"],
        &["wait", "again"],
        // The brief one goes by itself, but not before its monitor says so; its image goes now.
        &["rm", "-f", "-v", "life", "second", "brief", "again"],
        &["build", "-t", "built", context.to_str().unwrap()],
        &[
            "rmi", &pulled, &pushed, "imported", "tagged", "built", "busybox",
        ],
        &["image", "prune", "-af"],
        &["volume", "rm", "fresh"],
        &["network", "rm", "life"],
    ] {
        let _outcome = tare(args);
    }
}

/// What is built: a copy, and a command above it.
fn context(host: &Host) -> PathBuf {
    let directory = host.scratch().join("context");
    fs::create_dir_all(&directory).unwrap();
    let file = "FROM busybox\nCOPY f /f\nRUN --mount=type=cache,target=/c cat /f > /g\n";
    fs::write(directory.join("Dockerfile"), file).unwrap();
    fs::write(directory.join("f"), "sound").unwrap();
    directory
}

fn every_fail_point_is_survived(sandbox: &Sandbox, transport: Transport) {
    let registry = Registry::start(sandbox);
    let tars = [tar_of(&[("a", &noise(1, 100_000))]), tar_of(&[("b", b"b")])];
    registry.put_image("pulled", "latest", &tars);
    let visited = visit_all(sandbox, transport, &registry);
    // Those of the command `tare-runtime` and of the registry are visited by their own tests.
    let points = || {
        failpoint::POINTS
            .iter()
            .filter(|p| !p.starts_with("tare-runtime.") && !p.starts_with("registry."))
    };
    let missed: Vec<_> = points().filter(|p| !visited.contains(**p)).collect();
    assert!(missed.is_empty(), "no story visits {missed:?}");
    for point in points() {
        testkit::note(&format!("killed at {point}"));
        survive((sandbox, transport), &registry, point);
    }
}

/// Lives once with a log of the points passed.
fn visit_all(sandbox: &Sandbox, transport: Transport, registry: &Registry) -> BTreeSet<String> {
    let mut host = Host::new(sandbox, transport);
    let log = host.scratch().join("points");
    host.set_env("TARE_FAILPOINT_LOG", log.to_str().unwrap());
    life(&host, registry);
    host.clear_env();
    let text = fs::read_to_string(log).unwrap_or_default();
    let visited = text.lines().map(str::to_owned).collect();
    host.finish();
    visited
}

fn survive((sandbox, transport): (&Sandbox, Transport), registry: &Registry, point: &str) {
    let mut host = Host::new(sandbox, transport);
    host.set_env("TARE_FAILPOINT", point);
    life(&host, registry);
    host.clear_env();
    // "running" is true of every container that says so.
    for id in host.tare(["ps", "-q"]).ok().lines() {
        let pid = host.tare(["inspect", "-f", "{{.State.Pid}}", id]).ok();
        assert!(
            std::path::Path::new(&format!("/proc/{pid}/stat")).exists(),
            "{id} is said to run as {pid}"
        );
    }
    let archive = testkit::fixtures::image("busybox.tar");
    let _loaded = host
        .tare(["load", "-q", "-i", archive.to_str().unwrap()])
        .ok();
    let _pulled = host.tare(["pull", "-q", &registry.name("pulled")]).ok();
    let pushed = registry.name("pushed");
    let _tagged = host.tare(["tag", "busybox", &pushed]).ok();
    let _pushed = host.tare(["push", "-q", &pushed]).ok();
    let _removed = host.tare(["rmi", &pushed]).ok();
    for name in ["life", "second", "brief", "again"] {
        let _removed = host.tare(["rm", "-f", name]);
    }
    let _id = host
        .tare(["run", "-d", "--name", "life", "busybox", "sleep", "1000"])
        .ok();
    assert_eq!(host.tare(["exec", "life", "echo", "sound"]).ok(), "sound");
    assert_eq!(
        host.tare(["run", "--rm", "busybox", "echo", "sound"]).ok(),
        "sound"
    );
    // What a killed build left is of no harm to the next, and no half-made image has a name.
    if host.tare(["inspect", "built"]).code == 0 {
        assert_eq!(
            host.tare(["run", "--rm", "built", "cat", "/g"]).ok(),
            "sound"
        );
    }
    let path = context(&host);
    let _built = host
        .tare(["build", "-q", "-t", "built", path.to_str().unwrap()])
        .ok();
    assert_eq!(
        host.tare(["run", "--rm", "built", "cat", "/f", "/g"]).ok(),
        "soundsound"
    );
    host.finish();
}

fn a_killed_client_leaves_the_container_to_its_monitor(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut command = host.command([
        "run",
        "--rm",
        "--name",
        "orphan",
        "busybox",
        "sh",
        "-c",
        "sleep 1; exit 3",
    ]);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut client = command.spawn().unwrap();
    until("it runs", || {
        host.tare(["ps", "-q"]).ok().lines().count() == 1
    });
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(
        host.tare(["ps", "--format", "{{.Names}}"]).ok(),
        "orphan",
        "still there"
    );
    until("the monitor had it removed", || {
        host.tare(["ps", "-aq"]).ok().is_empty()
    });
    host.finish();
}

fn a_killed_monitor_takes_its_container_along(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "c1", "busybox", "sleep", "1000"])
        .ok();
    let pid: i32 = host
        .tare(["inspect", "-f", "{{.State.Pid}}", "c1"])
        .ok()
        .parse()
        .unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent: i32 = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kill_process(Pid::from_raw(parent).unwrap(), Signal::KILL).unwrap();
    until("the container is gone", || {
        !std::path::Path::new(&format!("/proc/{pid}/exe")).exists()
    });
    assert_eq!(host.tare(["ps", "-q"]).ok(), "");
    assert_eq!(
        host.tare(["inspect", "-f", "{{.State.Status}}", "c1"]).ok(),
        "exited"
    );
    assert_eq!(host.tare(["wait", "c1"]).ok(), "137");
    assert_eq!(host.tare(["start", "c1"]).ok(), "c1");
    host.finish();
}

#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_daemon_touches_no_container_and_no_log_byte() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let mut host = Host::with_busybox(&sandbox, Transport::Socket);
    let script = "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); sleep 0.01; done; exit 4";
    let _id = host
        .tare(["run", "-d", "--name", "c1", "busybox", "sh", "-c", script])
        .ok();
    for _ in 0..5 {
        assert_eq!(host.stop_daemon(Signal::KILL), None);
        host.start_daemon();
        assert_eq!(host.tare(["ps", "-a", "--format", "{{.Names}}"]).ok(), "c1");
    }
    assert_eq!(host.tare(["wait", "c1"]).ok(), "4");
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(
        host.tare(["logs", "c1"]).ok(),
        expected.join("\n"),
        "no gap, no duplicate"
    );
    host.finish();
}
