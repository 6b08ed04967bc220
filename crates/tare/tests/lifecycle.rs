//! Commands that act on containers and images: requests, text, exit codes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;

use fake::{Fake, frame};

#[track_caller]
fn check(fake: &Fake, args: &[&str], out: &str, asked: &[&str]) {
    let before = fake.asked().len();
    let done = fake.run(args);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (0, out, ""),
        "{args:?}"
    );
    assert_eq!(fake.asked()[before..], *asked, "{args:?}");
}

#[test]
fn simple_commands() {
    let fake = Fake::new()
        .json("POST", "/containers/a/start", 204, "")
        .json("POST", "/containers/b/start", 304, "")
        .json("POST", "/containers/a/stop", 204, "")
        .json("POST", "/containers/a/kill", 204, "")
        .json("DELETE", "/containers/a", 204, "")
        .json("POST", "/containers/a/wait", 200, "{\"StatusCode\":7}")
        .json("POST", "/images/bb/tag", 201, "")
        .json(
            "DELETE",
            "/images/bb",
            200,
            r#"[{"Untagged":"bb:latest"},{"Deleted":"sha256:ff"}]"#,
        );
    check(
        &fake,
        &["start", "a", "b"],
        "a\nb\n",
        &["POST /containers/a/start", "POST /containers/b/start"],
    );
    check(
        &fake,
        &["stop", "-t", "3", "-s", "INT", "a"],
        "a\n",
        &["POST /containers/a/stop?signal=INT&t=3"],
    );
    check(
        &fake,
        &["stop", "--timeout", "-1", "a"],
        "a\n",
        &["POST /containers/a/stop?t=-1"],
    );
    check(
        &fake,
        &["kill", "-s", "HUP", "a"],
        "a\n",
        &["POST /containers/a/kill?signal=HUP"],
    );
    check(
        &fake,
        &["rm", "-fv", "a"],
        "a\n",
        &["DELETE /containers/a?force=1&v=1"],
    );
    check(
        &fake,
        &["rm", "--force=false", "a"],
        "a\n",
        &["DELETE /containers/a"],
    );
    check(
        &fake,
        &["wait", "a"],
        "7\n",
        &["POST /containers/a/wait?condition=not-running"],
    );
    check(
        &fake,
        &["tag", "bb", "localhost:5000/x:v1"],
        "",
        &["POST /images/bb/tag?repo=localhost%3A5000%2Fx&tag=v1"],
    );
    check(
        &fake,
        &["rmi", "bb"],
        "Untagged: bb:latest\nDeleted: sha256:ff\n",
        &["DELETE /images/bb"],
    );
}

#[test]
fn one_failure_does_not_stop_the_others() {
    let fake = Fake::new()
        .json(
            "POST",
            "/containers/x/stop",
            404,
            "{\"message\":\"No such container: x\"}",
        )
        .json("POST", "/containers/a/stop", 204, "");
    let done = fake.run(&["stop", "x", "a"]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (
            1,
            "a\n",
            "Error response from daemon: No such container: x\n"
        )
    );
}

#[test]
fn a_forced_removal_of_nothing_is_no_failure() {
    let fake = Fake::new().json(
        "DELETE",
        "/containers/x",
        404,
        "{\"message\":\"No such container: x\"}",
    );
    let done = fake.run(&["rm", "-f", "x"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (0, "Error response from daemon: No such container: x\n")
    );
    assert_eq!(fake.run(&["rm", "x"]).code, 1);
}

#[test]
fn a_running_container_is_not_removed() {
    let fake = Fake::new().json(
        "DELETE",
        "/containers/busy",
        409,
        "{\"message\":\"container is running\"}",
    );
    let done = fake.run(&["rm", "busy"]);
    let expected = "Error response from daemon: container is running\n\
                    hint: 'tare stop busy' first, or 'tare rm -f busy' kills and removes it\n";
    assert_eq!((done.code, done.err.as_str()), (1, expected));
}

#[test]
fn exec() {
    let mut output = frame(1, "hello\n");
    output.extend(frame(2, "oops\n"));
    let fake = Fake::new()
        .json("POST", "/containers/c/exec", 201, "{\"Id\":\"e1\"}")
        .hijack("POST", "/exec/e1/start", &output)
        .json(
            "GET",
            "/exec/e1/json",
            200,
            "{\"ID\":\"e1\",\"ExitCode\":3,\"Running\":false}",
        );
    let done = fake.run_with(
        &[
            "exec",
            "-i",
            "-e",
            "A=b",
            "-w",
            "/tmp",
            "-u",
            "1",
            "--privileged",
            "c",
            "sh",
            "-c",
            "exit 3",
        ],
        b"typed\n",
    );
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (3, "hello\n", "oops\n")
    );
    let body = fake.body("/containers/c/exec");
    for (field, value) in [
        ("Cmd", serde_json::json!(["sh", "-c", "exit 3"])),
        ("Env", serde_json::json!(["A=b"])),
        ("WorkingDir", serde_json::json!("/tmp")),
        ("User", serde_json::json!("1")),
        ("AttachStdin", serde_json::json!(true)),
        ("Privileged", serde_json::json!(true)),
        ("Tty", serde_json::json!(false)),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
}

#[test]
fn exec_of_nothing() {
    let fake = Fake::new()
        .json("POST", "/containers/c/exec", 201, "{\"Id\":\"e1\"}")
        .json(
            "POST",
            "/exec/e1/start",
            400,
            "{\"message\":\"exec: \\\"no-such\\\": executable file not found in $PATH\"}",
        )
        .json(
            "POST",
            "/containers/s/exec",
            409,
            "{\"message\":\"container s is not running\"}",
        );
    assert_eq!(fake.run(&["exec", "c", "no-such"]).code, 127);
    let done = fake.run(&["exec", "s", "true"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (
            1,
            "Error response from daemon: container s is not running\nhint: 'tare start s' starts it\n"
        )
    );
    let done = fake.run(&["exec", "-it", "c", "sh"]);
    assert!(
        done.code == 1 && done.err.contains("the input device is not a TTY"),
        "{}",
        done.err
    );
}

#[test]
fn detached_exec_says_nothing() {
    let fake = Fake::new()
        .json("POST", "/containers/c/exec", 201, "{\"Id\":\"e1\"}")
        .json("POST", "/exec/e1/start", 200, "");
    check(
        &fake,
        &["exec", "-d", "c", "true"],
        "",
        &["POST /containers/c/exec", "POST /exec/e1/start"],
    );
}

#[test]
fn attach_and_start_attached() {
    let inspect = |running: bool| {
        format!(
            "{{\"Id\":\"c1\",\"State\":{{\"Running\":{running}}},\"Config\":{{\"OpenStdin\":true}}}}"
        )
    };
    let fake = Fake::new()
        .json("GET", "/containers/c/json", 200, &inspect(true))
        .json("GET", "/containers/s/json", 200, &inspect(false))
        .hijack("POST", "/containers/c1/attach", &frame(1, "seen\n"))
        .json("POST", "/containers/c1/wait", 200, "{\"StatusCode\":5}")
        .json("POST", "/containers/c1/start", 204, "");
    let done = fake.run(&["attach", "--no-stdin", "c"]);
    assert_eq!((done.code, done.out.as_str()), (5, "seen\n"));
    let done = fake.run(&["attach", "s"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (
            1,
            "tare: cannot attach to a stopped container, start it first\nhint: 'tare start -a s'\n"
        )
    );
    let done = fake.run(&["start", "-a", "s"]);
    assert_eq!((done.code, done.out.as_str()), (5, "seen\n"));
    let asked = fake.asked();
    assert!(asked.last().unwrap().ends_with("/start"), "{asked:?}");
    assert_eq!(
        fake.run(&["start", "-a", "s", "c"]).err,
        "tare: you cannot start and attach multiple containers at once\n"
    );
}

#[test]
fn import_and_load() {
    let fake = Fake::new()
        .json("POST", "/images/create", 200, "{\"status\":\"sha256:abc\"}\n")
        .json("POST", "/images/load", 200, "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1},\"id\":\"x\"}\n{\"stream\":\"Loaded image: bb:latest\\n\"}\n");
    std::fs::File::create(fake.path("root.tar"))
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"tar bytes"))
        .unwrap();
    let asked = "POST /images/create?fromSrc=-&repo=bb&tag=v1&message=made%20here&changes=CMD%20%5B%22sh%22%5D";
    check(
        &fake,
        &[
            "import",
            "-c",
            "CMD [\"sh\"]",
            "-m",
            "made here",
            "root.tar",
            "bb:v1",
        ],
        "sha256:abc\n",
        &[asked],
    );
    assert_eq!(fake.requests()[0].body, "tar bytes");
    let done = fake.run_with(&["import", "-"], b"piped");
    assert_eq!((done.code, fake.requests()[1].body.as_str()), (0, "piped"));
    check(
        &fake,
        &["load", "-i", "root.tar"],
        "Loaded image: bb:latest\n",
        &["POST /images/load?quiet=0"],
    );
    let done = fake.run(&["load", "-i", "/no/such.tar"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (
            1,
            "tare: open /no/such.tar: No such file or directory (os error 2)\n"
        )
    );
}

#[test]
fn an_import_that_fails_late_says_why() {
    let fake = Fake::new().json(
        "POST",
        "/images/create",
        200,
        "{\"errorDetail\":{\"message\":\"unexpected end\"},\"error\":\"unexpected end\"}\n",
    );
    std::fs::File::create(fake.path("t")).unwrap();
    let done = fake.run(&["import", "t"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (1, "Error response from daemon: unexpected end\n")
    );
}
