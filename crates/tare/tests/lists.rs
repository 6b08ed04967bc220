//! Commands that show things: requests and text.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;

use fake::{Fake, frame};
use std::time::{SystemTime, UNIX_EPOCH};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[expect(clippy::disallowed_methods, reason = "ages are relative to now")]
fn ago(seconds: u64) -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        - seconds
}

fn containers() -> Fake {
    let body = format!(
        r#"[{{"Id":"{ID}","Names":["/web","/other/alias"],"Image":"nginx:1","ImageID":"sha256:ff","Command":"sh -c 'while true; do sleep 1; done'",
        "Created":{},"Ports":[{{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}},{{"PrivatePort":90,"Type":"tcp"}}],
        "Labels":{{"a":"b","evil":"\u001b[2J"}},"State":"running","Status":"Up 3 minutes","SizeRw":1500,"SizeRootFs":4260000,
        "Mounts":[{{"Type":"volume","Name":"a-very-long-volume-name","Driver":"local"}}],"NetworkSettings":{{"Networks":{{"none":{{}}}}}}}}]"#,
        ago(185)
    );
    Fake::new().json("GET", "/containers/json", 200, &body)
}

#[track_caller]
fn check(fake: &Fake, args: &[&str], expected: &str) {
    let done = fake.run(args);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (0, expected, ""),
        "{args:?}"
    );
}

#[test]
fn ps() {
    let fake = containers();
    check(&fake, &["ps"], "\
CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS                          NAMES
0123456789ab   nginx:1   \"sh -c 'while true; …\"   3 minutes ago   Up 3 minutes   0.0.0.0:8080->80/tcp, 90/tcp   web
");
    check(&fake, &["ps", "-q"], "0123456789ab\n");
    check(&fake, &["ps", "-aq", "--no-trunc"], &format!("{ID}\n"));
    check(
        &fake,
        &[
            "ps",
            "--format",
            "{{.Names}} {{.State}} {{.Label \"a\"}}{{.Label \"none\"}}",
        ],
        "web running b\n",
    );
    check(
        &fake,
        &["ps", "--format", "table {{.ID}}\\t{{.Labels}}"],
        "CONTAINER ID   LABELS\n0123456789ab   a=b,evil=\\x1b[2J\n",
    );
    check(
        &fake,
        &[
            "container",
            "ls",
            "-s",
            "--format",
            "{{.Size}} {{.Mounts}} {{.Networks}} {{.LocalVolumes}}",
        ],
        "1.5kB (virtual 4.26MB) a-very-long-vo… none 1\n",
    );
    let json = fake.run(&["ps", "--format", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["ID"], &json["RunningFor"]),
        (&"0123456789ab".into(), &"3 minutes ago".into())
    );
}

#[test]
fn ps_asks_for_what_the_flags_say() {
    let fake = containers();
    for args in [
        &["ps", "-n", "2"][..],
        &["ps", "-l"],
        &["ps", "-f", "label=a=b", "-f", "status=exited"],
    ] {
        assert_eq!(fake.run(args).code, 0);
    }
    assert_eq!(
        fake.asked(),
        [
            "GET /containers/json?all=1&limit=2",
            "GET /containers/json?all=1&limit=1",
            "GET /containers/json?filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%2C%22status%22%3A%7B%22exited%22%3Atrue%7D%7D",
        ]
    );
    let done = fake.run(&["ps", "-f", "nonsense"]);
    assert_eq!(
        (done.code, done.err.contains("expected KEY=VALUE")),
        (125, true),
        "{}",
        done.err
    );
}

#[test]
fn empty_lists_have_a_header() {
    let fake = Fake::new()
        .json("GET", "/containers/json", 200, "[]")
        .json("GET", "/images/json", 200, "[]")
        .json("GET", "/volumes", 200, "{\"Volumes\":null}");
    check(
        &fake,
        &["ps"],
        "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n",
    );
    check(
        &fake,
        &["images"],
        "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n",
    );
    check(&fake, &["volume", "ls"], "DRIVER    VOLUME NAME\n");
    check(&fake, &["images", "-q"], "");
}

#[test]
fn images() {
    let body = format!(
        r#"[{{"Id":"sha256:{ID}","RepoTags":["busybox:latest","localhost:5000/bb:v1"],"RepoDigests":["busybox@sha256:dd"],"Created":{},"Size":4261550,"Containers":-1,"SharedSize":-1}},
            {{"Id":"sha256:f{}","RepoTags":[],"RepoDigests":[],"Created":0,"Size":0}}]"#,
        ago(86_400 * 3),
        &ID[1..]
    );
    let fake = Fake::new().json("GET", "/images/json", 200, &body);
    check(
        &fake,
        &["images"],
        "\
REPOSITORY          TAG       IMAGE ID       CREATED      SIZE
busybox             latest    0123456789ab   3 days ago   4.26MB
localhost:5000/bb   v1        0123456789ab   3 days ago   4.26MB
<none>              <none>    f123456789ab   N/A          0B
",
    );
    check(
        &fake,
        &[
            "images",
            "--digests",
            "--format",
            "table {{.Repository}}\t{{.Digest}}",
        ],
        "\
REPOSITORY          DIGEST
busybox             sha256:dd
localhost:5000/bb   <none>
<none>              <none>
",
    );
    check(
        &fake,
        &["image", "ls", "--no-trunc", "--format", "{{.ID}}", "bb"],
        &format!("sha256:{ID}\nsha256:{ID}\nsha256:f{}\n", &ID[1..]),
    );
    assert!(
        fake.asked()
            .last()
            .unwrap()
            .contains("%22reference%22%3A%7B%22bb%22"),
        "{:?}",
        fake.asked()
    );
}

#[test]
fn history() {
    let body = format!(
        r#"[{{"Id":"sha256:{ID}","Created":{},"CreatedBy":"/bin/sh -c #(nop)  CMD [\"sh\"] and something much longer than that","Size":0,"Comment":"made here"}},
            {{"Id":"<missing>","Created":0,"CreatedBy":"","Size":1234567,"Comment":""}}]"#,
        ago(7200)
    );
    let fake = Fake::new().json("GET", "/images/bb/history", 200, &body);
    check(
        &fake,
        &["history", "bb"],
        "\
IMAGE          CREATED       CREATED BY                                      SIZE      COMMENT
0123456789ab   2 hours ago   /bin/sh -c #(nop)  CMD [\"sh\"] and something …   0B        made here
<missing>      N/A                                                           1.23MB    
",
    );
    check(
        &fake,
        &["history", "--human=false", "--format", "{{.Size}}", "bb"],
        "0\n1234567\n",
    );
}

#[test]
fn inspect() {
    let fake = Fake::new()
        .json("GET", "/containers/c/json", 200, r#"{"Id":"x","Unknown":{"b":1,"a":[]},"State":{"Running":true},"Config":{"Env":["A=1"]}}"#)
        .json("GET", "/containers/i/json", 404, r#"{"message":"No such container: i"}"#)
        .json("GET", "/images/i/json", 200, r#"{"Id":"image"}"#);
    check(
        &fake,
        &["inspect", "c"],
        "\
[
    {
        \"Id\": \"x\",
        \"Unknown\": {
            \"b\": 1,
            \"a\": []
        },
        \"State\": {
            \"Running\": true
        },
        \"Config\": {
            \"Env\": [
                \"A=1\"
            ]
        }
    }
]
",
    );
    check(
        &fake,
        &[
            "inspect",
            "-f",
            "{{.State.Running}} {{json .Config.Env}} {{.Config.Env}}",
            "c",
        ],
        "true [\"A=1\"] [A=1]\n",
    );
    check(
        &fake,
        &["inspect", "--format", "{{.Id}}", "c", "i"],
        "x\nimage\n",
    );
    check(
        &fake,
        &["inspect", "--format", "json", "i"],
        "[{\"Id\":\"image\"}]\n",
    );
    check(
        &fake,
        &["image", "inspect", "-f", "{{.Id}}", "i"],
        "image\n",
    );
    let done = fake.run(&["inspect", "nothing", "c"]);
    assert_eq!(done.code, 1);
    assert!(done.out.starts_with("[\n    {\n"), "{}", done.out);
    assert_eq!(done.err, "Error: No such object: nothing\n");
    let done = fake.run(&["container", "inspect", "i"]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (
            1,
            "[]\n",
            "Error response from daemon: No such container: i\n"
        )
    );
    let done = fake.run(&["inspect", "-f", "{{.id}}", "c"]);
    assert_eq!(
        done.err,
        "tare: template: no field \"id\"; did you mean \"Id\"?\nSee 'tare inspect --help'.\n"
    );
}

#[test]
fn volumes() {
    let fake = Fake::new()
        .json("POST", "/volumes/create", 201, r#"{"Name":"v","Driver":"local"}"#)
        .json("GET", "/volumes", 200, r#"{"Volumes":[{"Name":"b","Driver":"local","Mountpoint":"/m","Labels":{"x":"y"}},{"Name":"a","Driver":"local"}]}"#)
        .json("DELETE", "/volumes/v", 204, "");
    check(&fake, &["volume", "create", "--label", "x=y", "v"], "v\n");
    check(
        &fake,
        &["volume", "ls"],
        "DRIVER    VOLUME NAME\nlocal     a\nlocal     b\n",
    );
    check(&fake, &["volume", "ls", "-q"], "a\nb\n");
    check(&fake, &["volume", "rm", "v"], "v\n");
    assert_eq!(
        fake.body("/volumes/create"),
        serde_json::json!({"Name": "v", "Driver": "local", "Labels": {"x": "y"}})
    );
}

#[test]
fn version_and_info() {
    let fake = Fake::new()
        .json("GET", "/version", 200, r#"{"Version":"9","ApiVersion":"1.51","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64","KernelVersion":"6.1","Platform":{"Name":"Tare"}}"#)
        .json("GET", "/info", 200, r#"{"ID":"i","Containers":2,"NCPU":2,"MemTotal":2096000000,"Warnings":["careful"],"SecurityOptions":["name=seccomp"]}"#);
    let version = fake.run(&["version"]);
    assert!(
        version.out.contains("Client:\n") && version.out.contains("  Version:          9\n"),
        "{}",
        version.out
    );
    check(
        &fake,
        &["version", "--format", "{{.Server.Version}} {{.Client.Os}}"],
        "9 linux\n",
    );
    let info = fake.run(&["info"]);
    assert!(
        info.out.contains(" Total Memory: 1.952GiB\n"),
        "{}",
        info.out
    );
    assert_eq!(info.err, "careful\n");
    check(&fake, &["info", "-f", "{{.NCPU}}"], "2\n");
}

#[test]
fn logs() {
    let mut bytes = frame(1, "out\n");
    bytes.extend(frame(2, "err\n"));
    let fake = Fake::new()
        .json(
            "GET",
            "/containers/c/json",
            200,
            r#"{"Id":"c","Config":{"Tty":false}}"#,
        )
        .stream(
            "GET",
            "/containers/c/logs",
            "application/vnd.docker.multiplexed-stream",
            &bytes,
        )
        .json(
            "GET",
            "/containers/t/json",
            200,
            r#"{"Id":"t","Config":{"Tty":true}}"#,
        )
        .stream(
            "GET",
            "/containers/t/logs",
            "application/vnd.docker.raw-stream",
            b"raw\x1b[1m\r\n",
        );
    let done = fake.run(&[
        "logs",
        "--tail",
        "3",
        "-t",
        "--since",
        "2026-01-02T00:00:00Z",
        "c",
    ]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (0, "out\n", "err\n")
    );
    assert_eq!(
        fake.asked()[1],
        "GET /containers/c/logs?stdout=1&stderr=1&timestamps=1&since=1767312000.000000000&tail=3"
    );
    assert_eq!(fake.run(&["logs", "-f", "t"]).out, "raw\x1b[1m\r\n");
    let done = fake.run(&["logs", "--since", "yesterday", "c"]);
    assert!(
        done.code == 125 && done.err.contains("\"--since\" flag"),
        "{}",
        done.err
    );
}

#[test]
fn logs_with_an_error_frame_fail() {
    let mut bytes = frame(1, "out\n");
    bytes.extend(frame(3, "the log was rotated away\n"));
    let fake = Fake::new()
        .json("GET", "/containers/c/json", 200, r#"{"Id":"c"}"#)
        .stream(
            "GET",
            "/containers/c/logs",
            "application/vnd.docker.multiplexed-stream",
            &bytes,
        );
    let done = fake.run(&["logs", "c"]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (
            1,
            "out\n",
            "Error response from daemon: the log was rotated away\n"
        )
    );
}

#[test]
fn a_closed_output_is_no_complaint() {
    let fake = containers();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = fake.command(&["ps"]);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
