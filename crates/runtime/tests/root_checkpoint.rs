//! Containers become files and go on: through CRIU, which `xtask` brings into the guest.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod bundle;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bundle::Bundle;
use spec::runtime::NamespaceKind;

macro_rules! sandboxed {
    () => {
        let Some(_sandbox) = testkit::sandbox!() else {
            return;
        };
    };
}

/// Whether CRIU is there and can do something on this kernel.
fn has_criu() -> bool {
    // It asks by a connection to itself what the kernel can do.
    kernel::netlink::loopback_up().unwrap();
    let checked = Command::new("criu").arg("check").output();
    let works = checked.as_ref().is_ok_and(|output| output.status.success());
    if !works {
        assert!(
            !testkit::sandbox::requires("criu"),
            "this test needs a working criu, and TARE_TEST_REQUIRE=criu forbids to skip it: {checked:?}"
        );
        testkit::note("SKIP this test needs a criu that works on this kernel");
    }
    works
}

/// A container that counts.
fn counting() -> Bundle {
    let mut bundle =
        Bundle::new("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; sleep 0.02; done");
    // CRIU locks a network namespace with iptables, which the guest doesn't have.
    bundle
        .linux()
        .namespaces
        .retain(|n| n.kind != NamespaceKind::Network);
    bundle.write_config();
    bundle
}

/// Runs a command whose streams are the container's, and gives the numbers that come. CRIU takes pipes, and no files of the host's.
fn begin(bundle: &Bundle, args: &[&str]) -> Receiver<u64> {
    let (reader, writer) = std::io::pipe().unwrap();
    let errors = bundle.path().join("errors");
    let (quiet, _) = std::io::pipe().unwrap();
    let status = bundle
        .command(args)
        .stdin(Stdio::from(quiet))
        .stdout(Stdio::from(writer.try_clone().unwrap()))
        .stderr(Stdio::from(writer))
        .status()
        .unwrap();
    let (sender, numbers) = channel();
    let complaints = errors.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap();
            match line.parse() {
                Ok(number) => drop(sender.send(number)),
                Err(_) => std::fs::write(&complaints, line).unwrap(),
            }
        }
    });
    std::thread::sleep(Duration::from_millis(50));
    let error = std::fs::read_to_string(errors).unwrap_or_default();
    assert!(status.success(), "{args:?}: {error}");
    numbers
}

fn next(numbers: &Receiver<u64>) -> u64 {
    numbers.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn last(numbers: &Receiver<u64>) -> u64 {
    numbers.iter().last().unwrap()
}

#[test]
fn a_counting_container_goes_on_counting() {
    sandboxed!();
    if !has_criu() {
        return;
    }
    let bundle = counting();
    let (path, id) = (bundle.path().to_str().unwrap(), bundle.id.as_str());
    let images = bundle.path().join("images");
    let images = images.to_str().unwrap();
    let numbers = begin(&bundle, &["run", "-d", "-b", path, id]);
    while next(&numbers) < 3 {}
    bundle
        .call(&["checkpoint", "--image-path", images, id])
        .succeeds();
    bundle.call(&["state", id]).fails(1);
    let before = last(&numbers);

    let pid_file = bundle.path().join("pid");
    let numbers = begin(
        &bundle,
        &[
            "restore",
            "-d",
            "--image-path",
            images,
            "-b",
            path,
            "--pid-file",
            pid_file.to_str().unwrap(),
            id,
        ],
    );
    let after = next(&numbers);
    assert!((before..=before + 2).contains(&after), "{before} {after}");
    assert_eq!(bundle.status(), "running");
    assert_eq!(
        std::fs::read_to_string(pid_file).unwrap(),
        bundle.pid().to_string()
    );
    assert!(
        bundle
            .cgroup_file("pids", "cgroup.procs")
            .lines()
            .any(|pid| pid == bundle.pid().to_string())
    );
    assert_eq!(bundle.exec(&["hostname"]).succeeds(), "inside\n");
    let masked = bundle.exec(&["cat", "/proc/keys", "/proc/timer_list"]);
    assert_eq!(masked.succeeds(), "");

    // Again, in two steps, and it isn't disturbed.
    let parent = format!("{images}-parent");
    bundle
        .call(&["checkpoint", "--pre-dump", "--image-path", &parent, id])
        .succeeds();
    let second = format!("{images}-second");
    bundle
        .call(&[
            "checkpoint",
            "--image-path",
            &second,
            "--parent-path",
            "../images-parent",
            "--leave-running",
            id,
        ])
        .succeeds();
    assert_eq!(bundle.status(), "running");
    let now = next(&numbers);
    while next(&numbers) < now + 3 {}
    bundle.call(&["delete", "--force", id]).succeeds();
}

#[test]
fn a_restore_in_the_foreground_has_the_programs_code() {
    sandboxed!();
    if !has_criu() {
        return;
    }
    let mut bundle = counting();
    bundle.args(&[
        "sh",
        "-c",
        "echo 1; trap 'exit 7' TERM; while true; do sleep 0.02; done",
    ]);
    bundle.write_config();
    let (path, id) = (bundle.path().to_str().unwrap(), bundle.id.as_str());
    let images = bundle.path().join("images");
    let images = images.to_str().unwrap();
    let numbers = begin(&bundle, &["run", "-d", "-b", path, id]);
    assert_eq!(next(&numbers), 1);
    bundle
        .call(&["checkpoint", "--image-path", images, id])
        .succeeds();
    let (_reader, writer) = std::io::pipe().unwrap();
    let (quiet, _) = std::io::pipe().unwrap();
    let mut restore = bundle
        .command(&["restore", "--image-path", images, "-b", path, id])
        .stdin(Stdio::from(quiet))
        .stdout(Stdio::from(writer.try_clone().unwrap()))
        .stderr(Stdio::from(writer))
        .spawn()
        .unwrap();
    for _ in 0..3000 {
        let state = bundle.call(&["state", id]);
        if state.out.contains("\"running\"") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bundle.call(&["kill", id, "TERM"]).succeeds();
    assert_eq!(restore.wait().unwrap().code(), Some(7));
    bundle.call(&["state", id]).fails(1);
}

#[test]
fn without_criu_it_is_told_what_to_install() {
    sandboxed!();
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let images = bundle.path().join("images");
    let images = images.to_str().unwrap();
    let path = bundle.path().to_str().unwrap();
    for args in [
        &["checkpoint", "--image-path", images, &bundle.id][..],
        &["restore", "--image-path", images, "-b", path, "other"],
    ] {
        let output = bundle
            .command(args)
            .env("PATH", "/nosuch")
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("install CRIU"), "{error}");
    }
    assert_eq!(bundle.status(), "running");
    bundle.call(&["pause", &bundle.id]).succeeds();
    bundle.call(&["resume", &bundle.id]).succeeds();
    bundle.call(&["state", "other"]).fails(1);
    bundle.call(&["kill", &bundle.id, "KILL"]).succeeds();
    bundle.wait();
    let error = bundle.call(&["checkpoint", &bundle.id]).fails(1);
    assert!(
        error.contains("cannot be checkpointed in stopped state"),
        "{error}"
    );
}
