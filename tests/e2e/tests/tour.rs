//! One scripted tour of every command, taken by `tare` embedded, by `tare` over the socket and by stock `docker` clients;
//! what they print is the same.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::{Host, Outcome, Transport};

/// One stop of the tour: its arguments, what is typed, and whether standard output is compared.
struct Stop(&'static [&'static str], &'static str, Compared);

#[derive(PartialEq, Eq)]
enum Compared {
    /// Standard output and exit code.
    Output,
    /// The exit code only: the output names versions or machines.
    Code,
}

use Compared::{Code, Output};

const TOUR: &[Stop] = &[
    Stop(&["version"], "", Code),
    Stop(&["info"], "", Code),
    Stop(&["images"], "", Output),
    Stop(
        &[
            "import",
            "-c",
            "CMD [\"sh\"]",
            "-m",
            "made here",
            "ROOT",
            "toured:v1",
        ],
        "",
        Output,
    ),
    Stop(
        &["images", "--format", "{{.Repository}}:{{.Tag}}"],
        "",
        Output,
    ),
    Stop(&["tag", "toured:v1", "toured:v2"], "", Output),
    Stop(&["save", "-o", "ARCHIVE", "toured"], "", Output),
    Stop(&["rmi", "toured:v1", "toured:v2"], "", Code),
    Stop(&["load", "-q", "-i", "ARCHIVE"], "", Output),
    Stop(&["save", "-o", "ARCHIVE", "no-such"], "", Output),
    Stop(
        &["history", "--format", "{{.Comment}}", "toured:v1"],
        "",
        Output,
    ),
    Stop(&["rmi", "toured:v2"], "", Output),
    Stop(
        &[
            "run",
            "--rm",
            "--network",
            "none",
            "toured:v1",
            "echo",
            "hello",
        ],
        "",
        Output,
    ),
    Stop(
        &["run", "--rm", "-i", "--network", "none", "toured:v1", "cat"],
        "typed\n",
        Output,
    ),
    Stop(
        &[
            "run",
            "--rm",
            "--network",
            "none",
            "toured:v1",
            "sh",
            "-c",
            "exit 42",
        ],
        "",
        Output,
    ),
    Stop(
        &["run", "--rm", "--network", "none", "toured:v1", "no-such"],
        "",
        Output,
    ),
    Stop(
        &["run", "--rm", "--network", "none", "toured:v1", "/etc"],
        "",
        Output,
    ),
    Stop(
        &[
            "create",
            "--name",
            "made",
            "--network",
            "none",
            "-e",
            "A=b",
            "toured:v1",
            "sh",
            "-c",
            "echo $A",
        ],
        "",
        Output,
    ),
    Stop(
        &[
            "ps",
            "-a",
            "--format",
            "{{.Names}} {{.State}} {{.Image}} {{.Command}}",
        ],
        "",
        Output,
    ),
    Stop(&["start", "-a", "made"], "", Output),
    Stop(&["wait", "made"], "", Output),
    Stop(&["logs", "made"], "", Output),
    Stop(
        &[
            "inspect",
            "-f",
            "{{.Name}} {{.State.Status}} {{.Config.Image}} {{.Config.Env}} {{.HostConfig.NetworkMode}}",
            "made",
        ],
        "",
        Output,
    ),
    Stop(
        &[
            "run",
            "--name",
            "changed",
            "--network",
            "none",
            "toured:v1",
            "sh",
            "-c",
            "echo new > /new; rm /etc/group",
        ],
        "",
        Output,
    ),
    Stop(&["diff", "changed"], "", Output),
    Stop(&["cp", "changed:/new", "ARCHIVE"], "", Output),
    Stop(&["cp", "ARCHIVE", "changed:/tmp/back"], "", Output),
    Stop(&["cp", "changed:/tmp/back", "-"], "", Code),
    Stop(
        &["commit", "-m", "changed", "changed", "toured:v3"],
        "",
        Output,
    ),
    Stop(
        &[
            "run",
            "--rm",
            "--network",
            "none",
            "toured:v3",
            "cat",
            "/new",
            "/tmp/back",
        ],
        "",
        Output,
    ),
    Stop(&["export", "-o", "ARCHIVE", "changed"], "", Output),
    Stop(
        &["container", "prune", "-f", "--filter", "label=none"],
        "",
        Output,
    ),
    Stop(&["rm", "changed"], "", Output),
    Stop(&["rmi", "toured:v3"], "", Code),
    Stop(&["image", "prune", "-f"], "", Output),
    Stop(
        &[
            "system",
            "df",
            "--format",
            "{{.Type}} {{.TotalCount}} {{.Active}}",
        ],
        "",
        Output,
    ),
    Stop(&["rm", "made"], "", Output),
    Stop(
        &[
            "run",
            "-d",
            "--name",
            "service",
            "--network",
            "none",
            "-m",
            "64m",
            "--cpus",
            "0.5",
            "--pids-limit",
            "64",
            "-l",
            "a=b",
            "-w",
            "/tmp",
            "-u",
            "1000:1000",
            "--hostname",
            "tourist",
            "--entrypoint",
            "sh",
            "toured:v1",
            "-c",
            "trap 'echo bye; exit 0' TERM; hostname; pwd; while true; do sleep 0.1; done",
        ],
        "",
        Output,
    ),
    Stop(
        &[
            "ps",
            "--filter",
            "label=a=b",
            "--format",
            "{{.Names}} {{.Labels}}",
        ],
        "",
        Output,
    ),
    Stop(&["exec", "service", "id", "-u"], "", Output),
    Stop(
        &[
            "exec",
            "-i",
            "-u",
            "0",
            "-e",
            "X=1",
            "service",
            "sh",
            "-c",
            "cat; echo $X; exit 3",
        ],
        "through\n",
        Output,
    ),
    Stop(&["exec", "service", "no-such"], "", Output),
    Stop(&["rm", "service"], "", Output),
    Stop(
        &[
            "inspect",
            "-f",
            "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Labels}}",
            "service",
        ],
        "",
        Output,
    ),
    Stop(&["stop", "service"], "", Output),
    Stop(&["logs", "service"], "", Output),
    Stop(&["logs", "--tail", "1", "service"], "", Output),
    Stop(&["start", "service"], "", Output),
    Stop(&["kill", "-s", "KILL", "service"], "", Output),
    Stop(&["wait", "service"], "", Output),
    Stop(&["kill", "service"], "", Output),
    Stop(&["start", "service"], "", Output),
    Stop(&["rm", "-f", "service"], "", Output),
    Stop(&["volume", "create", "toured"], "", Output),
    Stop(
        &[
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            "toured:/v",
            "toured:v1",
            "sh",
            "-c",
            "echo kept > /v/f",
        ],
        "",
        Output,
    ),
    Stop(
        &[
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            "toured:/v:ro",
            "toured:v1",
            "cat",
            "/v/f",
        ],
        "",
        Output,
    ),
    Stop(&["volume", "ls", "--format", "{{.Name}}"], "", Output),
    Stop(&["volume", "rm", "toured"], "", Output),
    Stop(&["inspect", "nothing"], "", Output),
    Stop(&["rmi", "toured:v1"], "", Output),
    Stop(&["images", "-q"], "", Output),
];

#[test]
fn every_client_sees_the_same() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let embedded = {
        let host = Host::new(&sandbox, Transport::Embedded);
        let seen = take(|args, input| host.tare_with_input(args, input));
        attach(&host, |args| host.command(args));
        host.finish();
        seen
    };
    let host = Host::new(&sandbox, Transport::Socket);
    compare(
        "tare over the socket",
        &embedded,
        &take(|args, input| host.tare_with_input(args, input)),
    );
    attach(&host, |args| host.command(args));
    let clients = testkit::fixtures::docker_clients();
    assert!(
        !clients.is_empty(),
        "no docker client: cargo xtask test fetches one"
    );
    for client in &clients {
        let seen =
            take(|args, input| testkit::host::run_with_input(host.docker(client, args), input));
        compare(&client.display().to_string(), &embedded, &seen);
        attach(&host, |args| host.docker(client, args));
    }
    host.finish();
}

fn take(mut run: impl FnMut(Vec<String>, &[u8]) -> Outcome) -> Vec<(String, i32, String)> {
    let root = testkit::fixtures::image("busybox-root.tar");
    let scratch = tempfile::tempdir().unwrap();
    let word = |word: &&str| match *word {
        "ROOT" => root.display().to_string(),
        "ARCHIVE" => scratch.path().join("saved.tar").display().to_string(),
        word => word.to_owned(),
    };
    TOUR.iter()
        .map(|Stop(args, input, compared)| {
            let args: Vec<String> = args.iter().map(word).collect();
            if args[0] == "stop" || args.starts_with(&["logs".to_owned(), "service".to_owned()]) {
                std::thread::sleep(Duration::from_millis(300)); // The trap is set.
            }
            let name = args
                .join(" ")
                .replace(&scratch.path().display().to_string(), "");
            let outcome = run(args, input.as_bytes());
            assert!(
                !outcome.stderr.contains("panicked"),
                "{name}: {}",
                outcome.stderr
            );
            let shown = if *compared == Output {
                normal(&outcome.stdout)
            } else {
                String::new()
            };
            (name, outcome.code, shown)
        })
        .collect()
}

/// Ids are the only thing in which two honest outputs differ.
fn normal(text: &str) -> String {
    let is_id = |w: &str| w.len() >= 12 && w.chars().all(|c| c.is_ascii_hexdigit());
    let mut shown = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (core, end) = word.split_at(
            word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .len(),
        );
        shown.push_str(if is_id(core) { "ID" } else { core });
        shown.push_str(end);
    }
    shown
}

#[track_caller]
fn compare(client: &str, expected: &[(String, i32, String)], seen: &[(String, i32, String)]) {
    let differences: Vec<String> = expected
        .iter()
        .zip(seen)
        .filter(|(a, b)| a != b)
        .map(|(a, b)| {
            format!(
                "{}\n  tare embedded: {} {:?}\n  {client}: {} {:?}",
                a.0, a.1, a.2, b.1, b.2
            )
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{client} sees another engine:\n{}",
        differences.join("\n")
    );
}

/// A terminal, logs that are followed, and an attach: what takes two hands.
fn attach<C: Fn(Vec<String>) -> std::process::Command>(host: &Host, command: C) {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let root = testkit::fixtures::image("busybox-root.tar");
    let _id = host
        .tare([
            "import",
            "-c",
            "CMD [\"sh\"]",
            root.to_str().unwrap(),
            "attached",
        ])
        .ok();
    let mut terminal = testkit::Terminal::spawn(command(words(
        "run -it --network none --name shell attached",
    )))
    .unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("stty size\n");
    let _size = terminal.expect("24 80");
    terminal.send("\x10\x11");
    assert!(terminal.wait().success() && terminal.is_cooked());
    let mut again = testkit::Terminal::spawn(command(words("attach shell"))).unwrap();
    again.send("\necho al''ive\n");
    let _alive = again.expect("alive");
    let mut exec = testkit::Terminal::spawn(command(words("exec -it shell sh"))).unwrap();
    let _prompt = exec.expect("# ");
    exec.send("exit 4\n");
    assert_eq!(exec.wait().code(), Some(4));
    again.send("exit 7\n");
    assert_eq!(again.wait().code(), Some(7));
    followed(host, &command);
    let _removed = host.tare(["rm", "-f", "shell", "followed"]).ok();
    let _removed = host.tare(["rmi", "attached"]).ok();
}

fn followed<C: Fn(Vec<String>) -> std::process::Command>(host: &Host, command: &C) {
    let script = "echo first; sleep 0.5; echo second";
    let _id = host
        .tare([
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            "followed",
            "attached",
            "sh",
            "-c",
            script,
        ])
        .ok();
    let begin = Instant::now();
    let logs = testkit::host::run(command(vec!["logs".into(), "-f".into(), "followed".into()]));
    assert_eq!(logs.ok(), "first\nsecond");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(Path::new("/proc").exists());
}
