//! Bad input gives one clear line that names what, why and what to do, the right exit code, and nothing half made.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    truncated_and_malformed_archives,
    a_wrong_digest_is_refused,
    unknown_flags_and_commands,
    flags_out_of_range,
    a_full_disk_is_an_error_and_nothing_more,
    a_failed_start_leaves_no_container_with_rm,
);

/// The one line that a failed command says, hints aside.
#[track_caller]
fn one_line(stderr: &str) -> &str {
    let lines: Vec<&str> = stderr.lines().filter(|l| !l.is_empty()).collect();
    assert!(
        (1..=4).contains(&lines.len()),
        "a line and a hint, not a page: {stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    lines[0]
}

#[expect(clippy::disallowed_methods, reason = "gzip is the independent witness")]
fn gzip(path: &Path) -> Vec<u8> {
    let output = Command::new("gzip").arg("-c").arg(path).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn truncated_and_malformed_archives(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let dir = host.scratch();
    let root = testkit::fixtures::image("busybox-root.tar");
    let whole = gzip(&root);
    let cut = file(&dir, "cut.tar.gz", &whole[..whole.len() / 2]);
    let said = host.tare(["import", cut.to_str().unwrap(), "cut"]).fails(1);
    assert!(
        one_line(&said).contains("end") || said.contains("truncated"),
        "{said}"
    );
    let mut flipped = fs::read(&root).unwrap();
    flipped[1] ^= 0xff;
    let flipped = file(&dir, "flipped.tar", &flipped);
    let said = host
        .tare(["import", flipped.to_str().unwrap(), "flipped"])
        .fails(1);
    assert!(one_line(&said).contains("checksum"), "{said}");
    let noise = file(&dir, "noise.tar", &[0x5a; 4096]);
    let said = host.tare(["load", "-i", noise.to_str().unwrap()]).fails(1);
    let _line = one_line(&said);
    let empty = file(&dir, "empty.tar", &[]);
    let said = host.tare(["load", "-i", empty.to_str().unwrap()]).fails(1);
    let _line = one_line(&said);
    let said = host.tare(["load", "-i", "/no/such/file.tar"]).fails(1);
    assert!(one_line(&said).contains("/no/such/file.tar"), "{said}");
    assert_eq!(host.tare(["images", "-aq"]).ok(), "");
    host.finish();
}

fn a_wrong_digest_is_refused(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let dir = host.scratch();
    let archive = testkit::fixtures::image("busybox.tar");
    let unpacked = dir.join("archive");
    fs::create_dir(&unpacked).unwrap();
    tar(&[
        "-xf",
        archive.to_str().unwrap(),
        "-C",
        unpacked.to_str().unwrap(),
    ]);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(unpacked.join("manifest.json")).unwrap()).unwrap();
    let config = unpacked.join(manifest[0]["Config"].as_str().unwrap());
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    text["rootfs"]["diff_ids"][0] = format!("sha256:{}", "0".repeat(64)).into();
    let name = config.file_name().unwrap().to_str().unwrap();
    let _path = file(config.parent().unwrap(), name, text.to_string().as_bytes());
    let wrong = dir.join("wrong.tar");
    tar(&[
        "-cf",
        wrong.to_str().unwrap(),
        "-C",
        unpacked.to_str().unwrap(),
        ".",
    ]);
    let said = host.tare(["load", "-i", wrong.to_str().unwrap()]).fails(1);
    assert!(one_line(&said).contains("sha256:"), "{said}");
    assert_eq!(host.tare(["images", "-aq"]).ok(), "");
    host.finish();
}

#[expect(clippy::disallowed_methods, reason = "tar is the independent witness")]
fn tar(args: &[&str]) {
    assert!(Command::new("tar").args(args).status().unwrap().success());
}

fn unknown_flags_and_commands(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let said = host.tare(["run", "--no-such-flag", "busybox"]).fails(125);
    assert!(
        said.contains("--no-such-flag") && said.contains("tare run --help"),
        "{said}"
    );
    let said = host.tare(["rnu"]).fails(1);
    assert!(
        said.contains("rnu") && said.contains("run"),
        "did you mean: {said}"
    );
    let said = host.tare(["run"]).fails(125);
    assert!(
        said.contains("IMAGE") || said.contains("requires at least 1 argument"),
        "{said}"
    );
    let said = host.tare(["rm"]).fails(1);
    assert!(said.contains("requires at least 1 argument"), "{said}");
    host.finish();
}

fn flags_out_of_range(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for (args, names) in [
        (["-m", "1m"], "6MB"),
        (["-m", "lots"], "lots"),
        (["--cpus", "100000"], "CPUs"),
        (["--pids-limit", "many"], "many"),
        (["--network", "nowhere"], "nowhere"),
        (["-v", "relative/../path:/x:ro:z:z"], "relative"),
        (["-v", ":/x"], ":/x"),
        (["--hostname", "a\n1.2.3.4 evil"], "hostname"),
        (["--cap-add", "NO_SUCH_CAP"], "NO_SUCH_CAP"),
        (["--security-opt", "nonsense"], "nonsense"),
        (
            ["--security-opt", "seccomp=/no/such/profile"],
            "/no/such/profile",
        ),
        (
            ["--sysctl", "kernel.core_pattern=|x"],
            "kernel.core_pattern",
        ),
        (["--ulimit", "nofile=2:1"], "nofile"),
        (["--stop-signal", "NOSIG"], "NOSIG"),
    ] {
        let said = host
            .tare(
                ["run", "--rm"]
                    .iter()
                    .chain(&args)
                    .chain(&["busybox", "true"]),
            )
            .fails(125);
        assert!(one_line(&said).contains(names), "{args:?}: {said}");
    }
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "");
    host.finish();
}

fn a_full_disk_is_an_error_and_nothing_more(sandbox: &Sandbox, transport: Transport) {
    // A small file system of its own is mounted where this engine keeps its root.
    let outer = Host::new(sandbox, Transport::Embedded);
    let image = outer.scratch().join("disk");
    let root = outer.scratch().join("mounted");
    fs::create_dir(&root).unwrap();
    fs::File::create(&image).unwrap().set_len(6 << 20).unwrap();
    run_tool("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
    run_tool(
        "mount",
        &[
            "-o",
            "loop",
            image.to_str().unwrap(),
            root.to_str().unwrap(),
        ],
    );
    let full = |args: &[&str]| {
        let mut command = outer.command(args);
        command
            .env("TARE_ROOT", root.join("tare"))
            .env("TARE_HOST", "embedded");
        testkit::host::run(command)
    };
    let debian = testkit::fixtures::image("debian-root.tar");
    let said = full(&["import", debian.to_str().unwrap(), "debian"]).fails(1);
    assert!(
        one_line(&said).to_lowercase().contains("no space left"),
        "{said}"
    );
    assert_eq!(
        full(&["images", "-aq"]).ok(),
        "",
        "and it can still be asked"
    );
    assert_eq!(full(&["internal", "check"]).ok(), "");
    assert_eq!(full(&["ps", "-a", "-q"]).ok(), "");
    run_tool("umount", &[root.to_str().unwrap()]);
    outer.finish();
    let _ = transport;
}

#[expect(clippy::disallowed_methods, reason = "a test's own file system")]
fn run_tool(program: &str, args: &[&str]) {
    assert!(
        Command::new(program).args(args).status().unwrap().success(),
        "{program} {args:?}"
    );
}

fn a_failed_start_leaves_no_container_with_rm(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let _said = host
        .tare(["run", "--rm", "--name", "x1", "busybox", "no-such-program"])
        .fails(127);
    let _said = host
        .tare([
            "run",
            "-d",
            "--rm",
            "--name",
            "x1",
            "busybox",
            "no-such-program",
        ])
        .fails(127);
    assert_eq!(host.tare(["ps", "-aq"]).ok(), "");
    // Without --rm it stays, as created, to be looked at.
    let _said = host
        .tare(["run", "--name", "x1", "busybox", "no-such-program"])
        .fails(127);
    assert_eq!(
        host.tare([
            "inspect",
            "-f",
            "{{.State.Status}} {{.State.ExitCode}}",
            "x1"
        ])
        .ok(),
        "created 127"
    );
    host.finish();
}
