//! What changes a container that is there, over both transports: pause, rename, update; and what is seen of it: top, stats.
#![allow(clippy::unwrap_used, reason = "tests")]

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    paused_processes_stand_still_and_can_be_ended,
    names_are_given_anew,
    limits_are_changed_while_it_runs,
    processes_are_listed,
    use_is_told_once_and_again,
);

fn sleeper(sandbox: &Sandbox, transport: Transport) -> Host {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare(["run", "-d", "--name", "web", "busybox", "sleep", "1000"])
        .ok();
    host
}

fn inspect(host: &Host, format: &str) -> String {
    host.tare(["inspect", "-f", format, "web"]).ok()
}

const STATE: &str = "{{.State.Status}} {{.State.Running}} {{.State.Paused}}";

fn paused_processes_stand_still_and_can_be_ended(sandbox: &Sandbox, transport: Transport) {
    let host = sleeper(sandbox, transport);
    assert_eq!(host.tare(["pause", "web"]).ok(), "web");
    assert_eq!(inspect(&host, STATE), "paused true true");
    let status = host.tare(["ps", "--format", "{{.Status}} {{.State}}"]).ok();
    assert!(status.ends_with("(Paused) paused"), "{status}");
    let list = |status: &str| {
        host.tare(["ps", "-aq", "--filter", &format!("status={status}")])
            .ok()
    };
    assert!(!list("paused").is_empty() && list("running").is_empty());
    let counts = "{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}";
    assert_eq!(host.tare(["info", "-f", counts]).ok(), "0 1 0");
    for (args, words) in [
        (["pause", "web"].as_slice(), "is already paused"),
        (&["start", "web"], "cannot start a paused container"),
        (
            &["exec", "web", "true"],
            "unpause the container before exec",
        ),
        (&["rm", "web"], "must be unpaused first"),
    ] {
        let said = host.tare(args).stderr;
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(host.tare(["container", "unpause", "web"]).ok(), "web");
    assert_eq!(inspect(&host, STATE), "running true false");
    assert_eq!(host.tare(["exec", "web", "echo", "moves"]).ok(), "moves");
    let said = host.tare(["unpause", "web"]).fails(1);
    assert!(said.contains("is not paused"), "{said}");
    // A signal that is to end it ends it.
    for end in [["stop", "-t", "20", "web"].as_slice(), &["kill", "web"]] {
        let _out = host.tare(["pause", "web"]).ok();
        let _out = host.tare(end).ok();
        assert_eq!(inspect(&host, STATE), "exited false false");
        let _out = host.tare(["start", "web"]).ok();
        assert_eq!(inspect(&host, STATE), "running true false");
    }
    let _out = host.tare(["pause", "web"]).ok();
    let _out = host.tare(["rm", "-f", "web"]).ok();
    let said = host.tare(["pause", "web"]).fails(1);
    assert!(said.contains("No such container: web"), "{said}");
    let _id = host.tare(["create", "--name", "web", "busybox"]).ok();
    let said = host.tare(["pause", "web"]).fails(1);
    assert!(said.contains("is not running"), "{said}");
    host.finish();
}

fn names_are_given_anew(sandbox: &Sandbox, transport: Transport) {
    let host = sleeper(sandbox, transport);
    let _id = host.tare(["create", "--name", "other", "busybox"]).ok();
    assert_eq!(host.tare(["rename", "web", "shop"]).ok(), "");
    assert_eq!(host.tare(["exec", "shop", "echo", "here"]).ok(), "here");
    for (args, words) in [
        (["rename", "web", "x1"], "No such container: web"),
        (
            ["rename", "shop", "other"],
            "is already in use by container",
        ),
        (["rename", "shop", "shop"], "same name as its current name"),
        (["rename", "shop", ""], "may be empty"),
        (["rename", "shop", "a b"], "Invalid container name (a b)"),
    ] {
        let said = host.tare(args).fails(1);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    // What its monitor tells of it has the new name.
    let _out = host.tare(["stop", "-t", "0", "shop"]).ok();
    let _out = host.tare(["container", "rename", "shop", "web"]).ok();
    let events = |format: &str, event: &str| {
        let text = host.tare([
            "events", "--since", "10m", "--until", "0s", "--format", format, "--filter", event,
        ]);
        text.ok()
    };
    let name = "{{.Actor.Attributes.name}}";
    assert_eq!(events(name, "event=die"), "shop");
    let renamed = events(
        &format!("{{{{.Actor.Attributes.oldName}}}} {name}"),
        "event=rename",
    );
    assert_eq!(renamed, "/web shop\n/shop web");
    host.finish();
}

/// A file of the container's cgroup, of whichever version has it.
fn limit(host: &Host, files: [&str; 2]) -> String {
    let id = inspect(host, "{{.Id}}");
    let below = format!("{}/{id}", host.cgroup().trim_start_matches('/'));
    let paths = [
        format!(
            "/sys/fs/cgroup/{}/{below}/{}",
            controller(files[0]),
            files[0]
        ),
        format!("/sys/fs/cgroup/{below}/{}", files[1]),
        format!("/sys/fs/cgroup/unified/{below}/{}", files[1]),
    ];
    let text = paths
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok());
    text.unwrap_or_else(|| panic!("none of {paths:?}"))
        .trim()
        .to_owned()
}

fn controller(file: &str) -> &str {
    file.split_once('.').unwrap().0
}

fn limits_are_changed_while_it_runs(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _id = host
        .tare([
            "run", "-d", "--name", "web", "-m", "64m", "busybox", "sleep", "1000",
        ])
        .ok();
    let memory = || limit(&host, ["memory.limit_in_bytes", "memory.max"]);
    let pids = || limit(&host, ["pids.max", "pids.max"]);
    assert_eq!(memory(), (64 << 20).to_string());
    let out = host
        .tare([
            "update",
            "-m",
            "96m",
            "--pids-limit",
            "33",
            "--cpus",
            "0.5",
            "--cpuset-cpus",
            "0",
            "--cpu-shares",
            "512",
            "web",
        ])
        .ok();
    assert_eq!(out, "web");
    assert_eq!(memory(), (96 << 20).to_string());
    assert_eq!(pids(), "33");
    let quota = limit(&host, ["cpu.cfs_quota_us", "cpu.max"]);
    assert!(quota.starts_with("50000"), "{quota}");
    let shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}} {{.HostConfig.CpuShares}}";
    let expected = format!("{} {} 33 500000000 0 512", 96 << 20, 128 << 20);
    assert_eq!(inspect(&host, shown), expected);
    // No limit is a limit too, and what was set is there after a start.
    let _out = host.tare(["update", "--pids-limit", "-1", "web"]).ok();
    assert_eq!(pids(), "max");
    let _out = host.tare(["restart", "-t", "0", "web"]).ok();
    assert_eq!(memory(), (96 << 20).to_string());
    for (args, words) in [
        (
            ["update", "-m", "200m", "web"].as_slice(),
            "already set memoryswap limit",
        ),
        (
            &["update", "-m", "1m", "web"],
            "Minimum memory limit allowed is 6MB",
        ),
        (
            &["update", "--cpu-quota", "5000", "web"],
            "NanoCPUs has already been set",
        ),
        (&["update", "--cpus", "9999", "web"], "range of CPUs"),
        (
            &["update", "--cpuset-cpus", "x", "web"],
            "Invalid value x for cpuset cpus",
        ),
        (&["update", "--cpuset-cpus", "4000", "web"], "4000"),
        (
            &["update", "-m", "64m", "nobody"],
            "No such container: nobody",
        ),
    ] {
        let said = host.tare(args).fails(1);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(
        inspect(&host, shown.split(' ').next().unwrap()),
        (96 << 20).to_string()
    );
    let said = host.tare(["update", "web"]).fails(125);
    assert!(
        said.contains("you must provide one or more flags"),
        "{said}"
    );
    // One that does not run gets them with its next start.
    let _out = host.tare(["stop", "-t", "0", "web"]).ok();
    let _out = host.tare(["update", "-m", "80m", "web"]).ok();
    let _out = host.tare(["start", "web"]).ok();
    assert_eq!(memory(), (80 << 20).to_string());
    host.finish();
}

fn processes_are_listed(sandbox: &Sandbox, transport: Transport) {
    let host = sleeper(sandbox, transport);
    let _out = host.tare(["exec", "-d", "web", "sleep", "2000"]).ok();
    let usual = host.tare(["top", "web"]).ok();
    let mut lines = usual.lines();
    let titles: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        titles,
        ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    );
    let pid = inspect(&host, "{{.State.Pid}}");
    let first: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!((first[0], first[1]), ("root", pid.as_str()));
    assert!(
        usual.contains("sleep 1000") && usual.contains("sleep 2000"),
        "{usual}"
    );
    if std::path::Path::new("/usr/bin/ps").exists() {
        let chosen = host.tare(["container", "top", "web", "-o", "pid,cmd"]).ok();
        let lines: Vec<Vec<&str>> = chosen
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["PID", "CMD"]);
        assert!(
            lines.contains(&vec![pid.as_str(), "sleep", "1000"]),
            "{chosen}"
        );
        assert_eq!(lines.len(), 3, "{chosen}");
        let aux = host.tare(["top", "web", "aux"]).ok();
        assert!(aux.lines().count() == 3 && aux.contains("%CPU"), "{aux}");
        for (args, words) in [
            (
                ["top", "web", "-o", "cmd"].as_slice(),
                "Couldn't find PID field",
            ),
            (&["top", "web", "-o", "cmd=PID"], "is not allowed"),
            (&["top", "web", "--nonsense"], "error running ps"),
        ] {
            let said = host.tare(args).fails(1);
            assert!(said.contains(words), "{args:?}: {said}");
        }
    }
    let _out = host.tare(["stop", "-t", "0", "web"]).ok();
    let said = host.tare(["top", "web"]).fails(1);
    assert!(said.contains("is not running"), "{said}");
    host.finish();
}

fn use_is_told_once_and_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let busy = "while true; do :; done";
    let _id = host
        .tare([
            "run", "-d", "--name", "web", "-m", "64m", "busybox", "sh", "-c", busy,
        ])
        .ok();
    let _id = host.tare(["create", "--name", "idle", "busybox"]).ok();
    let table = host.tare(["stats", "--no-stream"]).ok();
    let (title, row) = table.split_once('\n').unwrap();
    assert!(
        title.starts_with("CONTAINER ID   NAME      CPU %"),
        "{title}"
    );
    assert!(row.contains("web") && row.contains("/ 64MiB"), "{row}");
    assert!(
        !table.contains("idle") && !table.contains('\x1b'),
        "{table}"
    );
    let format = "{{.Name}} {{.CPUPerc}} {{.PIDs}}";
    let all = host
        .tare(["stats", "--no-stream", "-a", "--format", format])
        .ok();
    let lines: Vec<Vec<&str>> = all
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let web = lines.iter().find(|line| line[0] == "web").unwrap();
    let share: f64 = web[1].trim_end_matches('%').parse().unwrap();
    assert!(share > 0.0 && web[2] == "1", "{all}");
    assert!(lines.contains(&vec!["idle", "0.00%", "0"]), "{all}");
    let said = host.tare(["stats", "--no-stream", "nobody"]).fails(1);
    assert!(said.contains("No such container: nobody"), "{said}");
    // A stream goes on until its reader goes.
    let mut child = host
        .command(["stats", "--format", "{{.Name}}", "web"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let lines: Vec<String> = std::io::BufRead::lines(out)
        .take(2)
        .map(Result::unwrap)
        .collect();
    assert_eq!(lines, ["web", "web"]);
    child.kill().unwrap();
    child.wait().unwrap();
    host.finish();
}

#[test]
fn stock_clients_see_the_same() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    let host = sleeper(&sandbox, Transport::Socket);
    let clients = testkit::fixtures::docker_clients();
    assert!(!clients.is_empty(), "no docker client");
    for client in &clients {
        let docker = |args: &[&str]| testkit::host::run(host.docker(client, args));
        assert_eq!(docker(&["pause", "web"]).ok(), "web");
        assert_eq!(inspect(&host, STATE), "paused true true");
        assert_eq!(docker(&["unpause", "web"]).ok(), "web");
        let _out = docker(&["rename", "web", "shop"]).ok();
        let _out = docker(&["rename", "shop", "web"]).ok();
        assert_eq!(docker(&["top", "web"]).ok(), host.tare(["top", "web"]).ok());
        let _out = docker(&["update", "-m", "64m", "--memory-swap", "-1", "web"]).ok();
        let swap = inspect(&host, "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}");
        assert_eq!(swap, format!("{} -1", 64 << 20));
        let stats = docker(&[
            "stats",
            "--no-stream",
            "--format",
            "{{.Name}} {{.MemUsage}} {{.PIDs}}",
        ]);
        let stats = stats.ok();
        assert!(
            stats.starts_with("web ") && stats.ends_with("/ 64MiB 1"),
            "{stats}"
        );
    }
    host.finish();
}
