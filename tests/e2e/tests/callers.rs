//! Debian's Docker, containerd and podman call `tare-runtime` as they call runc and crun.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::leak::{Snapshot, remove_cgroups};
use testkit::sandbox::Sandbox;
use testkit::{Outcome, Terminal, fixtures, peers};

/// A host of its own with the peers on it.
struct Place {
    scratch: tempfile::TempDir,
    /// The parent of all cgroups.
    cgroup: String,
    runtime: PathBuf,
    env: Vec<(&'static str, String)>,
    before: Snapshot,
}

impl Place {
    fn new(sandbox: &Sandbox) -> Option<Self> {
        let peers = peers::unpacked(&["docker", "podman"])?;
        let scratch = tempfile::Builder::new()
            .prefix("tare-test-")
            .tempdir()
            .unwrap();
        let name = scratch.path().file_name().unwrap().to_string_lossy();
        let cgroup = format!("/{name}");
        let runtime = fixtures::binary("tare-runtime");
        peers::lay_over_the_host(sandbox, &peers, scratch.path());
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        Some(Self {
            before: Snapshot::take(&cgroup),
            scratch,
            cgroup,
            runtime,
            env: Vec::new(),
        })
    }

    fn runtime(&self) -> &str {
        self.runtime.to_str().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// `words`, parted by spaces, then `last`, each by itself.
    fn command(&self, words: &str, last: &[&str]) -> Command {
        let mut words = words.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(last)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, words: &str, last: &[&str]) -> Outcome {
        Outcome::new(&self.command(words, last).output().unwrap())
    }

    /// Starts a daemon and waits until `answers` succeeds.
    fn start(&self, words: &str, answers: &str) -> Daemon {
        let log = self.file("log");
        let file = std::fs::File::create(&log).unwrap();
        let started = self
            .command(words, &[])
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn();
        let daemon = Daemon(started.unwrap());
        for _ in 0..1000 {
            if self.run(answers, &[]).code == 0 {
                return daemon;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{words}: {}", std::fs::read_to_string(log).unwrap());
    }

    /// Nothing is left but what peers keep for the next container.
    fn finish(self, kept: &[&str]) {
        let left = || -> Vec<String> {
            let facts = Snapshot::take(&self.cgroup).since(&self.before);
            let kept = |fact: &String| kept.iter().any(|k| fact.contains(k));
            facts.into_iter().filter(|f| !kept(f)).collect()
        };
        for _ in 0..250 {
            if left().is_empty() {
                break;
            }
            // What a peer does after its command has returned.
            std::thread::sleep(Duration::from_millis(20));
        }
        let left = left();
        remove_cgroups(&self.cgroup);
        assert_eq!(left, Vec::<String>::new(), "left behind");
    }
}

struct Daemon(Child);

impl Daemon {
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

/// Tells when it begins and when it is told something, and lives until it is killed.
const TALKER: &str = "trap 'echo caught' USR1; echo begun; while true; do sleep 0.02; done";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never comes: {what}");
}

fn is_unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The command that prints a container's memory limit from inside.
fn show_memory() -> &'static str {
    match is_unified() {
        true => "cat /sys/fs/cgroup/memory.max",
        false => "cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
    }
}

#[test]
fn containerd() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let Some(mut place) = Place::new(&sandbox) else {
        return;
    };
    let socket = place.file("containerd.sock");
    let config = format!(
        "version = 2\nroot = \"/var/lib/c\"\nstate = \"/run/c\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = {socket:?}\n"
    );
    let file = place.file("config.toml");
    std::fs::write(&file, config).unwrap();
    place
        .env
        .push(("CONTAINERD_ADDRESS", socket.display().to_string()));
    let daemon = place.start(
        &format!("containerd --config {}", file.display()),
        "ctr version",
    );
    let archive = fixtures::image("busybox.tar");
    let _imported = place
        .run("ctr images import", &[archive.to_str().unwrap()])
        .ok();
    let run = format!(
        "ctr run --runc-binary {} --cgroup {}/one",
        place.runtime(),
        place.cgroup
    );
    const IMAGE: &str = "docker.io/library/busybox:latest";
    let once = |args: &[&str]| {
        let all = [&["--rm", IMAGE, "one"], args].concat();
        place.run(&run, &all)
    };
    assert_eq!(once(&["echo", "out"]).ok(), "out");
    assert_eq!(once(&["sh", "-c", "exit 3"]).code, 3);
    let error = once(&["nosuch"]).fails(1);
    assert!(
        error.contains("executable file not found in $PATH"),
        "{error}"
    );

    let long = [
        "-d",
        "--memory-limit",
        "67108864",
        IMAGE,
        "two",
        "sh",
        "-c",
        TALKER,
    ];
    let _detached = place.run(&run, &long).ok();
    let status = || {
        let list = place.run("ctr tasks ls", &[]).ok();
        let line = list.lines().find(|l| l.starts_with("two")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(status(), "RUNNING");
    let exec = |options: &str, args: &[&str]| {
        let words = format!("ctr tasks exec --exec-id e {options} two");
        place.run(&words, args)
    };
    let shown = exec("--user 1:2 --cwd /tmp", &["sh", "-c", "id -u; id -g; pwd"]).ok();
    assert_eq!(shown, "1\n2\n/tmp");
    assert_eq!(exec("", &["sh", "-c", "exit 5"]).code, 5);
    let metrics = place.run("ctr tasks metrics two", &[]).ok();
    assert!(metrics.contains("67108864"), "{metrics}");
    let mut terminal =
        Terminal::spawn(place.command("ctr tasks exec -t --exec-id t two sh", &[])).unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("tty; echo $((6*7)); exit 6\n");
    let shown = terminal.expect("42");
    assert!(shown.contains("/dev/pts/"), "{shown}");
    assert_eq!(terminal.wait().code(), Some(6));

    let _paused = place.run("ctr tasks pause two", &[]).ok();
    assert_eq!(status(), "PAUSED");
    let _resumed = place.run("ctr tasks resume two", &[]).ok();
    let list = place.run("ctr tasks ps two", &[]).ok();
    assert!(list.lines().count() >= 2, "{list}");
    let _killed = place.run("ctr tasks kill -s 9 two", &[]).ok();
    until("the end", || status() == "STOPPED");
    // It exits with the task's code.
    let _deleted = place.run("ctr tasks delete two", &[]);
    let _removed = place.run("ctr containers rm two", &[]).ok();
    daemon.stop();
    place.finish(&[]);
}

#[test]
fn podman() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let Some(place) = Place::new(&sandbox) else {
        return;
    };
    let podman = format!(
        "podman --root /var/lib/p --runroot /run/p --tmpdir /run/pt --cgroup-manager cgroupfs --events-backend none --storage-driver overlay --runtime {}",
        place.runtime()
    );
    let run = format!(
        "{podman} run --network none --cgroup-parent {}",
        place.cgroup
    );
    let archive = fixtures::image("busybox.tar");
    let _loaded = place
        .run(
            &format!("{podman} load -q -i"),
            &[archive.to_str().unwrap()],
        )
        .ok();
    let once = |args: &[&str]| place.run(&run, &[&["--rm", "busybox"], args].concat());
    assert_eq!(once(&["echo", "out"]).ok(), "out");
    assert_eq!(once(&["sh", "-c", "exit 3"]).code, 3);
    let error = once(&["nosuch"]).fails(127);
    assert!(
        error.contains("executable file not found in $PATH"),
        "{error}"
    );
    let _refused = once(&["/etc"]).fails(126);

    let limited = [
        "-d", "--name", "c", "--memory", "64m", "busybox", "sh", "-c", TALKER,
    ];
    let _detached = place.run(&run, &limited).ok();
    let exec =
        |options: &str, args: &[&str]| place.run(&format!("{podman} exec {options} c"), args);
    assert_eq!(exec("", &["sh", "-c", show_memory()]).ok(), "67108864");
    let shown = exec(
        "-e A=b -w /tmp -u 1:2",
        &["sh", "-c", "echo $A; pwd; id -u; id -g"],
    );
    assert_eq!(shown.ok(), "b\n/tmp\n1\n2");
    assert_eq!(exec("", &["sh", "-c", "exit 5"]).code, 5);
    let _missing = exec("", &["nosuch"]).fails(127);
    let mut terminal =
        Terminal::spawn(place.command(&format!("{podman} exec -it c sh"), &[])).unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("tty; stty size; echo $((6*7)); exit 6\n");
    let shown = terminal.expect("42\r\n");
    assert!(
        shown.contains("/dev/pts/") && shown.contains("24 80"),
        "{shown}"
    );
    assert_eq!(terminal.wait().code(), Some(6));

    let on = |command: &str| place.run(&format!("{podman} {command} c"), &[]);
    let _updated = on("update --memory 32m").ok();
    assert_eq!(exec("", &["sh", "-c", show_memory()]).ok(), "33554432");
    let stats = on("stats --no-stream --format {{.PIDS}}").ok();
    assert!(stats.parse::<u32>().is_ok_and(|n| n > 0), "{stats}");
    assert!(on("top").ok().contains("sh -c trap"));
    let status = || on("inspect -f {{.State.Status}}").ok();
    let _paused = on("pause").ok();
    assert_eq!(status(), "paused");
    let _resumed = on("unpause").ok();
    let _told = on("kill -s USR1").ok();
    until("the log", || on("logs").ok() == "begun\ncaught");
    let _stopped = on("stop -t 0").ok();
    assert_eq!(on("inspect -f {{.State.ExitCode}}").ok(), "137");
    let _again = on("start").ok();
    assert_eq!(status(), "running");
    let _removed = on("rm -f -t 0").ok();
    place.finish(&["/conmon", "mount /var/lib/p", "mount /run/p"]);
}

#[test]
fn docker() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let Some(mut place) = Place::new(&sandbox) else {
        return;
    };
    let host = format!("unix://{}", place.file("docker.sock").display());
    place.env.push(("DOCKER_HOST", host.clone()));
    let daemon = place.start(
        &format!(
            "dockerd --data-root /var/lib/d --exec-root /run/d --pidfile /run/d.pid -H {host} --bridge=none --iptables=false --ip-masq=false --cgroup-parent {} --add-runtime tare={} --default-runtime tare",
            place.cgroup,
            place.runtime()
        ),
        "/usr/bin/docker version",
    );
    let docker =
        |command: &str, args: &[&str]| place.run(&format!("/usr/bin/docker {command}"), args);
    let archive = fixtures::image("busybox.tar");
    let _loaded = docker("load -q -i", &[archive.to_str().unwrap()]).ok();
    let once = |args: &[&str]| {
        let all = [&["--rm", "--network", "none", "busybox"], args].concat();
        docker("run", &all)
    };
    assert_eq!(once(&["echo", "out"]).ok(), "out");
    assert_eq!(once(&["sh", "-c", "exit 3"]).code, 3);
    let error = once(&["nosuch"]).fails(127);
    assert!(
        error.contains("executable file not found in $PATH"),
        "{error}"
    );
    let _refused = once(&["/etc"]).fails(126);

    let _detached = docker(
        "run -d --name one --network none --memory 64m busybox sh -c",
        &[TALKER],
    )
    .ok();
    let exec = |options: &str, args: &[&str]| docker(&format!("exec {options} one"), args);
    assert_eq!(exec("", &["sh", "-c", show_memory()]).ok(), "67108864");
    let shown = exec(
        "-e A=b -w /tmp -u 1:2",
        &["sh", "-c", "echo $A; pwd; id -u; id -g"],
    );
    assert_eq!(shown.ok(), "b\n/tmp\n1\n2");
    assert_eq!(exec("", &["sh", "-c", "exit 5"]).code, 5);
    let missing = exec("", &["nosuch"]);
    assert!(missing.code == 126 || missing.code == 127, "{missing:?}");
    let mut terminal =
        Terminal::spawn(place.command("/usr/bin/docker exec -it one sh", &[])).unwrap();
    let _prompt = terminal.expect("# ");
    terminal.send("tty; stty size; echo $((6*7)); exit 6\n");
    let shown = terminal.expect("42\r\n");
    assert!(
        shown.contains("/dev/pts/") && shown.contains("24 80"),
        "{shown}"
    );
    assert_eq!(terminal.wait().code(), Some(6));

    let on = |command: &str| docker(&format!("{command} one"), &[]);
    let _updated = on("update --memory 32m --memory-swap 32m --cpus .5 --pids-limit 33").ok();
    assert_eq!(exec("", &["sh", "-c", show_memory()]).ok(), "33554432");
    let stats = on("stats --no-stream --format {{.PIDs}}").ok();
    assert!(stats.parse::<u32>().is_ok_and(|n| n > 0), "{stats}");
    assert!(on("top").ok().contains("sh -c trap"));
    let status = || on("inspect -f {{.State.Status}}").ok();
    let _paused = on("pause").ok();
    assert_eq!(status(), "paused");
    let _resumed = on("unpause").ok();
    let _told = on("kill -s USR1").ok();
    until("the log", || on("logs").ok() == "begun\ncaught");
    let _stopped = on("stop -t 0").ok();
    assert_eq!(on("inspect -f {{.State.ExitCode}}").ok(), "137");
    let _again = on("start").ok();
    assert_eq!(status(), "running");
    let _removed = on("rm -f").ok();
    daemon.stop();
    place.finish(&["mount /run/d", "mount /var/lib/d"]);
}
