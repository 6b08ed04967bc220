//! `tare registry serve` over the engine's own store: no byte is there twice, whoever is killed leaves it sound, and others' tools push
//! to it and pull from it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use spec::Digest;
use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    a_push_stores_no_byte_twice,
    whoever_is_killed_leaves_it_sound,
    skopeo_pushes_and_pulls,
    three_servers_serve_one_bucket,
);

/// A registry that serves beside the test.
struct Registry {
    child: Child,
    address: String,
    /// Kept open: it may say more.
    _said: BufReader<std::process::ChildStderr>,
}

/// The sandbox's own network: nothing listens there but what the test starts.
fn loopback_up() {
    #[expect(clippy::disallowed_methods, reason = "a fixture")]
    let status = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(status.unwrap().success());
}

impl Registry {
    fn start(host: &Host, args: &[&str], point: Option<&str>) -> Self {
        loopback_up();
        let mut command = host.command(["registry", "serve", "--addr", "127.0.0.1:0"]);
        command
            .args(args)
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        if let Some(point) = point {
            command.env("TARE_FAILPOINT", point);
        }
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("tare registry: listening on ");
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self {
            child,
            address,
            _said: said,
        }
    }

    /// The status and the location of an answer; none if it broke off.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, String, Vec<u8>)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: registry\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8(answer[..end].to_vec()).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let location = head.lines().find_map(|l| l.strip_prefix("location: "));
        Some((
            status,
            location.unwrap_or_default().to_owned(),
            answer.split_off(end + 4),
        ))
    }

    #[track_caller]
    fn gives(&self, status: u16, method: &str, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let (found, location, body) = self.ask(method, path, body).unwrap();
        assert_eq!(
            found,
            status,
            "{method} {path}: {}",
            String::from_utf8_lossy(&body)
        );
        (location, body)
    }

    /// How many bytes of an upload it has.
    fn received(&self, at: &str) -> usize {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("GET {at} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let range = answer.lines().find_map(|l| l.strip_prefix("range: 0-"));
        range.unwrap().parse::<usize>().unwrap() + 1
    }

    fn push(&self, content: &[u8]) -> Option<u16> {
        let digest = Digest::of(content);
        let path = format!("/v2/team/app/blobs/uploads/?digest={digest}");
        Some(self.ask("POST", &path, content)?.0)
    }

    fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A test that failed, or one in which it was to be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The blobs of the store, with their inodes.
fn blobs(host: &Host) -> Vec<(String, u64, u64)> {
    let entries = std::fs::read_dir(host.root().join("blobs/sha256")).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, metadata.ino(), metadata.nlink())
        })
        .collect();
    found.sort();
    found
}

/// Takes everything out of the registry again, so that nothing is left.
fn empty(host: &Host) {
    let _said = host
        .tare(["registry", "collect", "--lease", "0s", "--untagged", "0s"])
        .ok();
    let left = std::fs::read_dir(host.root().join("registry/uploads")).unwrap();
    for file in left {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
}

fn a_push_stores_no_byte_twice(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let before = blobs(&host);
    assert!(!before.is_empty());
    let registry = Registry::start(&host, &[], None);
    // What the image has is there already, and gets no second file.
    let (name, _, _) = before.last().unwrap();
    let content = std::fs::read(host.root().join("blobs/sha256").join(name)).unwrap();
    assert_eq!(registry.push(&content), Some(201));
    assert_eq!(blobs(&host), before);
    assert_eq!(
        registry
            .gives(
                200,
                "GET",
                &format!("/v2/team/app/blobs/sha256:{name}"),
                b""
            )
            .1,
        content
    );
    // What is new has one file, which is that of the upload.
    let (at, _) = registry.gives(202, "POST", "/v2/team/app/blobs/uploads/", b"");
    registry.gives(202, "PATCH", &at, b"new content");
    let id = at.rsplit('/').next().unwrap();
    let upload = host.root().join("registry/uploads").join(id);
    let inode = std::fs::metadata(&upload).unwrap().ino();
    let new = Digest::of("new content");
    registry.gives(201, "PUT", &format!("{at}?digest={new}"), b"");
    assert!(!upload.exists());
    assert!(blobs(&host).contains(&(new.hex(), inode, 1)));
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"a/b","digest":"{new}","size":11}},"layers":[{{"mediaType":"a/b","digest":"sha256:{name}","size":{}}}]}}"#,
        content.len()
    );
    registry.gives(201, "PUT", "/v2/team/app/manifests/v1", manifest.as_bytes());
    // The image goes, and what the registry holds of it stays.
    let _said = host.tare(["rmi", "busybox"]).ok();
    assert_eq!(blobs(&host).len(), 2);
    let _said = host.tare(["internal", "check"]).ok();
    registry.gives(
        200,
        "GET",
        &format!("/v2/team/app/blobs/sha256:{name}"),
        b"",
    );
    assert_eq!(
        registry
            .gives(200, "GET", "/v2/team/app/manifests/v1", b"")
            .1,
        manifest.as_bytes()
    );
    registry.stop();
    // It is there after a restart, and whole.
    assert!(host.tare(["registry", "scrub"]).ok().is_empty());
    let registry = Registry::start(&host, &["--read-only"], None);
    registry.gives(200, "GET", "/v2/team/app/manifests/v1", b"");
    registry.gives(405, "DELETE", "/v2/team/app/manifests/v1", b"");
    registry.stop();
    let registry = Registry::start(&host, &[], None);
    registry.gives(202, "DELETE", "/v2/team/app/manifests/v1", b"");
    empty(&host);
    assert_eq!(blobs(&host), []);
    registry.stop();
    host.finish();
}

fn whoever_is_killed_leaves_it_sound(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let before = blobs(&host);
    for point in failpoint::POINTS
        .iter()
        .filter(|p| p.starts_with("registry."))
    {
        testkit::note(&format!("killed at {point}"));
        let mut registry = Registry::start(
            &host,
            &["--lease", "0s", "--collect-every", "1s"],
            Some(point),
        );
        let mut pushed = registry.push(b"content");
        if *point == "registry.release.after_row" {
            // Nothing needs it: the next collection meets the point.
            assert_eq!(pushed, Some(201));
            pushed = None;
        }
        assert_eq!(pushed, None, "{point}");
        assert!(!registry.child.wait().unwrap().success());
        // The next command clears up.
        let _said = host.tare(["images"]).ok();
        let _said = host.tare(["internal", "check"]).ok();
        // And the push that is tried again succeeds.
        let registry = Registry::start(&host, &[], None);
        assert_eq!(registry.push(b"content"), Some(201));
        registry.gives(
            200,
            "GET",
            &format!("/v2/team/app/blobs/{}", Digest::of("content")),
            b"",
        );
        registry.stop();
        empty(&host);
        assert_eq!(blobs(&host), before, "{point}");
    }
    // Killed in the middle of an upload: it goes on where it was.
    let mut registry = Registry::start(&host, &[], None);
    let (at, _) = registry.gives(202, "POST", "/v2/team/app/blobs/uploads/", b"");
    let half = vec![7; 3 << 20];
    registry.gives(202, "PATCH", &at, &half);
    let mut stream = TcpStream::connect(&registry.address).unwrap();
    let head = format!("PATCH {at} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&half).unwrap();
    registry.child.kill().unwrap();
    registry.child.wait().unwrap();
    let registry = Registry::start(&host, &[], None);
    let upload = host
        .root()
        .join("registry/uploads")
        .join(at.rsplit('/').next().unwrap());
    let came = usize::try_from(std::fs::metadata(&upload).unwrap().len()).unwrap();
    assert!((half.len()..=2 * half.len()).contains(&came), "{came}");
    registry.gives(204, "GET", &at, b"");
    let whole = vec![7; 8 << 20];
    registry.gives(202, "PATCH", &at, &whole[came..]);
    registry.gives(
        201,
        "PUT",
        &format!("{at}?digest={}", Digest::of(&whole)),
        b"",
    );
    registry.stop();
    empty(&host);
    host.finish();
}

/// Debian's, unpacked by `cargo xtask peers`: its own libraries beside it.
fn skopeo(host: &Host, peer: &std::path::Path, args: &[&str]) -> testkit::Outcome {
    #[expect(clippy::disallowed_methods, reason = "a peer is the witness")]
    let mut command = Command::new(peer.join("usr/bin/skopeo"));
    let policy = host.scratch().join("policy.json");
    std::io::Write::write_all(
        &mut std::fs::File::create(&policy).unwrap(),
        br#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    )
    .unwrap();
    let libraries: Vec<PathBuf> = ["usr/lib/x86_64-linux-gnu", "usr/lib"]
        .iter()
        .map(|l| peer.join(l))
        .collect();
    command
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
        .env("HOME", host.scratch())
        .arg("--policy")
        .arg(policy)
        .arg("--tmpdir")
        .arg(host.scratch())
        .args(args);
    testkit::host::run(command)
}

fn skopeo_pushes_and_pulls(sandbox: &Sandbox, transport: Transport) {
    let Some(peers) = testkit::peers::unpacked(&["skopeo"]) else {
        return;
    };
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(&host, &[], None);
    let run = |args: &[&str]| skopeo(&host, &peers[0], args);
    let archive = format!(
        "docker-archive:{}",
        testkit::fixtures::image("busybox.tar").display()
    );
    let remote = |name: &str| format!("docker://{}/{name}", registry.address);
    let (push, pull) = ("--dest-tls-verify=false", "--src-tls-verify=false");
    let _said = run(&["copy", "-q", push, &archive, &remote("team/busybox:v1")]).ok();
    let _said = run(&[
        "copy",
        "-q",
        push,
        "--format",
        "oci",
        &archive,
        &remote("team/busybox:oci"),
    ])
    .ok();
    // Between repositories: blobs are mounted.
    let _said = run(&[
        "copy",
        "-q",
        push,
        pull,
        &remote("team/busybox:v1"),
        &remote("other/busybox:v1"),
    ])
    .ok();
    let tags = run(&["list-tags", "--tls-verify=false", &remote("team/busybox")]).ok();
    assert!(
        tags.contains("\"oci\"") && tags.contains("\"v1\""),
        "{tags}"
    );
    let out = format!(
        "docker-archive:{}:back:v1",
        host.scratch().join("back.tar").display()
    );
    let _said = run(&["copy", "-q", pull, &remote("other/busybox:v1"), &out]).ok();
    let loaded = host
        .tare([
            "load",
            "-i",
            host.scratch().join("back.tar").to_str().unwrap(),
        ])
        .ok();
    assert!(loaded.contains("back:v1"), "{loaded}");
    assert_eq!(
        host.tare([
            "run",
            "--rm",
            "--network",
            "none",
            "back:v1",
            "echo",
            "hello"
        ])
        .ok(),
        "hello"
    );
    let digest = run(&[
        "inspect",
        "--tls-verify=false",
        "--format",
        "{{.Digest}}",
        &remote("team/busybox:v1"),
    ])
    .ok();
    let _said = run(&["delete", "--tls-verify=false", &remote("team/busybox:v1")]).ok();
    let gone = run(&["inspect", "--tls-verify=false", &remote("team/busybox:v1")]);
    assert_ne!(gone.code, 0);
    assert!(digest.starts_with("sha256:"), "{digest}");
    let _said = run(&["delete", "--tls-verify=false", &remote("team/busybox:oci")]).ok();
    let _said = run(&["delete", "--tls-verify=false", &remote("other/busybox:v1")]).ok();
    let _said = host.tare(["rmi", "back:v1"]).ok();
    registry.stop();
    empty(&host);
    host.finish();
}

/// A server of S3's protocol; ends with the test.
struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Moto {
    #[expect(clippy::disallowed_methods, reason = "a peer is the witness")]
    fn start(host: &Host) -> Option<Self> {
        loopback_up();
        let port = 5001;
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.env("HOME", host.scratch()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            testkit::note("SKIP this test needs moto_server: pip install 'moto[server]'");
            return None;
        };
        let moto = Self { child, port };
        for _ in 0..600 {
            if moto.make_bucket() {
                return Some(moto);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("moto_server does not answer");
    }

    fn make_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let request = "PUT /bucket HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains(" 200 ")
    }
}

/// Three servers know nothing of each other; one is killed in the middle of an upload, and another finishes it.
fn three_servers_serve_one_bucket(sandbox: &Sandbox, transport: Transport) {
    let mut host = Host::new(sandbox, transport);
    let Some(moto) = Moto::start(&host) else {
        host.finish();
        return;
    };
    let endpoint = format!("http://127.0.0.1:{}", moto.port);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ] {
        host.set_env(name, value);
    }
    let place = ["--storage", "s3://bucket/registry"];
    let mut first = Registry::start(&host, &place, None);
    let (second, third) = (
        Registry::start(&host, &place, None),
        Registry::start(&host, &place, None),
    );
    let (at, _) = first.gives(202, "POST", "/v2/team/app/blobs/uploads/", b"");
    let whole = vec![7; 30 << 20];
    first.gives(202, "PATCH", &at, &whole[..1 << 20]);
    let mut stream = TcpStream::connect(&first.address).unwrap();
    let head = format!("PATCH {at} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[1 << 20..20 << 20]).unwrap();
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    // What it had acknowledged is there, and what of the rest was in the bucket.
    let came = second.received(&at);
    assert!((1 << 20..=20 << 20).contains(&came), "{came}");
    second.gives(202, "PATCH", &at, &whole[came..25 << 20]);
    let digest = Digest::of(&whole);
    third.gives(
        201,
        "PUT",
        &format!("{at}?digest={digest}"),
        &whole[25 << 20..],
    );
    let path = format!("/v2/team/app/blobs/{digest}");
    assert!(second.gives(200, "GET", &path, b"").1 == whole);
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"a/b","digest":"{digest}","size":{0}}},"layers":[]}}"#,
        whole.len()
    );
    second.gives(201, "PUT", "/v2/team/app/manifests/v1", manifest.as_bytes());
    third.gives(200, "GET", "/v2/team/app/manifests/v1", b"");
    assert!(
        host.tare(["registry", "scrub", "--storage", place[1]])
            .ok()
            .is_empty()
    );
    second.stop();
    third.stop();
    drop(moto);
    host.clear_env();
    host.finish();
}
