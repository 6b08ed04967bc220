//! Health checks, run by monitors without an engine, over both transports.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::time::{Duration, Instant};

use testkit::sandbox::Sandbox;
use testkit::{Host, Outcome, Transport};

testkit::over_both_transports!(
    a_container_gets_well_and_unwell,
    looks_are_limited_in_time_and_output,
    failures_at_first_do_not_count,
    what_makes_no_sense_is_refused,
);

#[track_caller]
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(host: &Host, options: &[&str]) -> Outcome {
    let mut args = vec!["run", "-d", "--name", "c1"];
    args.extend(options);
    args.extend(["busybox", "sleep", "1000"]);
    host.tare(args)
}

fn inspect(host: &Host, format: &str) -> String {
    host.tare(["inspect", "-f", format, "c1"]).ok()
}

const HEALTH: &str = "{{.State.Health.Status}}";

fn status(host: &Host) -> String {
    host.tare(["ps", "-a", "--format", "{{.Status}}"]).ok()
}

fn a_container_gets_well_and_unwell(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = run(
        &host,
        &[
            "--health-cmd",
            "cat /well",
            "--health-interval",
            "20ms",
            "--health-retries",
            "2",
        ],
    )
    .ok();
    until("it is unwell", || inspect(&host, HEALTH) == "unhealthy");
    assert!(status(&host).ends_with("(unhealthy)"), "{}", status(&host));
    let log = "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}";
    assert_eq!(
        inspect(&host, log),
        "1 cat: can't open '/well': No such file or directory"
    );
    let _out = host
        .tare(["exec", "c1", "sh", "-c", "echo fine > /well"])
        .ok();
    until("it is well", || inspect(&host, HEALTH) == "healthy");
    assert!(status(&host).ends_with("(healthy)"));
    assert_eq!(inspect(&host, "{{.State.Health.FailingStreak}}"), "0");
    until("five looks are known", || {
        inspect(&host, "{{len .State.Health.Log}}") == "5"
    });
    let listed = |health: &str| {
        let filter = format!("health={health}");
        !host
            .tare(["ps", "-aq", "--filter", &filter])
            .ok()
            .is_empty()
    };
    assert!(listed("healthy") && !listed("unhealthy") && !listed("none") && !listed("starting"));
    let said = host.tare(["ps", "--filter", "health=so-so"]).fails(1);
    assert!(said.contains("invalid filter 'health=so-so'"), "{said}");
    // Nobody looks while it is paused, and nobody hangs for that.
    let _out = host.tare(["pause", "c1"]).ok();
    let _out = host.tare(["unpause", "c1"]).ok();
    let _out = host.tare(["stop", "-t", "0", "c1"]).ok();
    assert_eq!(inspect(&host, HEALTH), "unhealthy");
    assert!(!status(&host).contains("healthy"));
    let events = host
        .tare([
            "events",
            "--since",
            "10m",
            "--until",
            "0s",
            "--format",
            "{{.Action}}",
            "--filter",
            "event=health_status",
        ])
        .ok();
    let events: Vec<&str> = events.lines().collect();
    assert_eq!(
        events[..2],
        ["health_status: unhealthy", "health_status: healthy"]
    );
    // A new start knows nothing yet.
    let _out = host.tare(["start", "c1"]).ok();
    until("it is well again", || inspect(&host, HEALTH) == "healthy");
    host.finish();
}

fn looks_are_limited_in_time_and_output(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = run(
        &host,
        &[
            "--health-cmd",
            "echo begun; sleep 1000",
            "--health-interval",
            "10ms",
            "--health-timeout",
            "100ms",
            "--health-retries",
            "1",
        ],
    )
    .ok();
    until("it is unwell", || inspect(&host, HEALTH) == "unhealthy");
    let log = "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}";
    assert_eq!(
        inspect(&host, log).trim(),
        "-1 Health check exceeded timeout (100ms): begun"
    );
    let _out = host.tare(["rm", "-f", "c1"]).ok();
    let _id = run(
        &host,
        &[
            "--health-cmd",
            "head -c 100000 /dev/zero | tr '\\0' x",
            "--health-interval",
            "10ms",
        ],
    )
    .ok();
    until("it is well", || inspect(&host, HEALTH) == "healthy");
    let output = inspect(&host, "{{(index .State.Health.Log 0).Output}}");
    assert_eq!(output.len(), 4096 + 3);
    assert!(output.ends_with("xxx..."));
    host.finish();
}

fn failures_at_first_do_not_count(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = run(
        &host,
        &[
            "--health-cmd",
            "false",
            "--health-interval",
            "1h",
            "--health-retries",
            "1",
            "--health-start-period",
            "1h",
            "--health-start-interval",
            "20ms",
        ],
    )
    .ok();
    until("it was looked at", || {
        inspect(&host, "{{len .State.Health.Log}}") == "5"
    });
    assert_eq!(
        inspect(
            &host,
            "{{.State.Health.Status}} {{.State.Health.FailingStreak}}"
        ),
        "starting 0"
    );
    assert!(status(&host).ends_with("(health: starting)"));
    host.finish();
}

fn what_makes_no_sense_is_refused(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for (options, words) in [
        (
            ["--health-interval", "1us"].as_slice(),
            "cannot be less than 1ms",
        ),
        (&["--health-retries", "-1"], "cannot be negative"),
        (
            &["--no-healthcheck", "--health-cmd", "true"],
            "conflicts with --health-* options",
        ),
    ] {
        let said = run(&host, options).fails(125);
        assert!(said.contains(words), "{options:?}: {said}");
    }
    host.finish();
}

#[test]
fn an_image_says_how_to_look() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let host = Host::with_busybox(&sandbox, Transport::Socket);
    for client in testkit::fixtures::docker_clients() {
        let dir = host.scratch().join("context");
        std::fs::create_dir_all(&dir).unwrap();
        let text = "FROM busybox\nHEALTHCHECK --interval=20ms --retries=1 CMD test -e /well\n";
        std::fs::write(dir.join("Dockerfile"), text).unwrap();
        let mut build = host.docker(
            &client,
            ["build", "-q", "-t", "checked", dir.to_str().unwrap()],
        );
        build.env("DOCKER_BUILDKIT", "0");
        let _id = testkit::host::run(build).ok();
        let docker = |args: &[&str]| testkit::host::run(host.docker(&client, args));
        let run = |options: &[&str]| {
            let mut args = vec!["run", "-d", "--name", "c1", "--network", "none"];
            args.extend(options);
            args.extend(["checked", "sleep", "1000"]);
            let _id = docker(&args).ok();
        };
        run(&[]);
        until("it is unwell", || inspect(&host, HEALTH) == "unhealthy");
        let shown = docker(&[
            "ps",
            "--filter",
            "health=unhealthy",
            "--format",
            "{{.Names}} {{.Status}}",
        ])
        .ok();
        assert!(
            shown.starts_with("c1 Up") && shown.ends_with("(unhealthy)"),
            "{shown}"
        );
        let _out = docker(&["rm", "-f", "c1"]).ok();
        // What the image says is completed, and can be taken back.
        run(&["--health-retries", "7"]);
        let said = "{{.Config.Healthcheck.Retries}} {{.Config.Healthcheck.Interval}}";
        assert_eq!(docker(&["inspect", "-f", said, "c1"]).ok(), "7 20ms");
        let _out = docker(&["rm", "-f", "c1"]).ok();
        run(&["--no-healthcheck"]);
        assert_eq!(
            docker(&["inspect", "-f", "{{json .State.Health}}", "c1"]).ok(),
            "null"
        );
        let _out = docker(&["rm", "-f", "c1"]).ok();
    }
    host.finish();
}
