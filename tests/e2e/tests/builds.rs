//! Images are built: by `tare build`, in place and streamed, and by stock `docker` clients.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    a_directory_is_built_and_built_again,
    the_dockerfile_comes_from_anywhere,
    a_failing_step_shows_where_and_what,
    mistakes_are_underlined,
    a_build_ends_when_its_user_does,
    commands_are_shown_what_they_mount,
    archives_modes_and_owners_are_what_was_asked,
);

/// A context on disk.
fn context(host: &Host, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = host.scratch().join(name);
    for (path, content) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn a_directory_is_built_and_built_again(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = "FROM busybox AS base\nARG WHO=nobody\nCOPY . /all/\nRUN echo \"$WHO $(ls /all)\" > /said\n\
        FROM base AS unneeded\nRUN false\nFROM base\nENV A=b\nLABEL l=1\nCMD [\"cat\", \"/said\"]\n";
    let files = [
        ("Dockerfile", file),
        (".dockerignore", "secret\n*.log\n!keep.log\n"),
        ("one", "1"),
        ("secret", "no"),
        ("drop.log", "no"),
        ("keep.log", "yes"),
    ];
    let path = context(&host, "context", &files);
    let idfile = host.scratch().join("id");
    let built = host.tare([
        "build",
        "-t",
        "one:1",
        "-t",
        "two",
        "--build-arg",
        "WHO=me",
        "--label",
        "m=2",
        "--iidfile",
        text(&idfile),
        text(&path),
    ]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(built.stderr.contains("DONE"), "{}", built.stderr);
    let id = fs::read_to_string(&idfile).unwrap();
    assert_eq!(
        host.tare(["run", "--rm", "two"]).ok(),
        "me Dockerfile\nkeep.log\none"
    );
    let inspect = |format: &str| host.tare(["inspect", "-f", format, "one:1"]).ok();
    assert_eq!(inspect("{{.Id}}"), id);
    assert_eq!(inspect("{{.Config.Labels.l}}{{.Config.Labels.m}}"), "12");
    // It was made just now, and says nothing of that in itself.
    let since = host
        .tare(["images", "--format", "{{.CreatedSince}}", "two"])
        .ok();
    assert!(since.contains("second"), "{since}");
    // The same again, quietly; then one file more counts, and one that is left out doesn't.
    let again = |args: &[&str]| {
        let mut all = vec!["build", "--build-arg", "WHO=me", "--label", "m=2"];
        all.extend(args);
        all.push(text(&path));
        host.tare(all)
    };
    assert_eq!(again(&["-q"]).ok(), id);
    fs::write(path.join("more.log"), "no").unwrap();
    let cached = again(&[]);
    assert!(!cached.stderr.contains("DONE 0.1"), "{}", cached.stderr);
    assert_eq!(
        cached.stderr.matches("CACHED").count(),
        2,
        "{}",
        cached.stderr
    );
    fs::write(path.join("more"), "yes").unwrap();
    assert_ne!(again(&["-q"]).ok(), id);
    fs::remove_file(path.join("more")).unwrap();
    // From nothing the same comes out of what RUN does not date: COPY.
    let target = again(&["-q", "--no-cache", "--target", "base"]).ok();
    assert_ne!(target, id);
    host.finish();
}

fn the_dockerfile_comes_from_anywhere(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let path = context(
        &host,
        "context",
        &[
            ("f", "in"),
            ("sub/My.Dockerfile", "FROM busybox\nCOPY f /f\n"),
        ],
    );
    let other = context(
        &host,
        "other",
        &[
            ("g", "named"),
            ("D", "FROM busybox\nCOPY --from=named g /g\n"),
        ],
    );
    let file = path.join("sub/My.Dockerfile");
    let by_flag = host
        .tare(["build", "-q", "-f", text(&file), text(&path)])
        .ok();
    let input = b"FROM busybox\nCOPY f /f\n";
    let by_input = host
        .tare_with_input(["build", "-q", "-f", "-", text(&path)], input)
        .ok();
    assert_eq!(by_flag, by_input);
    let alone = host
        .tare_with_input(
            ["build", "-q", "-t", "alone", "-"],
            b"FROM busybox\nRUN echo hi > /hi\n",
        )
        .ok();
    assert!(alone.starts_with("sha256:"));
    // A tar of the same files is the same image.
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", &path).unwrap();
    let tar = tar.into_inner().unwrap();
    let by_tar = host
        .tare_with_input(["build", "-q", "-f", "sub/My.Dockerfile", "-"], &tar)
        .ok();
    assert_eq!(by_tar, by_flag);
    let named = format!("named={}", text(&other));
    let file = other.join("D");
    let _named = host
        .tare([
            "build",
            "-q",
            "-t",
            "n",
            "--build-context",
            &named,
            "-f",
            text(&file),
            text(&path),
        ])
        .ok();
    assert_eq!(host.tare(["run", "--rm", "n", "cat", "/g"]).ok(), "named");
    // An image in another's place.
    let _image = host.tare([
        "build",
        "-q",
        "-t",
        "i",
        "--build-context",
        "nosuch=docker-image://n",
        "-f",
        "-",
        text(&path),
    ]);
    let _image = host
        .tare_with_input(
            [
                "build",
                "-q",
                "-t",
                "i",
                "--build-context",
                "nosuch=docker-image://n",
                "-",
            ],
            b"FROM nosuch\nRUN cat /g\n",
        )
        .ok();
    let error = host
        .tare(["build", text(&host.scratch().join("missing"))])
        .fails(1);
    assert!(error.contains("not found"), "{error}");
    let error = host.tare(["build", text(&other)]).fails(1);
    assert!(error.contains("failed to read dockerfile"), "{error}");
    host.finish();
}

fn a_failing_step_shows_where_and_what(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = "FROM busybox\nRUN echo before; \\\n    echo gone wrong >&2; exit 7\n";
    let path = context(&host, "context", &[("Dockerfile", file)]);
    for progress in ["plain", "quiet"] {
        let error = host
            .tare(["build", "--progress", progress, text(&path)])
            .fails(1);
        for part in [
            "gone wrong",
            "Dockerfile:2:1",
            "^^^",
            "returned a non-zero code: 7",
        ] {
            assert!(error.contains(part), "{progress}: {part}: {error}");
        }
    }
    let raw = host
        .tare(["build", "--progress", "rawjson", text(&path)])
        .fails(1);
    let last = raw.lines().rfind(|line| line.starts_with('{')).unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["failure"]["code"], 7);
    // A shell where it stopped: what it did until then is there.
    let file = "FROM busybox\nENV A=b\nWORKDIR /w\nRUN echo made > f; exit 1\n";
    let path = context(&host, "shell", &[("Dockerfile", file)]);
    let shell = host.tare_with_input(
        ["build", "--on-error", "shell", text(&path)],
        b"cat f; echo $A; pwd\n",
    );
    assert_eq!(shell.stdout, "made\nb\n/w\n", "{}", shell.stderr);
    assert_eq!(shell.code, 1);
    assert_eq!(host.tare(["images", "-aq"]).ok().lines().count(), 1);
    host.finish();
}

fn mistakes_are_underlined(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    for (file, parts) in [
        (
            "FROM busybox\nRNU true\n",
            ["Dockerfile:2:1", "did you mean RUN?"],
        ),
        (
            "FROM busybox\n// a comment\nRUN true\n",
            ["Dockerfile:2:1", "#"],
        ),
        ("FROM busybox\nADD ../x /\n", ["Dockerfile:2:", "outside"]),
        ("FROM busybux\n", ["Dockerfile:1:", "did you mean busybox"]),
        (
            "FROM busybox\nCMD [\"a\", \"b\"\n",
            ["Dockerfile:2:", "JSON"],
        ),
    ] {
        let path = context(&host, "context", &[("Dockerfile", file)]);
        let done = host.tare(["build", text(&path)]);
        for part in parts {
            assert!(
                done.stderr.contains(part),
                "{file}: {part}: {}",
                done.stderr
            );
        }
    }
    let file = "from busybox\nMAINTAINER me\n";
    let path = context(&host, "checked", &[("Dockerfile", file)]);
    let checked = host.tare(["build", "--check", text(&path)]);
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    assert!(checked.stdout.contains("warning"), "{}", checked.stdout);
    assert!(
        checked.stderr.contains("MaintainerDeprecated"),
        "{}",
        checked.stderr
    );
    // An unclosed list is a command for a shell, as in Docker, and the only one of these that builds.
    assert_eq!(host.tare(["images", "-q"]).ok().lines().count(), 2);
    host.finish();
}

fn a_build_ends_when_its_user_does(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = "FROM busybox\nRUN echo begun; sleep 1000\n";
    let path = context(&host, "context", &[("Dockerfile", file)]);
    for signal in [Signal::INT, Signal::KILL] {
        let mut command = host.command(["build", text(&path)]);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut client = command.spawn().unwrap();
        until("it runs", || {
            host.tare(["ps", "-q"]).ok().lines().count() == 1
        });
        kill_process(Pid::from_child(&client), signal).unwrap();
        let status = client.wait().unwrap();
        assert!(!status.success());
        // Whoever comes next takes away what a killed one left.
        until("it is gone", || host.tare(["ps", "-aq"]).ok().is_empty());
    }
    assert_eq!(host.tare(["images", "-aq"]).ok().lines().count(), 1);
    host.finish();
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn commands_are_shown_what_they_mount(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let file = "FROM busybox AS made\nRUN mkdir /out && echo stage > /out/f\n\
        FROM busybox\n\
        RUN --mount=type=bind,target=/ctx cat /ctx/one > /a && ! touch /ctx/new\n\
        RUN --mount=type=bind,from=made,source=out,target=/from,rw cat /from/f >> /a && echo new > /from/f\n\
        RUN --mount=type=cache,id=c,target=/cache echo more >> /cache/n && wc -l < /cache/n > /count\n\
        RUN --mount=type=secret,id=s,mode=0440,uid=7 stat -c '%a %u' /run/secrets/s >> /a && sha1sum < /run/secrets/s >> /a\n\
        RUN --mount=type=secret,id=s,env=TOKEN sh -c 'echo ${#TOKEN} >> /a'\n\
        RUN --mount=type=secret,id=missing test ! -e /run/secrets/missing\n\
        RUN --mount=type=tmpfs,target=/mem,size=1m touch /mem/x && grep -q ' /mem tmpfs' /proc/mounts\n\
        RUN <<EOF\n#!/bin/sh\necho script $0 >> /a\nEOF\n\
        RUN <<EOF\necho lines >> /a\nEOF\n\
        RUN true\n\
        RUN true\n\
        RUN grep Seccomp: /proc/self/status >> /a\n";
    let path = context(
        &host,
        "context",
        &[("Dockerfile", file), ("one", "context\n")],
    );
    let secret = host.scratch().join("secret");
    fs::write(&secret, "hush-hush-hush").unwrap();
    let flag = format!("id=s,src={}", text(&secret));
    let build = |more: &[&str]| {
        let mut args = vec!["build", "-t", "b", "--secret", &flag];
        args.extend(more);
        args.push(text(&path));
        let built = host.tare(args);
        assert_eq!(built.code, 0, "{}", built.stderr);
    };
    build(&[]);
    let said = host.tare(["run", "--rm", "b", "cat", "/a"]).ok();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..3], ["context", "stage", "440 7"], "{said}");
    assert_eq!(lines[4..6], ["14", "script /dev/pipes/EOF"], "{said}");
    assert_eq!(lines[6], "lines");
    assert!(lines[7].ends_with('2'), "{said}");
    // Nothing of what was mounted is in the image, not even where; the cache stays from build to build.
    let left = "ls -d /ctx /from /cache /run/secrets /mem /dev/pipes 2>/dev/null; true";
    assert_eq!(host.tare(["run", "--rm", "b", "sh", "-c", left]).ok(), "");
    let count = || host.tare(["run", "--rm", "b", "cat", "/count"]).ok();
    assert_eq!(count(), "1");
    build(&["--no-cache"]);
    assert_eq!(count(), "2");
    // Another secret breaks nothing, and is nowhere on disk.
    fs::write(&secret, "other").unwrap();
    build(&[]);
    assert_eq!(count(), "2");
    assert!(
        !holds(&host.root(), b"hush-hush-hush"),
        "the secret is on disk"
    );
    let file = "FROM busybox\nRUN --mount=type=secret,id=s,required true\n";
    let other = context(&host, "required", &[("Dockerfile", file)]);
    let error = host.tare(["build", text(&other)]).fails(1);
    assert!(error.contains("secret s: not found"), "{error}");
    for mount in [
        "type=bind,source=../..,target=/x",
        "type=cache,id=../../x,target=/x",
    ] {
        let file = format!("FROM busybox\nRUN --mount={mount} true\n");
        let other = context(&host, "escape", &[("Dockerfile", &file)]);
        let _refused = host.tare(["build", text(&other)]).fails(1);
    }
    host.finish();
}

/// Whether a file below a directory has these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let content = fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

fn archives_modes_and_owners_are_what_was_asked(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o640);
    header.set_uid(5);
    tar.append_data(&mut header, "in/f", b"hi".as_slice())
        .unwrap();
    let tar = tar.into_inner().unwrap();
    let file = "FROM busybox\nADD a.tar /x/\nADD --unpack=false a.tar /y/\nCOPY --chmod=u=rwX,go=rX d /d\n\
        COPY --exclude=*.md d/* /e/\nCOPY --chown=5:6 --chmod=4711 d/s /s\nCOPY d /tmp/\n\
        RUN stat -c '%a %u %n' /x/in/f /y/a.tar /d /d/s /s /tmp >> /a; ls /e >> /a\n";
    let files = [("Dockerfile", file), ("d/s", "s"), ("d/no.md", "n")];
    let path = context(&host, "context", &files);
    fs::write(path.join("a.tar"), tar).unwrap();
    let built = host.tare(["build", "-t", "b", text(&path)]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let tmp = host
        .tare(["run", "--rm", "busybox", "stat", "-c", "%a", "/tmp"])
        .ok();
    assert_eq!(
        host.tare(["run", "--rm", "b", "cat", "/a"]).ok(),
        format!("640 5 /x/in/f\n644 0 /y/a.tar\n755 0 /d\n644 0 /d/s\n4711 5 /s\n{tmp} 0 /tmp\ns")
    );
    host.finish();
}
