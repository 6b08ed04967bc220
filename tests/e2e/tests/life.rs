//! What happens to containers while they live, over both transports: events, restarts, health, changes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    events_are_told_replayed_and_filtered,
    restart_stops_and_starts_again,
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

/// A command that runs beside the test, and what it has said.
struct Follower {
    child: Child,
    path: PathBuf,
}

impl Follower {
    fn start(host: &Host, args: &[&str]) -> Self {
        let path = host.scratch().join("followed");
        let file = std::fs::File::create(&path).unwrap();
        let child = host.command(args).stdin(Stdio::null()).stdout(file).spawn();
        let follower = Self {
            child: child.unwrap(),
            path,
        };
        // It follows when it has been told of something.
        until("nothing is followed", || {
            let _out = host.tare(["volume", "create", "mark"]).ok();
            let _out = host.tare(["volume", "rm", "mark"]).ok();
            !follower.text().is_empty()
        });
        follower
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    /// All that it said, when `last` is among it; then it ends.
    fn text_with(mut self, last: &str) -> String {
        until("what happened is not told", || self.text().contains(last));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.text()
    }
}

/// What happened since `since`, as `action` or `type action`.
fn happened(host: &Host, since: &str, filters: &[&str]) -> Vec<String> {
    let mut args = vec!["events", "--since", since, "--until", "0s"];
    args.extend(["--format", "{{.Type}} {{.Action}}"]);
    for filter in filters {
        args.extend(["--filter", *filter]);
    }
    let text = host.tare(args).ok();
    text.lines().map(str::to_owned).collect()
}

fn events_are_told_replayed_and_filtered(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let follower = Follower::start(&host, &["events"]);
    let id = host
        .tare([
            "run",
            "-d",
            "--name",
            "web",
            "-l",
            "tier=front",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    let _code = host.tare(["exec", "web", "sh", "-c", "exit 3"]).fails(3);
    let _out = host.tare(["stop", "-t", "0", "web"]).ok();
    let _out = host.tare(["rm", "web"]).ok();
    let whole = [
        "container create",
        "container start",
        "container exec_create: sh -c exit 3",
        "container exec_start: sh -c exit 3",
        "container exec_die",
        "container kill",
        "container die",
        "container stop",
        "container destroy",
    ];
    let seen = |events: Vec<String>| -> Vec<String> {
        // A stop that waits for nothing sends two signals.
        let mut events: Vec<String> = events;
        events.dedup();
        events
    };
    assert_eq!(seen(happened(&host, "10m", &["container=web"])), whole);
    assert_eq!(
        happened(
            &host,
            "10m",
            &["label=tier=front", "event=die", "event=start"]
        ),
        ["container start", "container die"]
    );
    assert_eq!(
        happened(&host, "10m", &["image=busybox", "event=exec_die"]),
        ["container exec_die"]
    );
    assert_eq!(happened(&host, "10m", &["volume=other"]), [""; 0]);
    assert_eq!(
        happened(&host, "10m", &["type=image", "event=load"]),
        ["image load"]
    );
    assert_eq!(
        happened(&host, "10m", &["volume=mark"])[..2],
        ["volume create", "volume destroy"]
    );
    // Who followed saw it all, in Docker's form.
    let text = follower.text_with(" container destroy ");
    let lines: Vec<&str> = text.lines().collect();
    let start = lines
        .iter()
        .find(|line| line.contains(" container start "))
        .unwrap();
    let id = id.trim();
    assert!(
        start.ends_with(&format!("{id} (image=busybox, name=web, tier=front)")),
        "{start}"
    );
    let die = lines
        .iter()
        .find(|line| line.contains(" container die "))
        .unwrap();
    assert!(die.contains("exitCode=137"), "{die}");
    let bad = host.tare(["events", "--filter", "nonsense=1"]).fails(1);
    assert!(bad.contains("invalid filter 'nonsense'"), "{bad}");
    host.finish();
}

fn restart_stops_and_starts_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "web", "busybox", "sleep", "1000"])
        .ok();
    let pid = || {
        host.tare(["inspect", "--format", "{{.State.Pid}}", "web"])
            .ok()
    };
    let before = pid();
    let out = host.tare(["restart", "-t", "0", "web"]).ok();
    assert_eq!(out, "web");
    let after = pid();
    assert!(after != "0" && after != before, "{before} {after}");
    // One that does not run is started.
    let _out = host.tare(["stop", "-t", "0", "web"]).ok();
    let _out = host.tare(["container", "restart", "web"]).ok();
    assert_ne!(pid(), "0");
    let restarts = happened(&host, "10m", &["container=web", "event=restart"]);
    assert_eq!(restarts, ["container restart"; 2]);
    let missing = host.tare(["restart", "nobody"]).fails(1);
    assert!(missing.contains("No such container: nobody"), "{missing}");
    host.finish();
}
