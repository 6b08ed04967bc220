//! Images come from a registry, whole or not at all, over both transports.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::registry::{Fault, INDEX, digest, gzip, noise, tar_of};
use testkit::sandbox::Sandbox;
use testkit::{Host, Registry, Transport, fixtures};

testkit::over_both_transports!(
    pulled_images_run,
    run_pulls_what_is_missing,
    the_platform_is_chosen,
    every_tag_of_a_repository,
    what_is_not_there_is_said_as_docker_says_it,
    lies_are_found_and_nothing_is_kept,
    a_broken_download_goes_on,
    a_killed_pull_goes_on,
    one_layer_comes_once_for_all,
    credentials_are_shown_where_they_belong,
    digests_are_names_too,
    an_interrupted_pull_leaves_only_what_helps,
);

fn busybox_root() -> Vec<u8> {
    let bytes = std::fs::read(fixtures::image("busybox-root.tar")).unwrap();
    assert!(!bytes.starts_with(&[0x1f, 0x8b]), "a plain tar");
    bytes
}

/// An image of busybox and of one layer above.
fn with_busybox(registry: &Registry, name: &str, tag: &str) {
    let above = tar_of(&[("etc/greeting", b"hello from afar\n")]);
    registry.put_image(name, tag, &[busybox_root(), above]);
}

fn pulled_images_run(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    with_busybox(&registry, "team/app", "1.0");
    let name = registry.name("team/app:1.0");
    let out = host.tare(["pull", &name]).ok();
    let manifest = registry.manifest("team/app", "1.0").unwrap();
    let bytes = manifest.to_string();
    for text in [
        "1.0: Pulling from team/app".to_owned(),
        ": Pulling fs layer".to_owned(),
        ": Download complete".to_owned(),
        ": Pull complete".to_owned(),
        format!("Digest: {}", digest(bytes.as_bytes())),
        format!("Status: Downloaded newer image for {name}"),
    ] {
        assert!(out.contains(&text), "{text:?} is not in {out}");
    }
    assert!(out.ends_with(&name), "{out}");
    assert_eq!(
        host.tare(["run", "--rm", &name, "cat", "/etc/greeting"])
            .ok(),
        "hello from afar"
    );
    // Once more: nothing but the manifest is asked for.
    let _before = registry.asked();
    let out = host.tare(["pull", &name]).ok();
    assert!(
        out.contains(&format!("Status: Image is up to date for {name}")),
        "{out}"
    );
    assert!(registry.asked().iter().all(|a| !a.path.contains("/blobs/")));
    assert_eq!(host.tare(["pull", "-q", &name]).ok(), name);
    let id = host.tare(["inspect", "-f", "{{.Id}}", &name]).ok();
    assert_eq!(id, manifest["config"]["digest"].as_str().unwrap());
    // The layers are there for another image: only what is new comes.
    let _sent = registry.sent();
    let more = tar_of(&[("etc/more", b"more\n")]);
    registry.put_image("team/app", "1.1", &[busybox_root(), more]);
    let out = host.tare(["pull", &registry.name("team/app:1.1")]).ok();
    assert!(out.contains(": Already exists"), "{out}");
    assert!(registry.sent() < 2000);
    host.finish();
}

fn run_pulls_what_is_missing(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    with_busybox(&registry, "app", "latest");
    let name = registry.name("app");
    let refused = host
        .tare(["run", "--rm", "--pull", "never", &name, "true"])
        .fails(125);
    assert!(
        refused.contains(&format!("No such image: {name}:latest")),
        "{refused}"
    );
    let out = host.tare(["run", "--rm", &name, "cat", "/etc/greeting"]);
    assert_eq!(
        (out.code, out.stdout.as_str()),
        (0, "hello from afar\n"),
        "{}",
        out.stderr
    );
    let talk = format!("Unable to find image '{name}:latest' locally\n");
    assert!(out.stderr.contains(&talk), "{}", out.stderr);
    assert!(
        out.stderr.contains("Downloaded newer image"),
        "{}",
        out.stderr
    );
    // There, and quiet about it; then another image under the same tag.
    let out = host.tare(["run", "--rm", "--network", "none", &name, "true"]);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let other = tar_of(&[("etc/greeting", b"news\n")]);
    registry.put_image("app", "latest", &[busybox_root(), other]);
    let cat = ["cat", "/etc/greeting"];
    let run = |flags: &[&str]| {
        let words = [&["run", "--rm"], flags, &[name.as_str()], &cat].concat();
        host.tare(words)
    };
    assert_eq!(run(&[]).ok(), "hello from afar");
    assert_eq!(run(&["--pull", "always", "-q"]).ok(), "news");
    let id = host.tare(["create", "--pull=always", &name]).ok();
    assert_eq!(id.lines().last().unwrap().len(), 64);
    let refused = host
        .tare(["run", &registry.name("nothing"), "true"])
        .fails(125);
    assert!(refused.contains("manifest unknown"), "{refused}");
    host.finish();
}

fn the_platform_is_chosen(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let own = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let mut entries = Vec::new();
    for architecture in ["riscv64", own] {
        let tar = tar_of(&[("arch", architecture.as_bytes())]);
        let config = json!({
            "architecture": architecture, "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
        });
        let manifest = registry.put_parts(
            "app",
            architecture,
            config.to_string().as_bytes(),
            &[gzip(&tar)],
        );
        entries.push(json!({
            "mediaType": testkit::registry::MANIFEST, "size": manifest.len(), "digest": digest(&manifest),
            "platform": {"architecture": architecture, "os": "linux"},
        }));
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    registry.put_manifest("app", "latest", INDEX, index.as_bytes());
    let name = registry.name("app");
    let architecture = || {
        host.tare(["inspect", "-f", "{{.Architecture}}", &name])
            .ok()
    };
    let out = host.tare(["pull", &name]).ok();
    assert!(out.contains(&digest(index.as_bytes())), "{out}");
    assert_eq!(architecture(), own);
    let _out = host
        .tare(["pull", "--platform", "linux/riscv64", &name])
        .ok();
    assert_eq!(architecture(), "riscv64");
    let refused = host
        .tare(["pull", "--platform", "linux/s390x", &name])
        .fails(1);
    assert!(
        refused.contains("no matching manifest for linux/s390x"),
        "{refused}"
    );
    let refused = host
        .tare([
            "pull",
            "--platform",
            "linux/s390x",
            &registry.name("app:riscv64"),
        ])
        .fails(1);
    assert!(
        refused.contains("does not match the specified platform"),
        "{refused}"
    );
    host.finish();
}

fn every_tag_of_a_repository(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    for tag in ["a", "b", "c"] {
        registry.put_image("all", tag, &[tar_of(&[("tag", tag.as_bytes())])]);
    }
    let name = registry.name("all");
    let _out = host.tare(["pull", "-a", "-q", &name]).ok();
    let list = host.tare(["images", "--format", "{{.Tag}}", &name]).ok();
    let mut tags: Vec<&str> = list.lines().collect();
    tags.sort_unstable();
    assert_eq!(tags, ["a", "b", "c"]);
    let refused = host.tare(["pull", "-a", &registry.name("all:a")]).fails(1);
    assert!(
        refused.contains("tag can't be used with --all-tags/-a"),
        "{refused}"
    );
    host.finish();
}

fn what_is_not_there_is_said_as_docker_says_it(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let name = registry.name("app:1");
    let refused = host.tare(["pull", &name]).fails(1);
    let text = format!(
        "Error response from daemon: manifest for {name} not found: manifest unknown: manifest unknown"
    );
    assert!(refused.contains(&text), "{refused}");
    registry.require("ann:secret");
    let refused = host.tare(["pull", &name]).fails(1);
    assert!(refused.contains("pull access denied for"), "{refused}");
    assert!(refused.contains("may require 'docker login'"), "{refused}");
    let refused = host.tare(["pull", "127.0.0.1:1/app"]).fails(1);
    assert!(refused.contains("refused"), "{refused}");
    let refused = host.tare(["pull", "Upper"]).fails(1);
    assert!(refused.contains("must be lowercase"), "{refused}");
    host.finish();
}

fn lies_are_found_and_nothing_is_kept(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let tar = tar_of(&[("file", &noise(1, 100_000))]);
    let blob = gzip(&tar);
    // Another blob in its place, of the same size.
    registry.put_image("other-bytes", "latest", std::slice::from_ref(&tar));
    let mut wrong = blob.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    let reply = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", wrong.len()).as_bytes(),
        &wrong,
    ]
    .concat();
    let name = digest(&blob);
    registry.trouble(move |asked| {
        let hit = asked.method == "GET" && asked.path.contains(&name);
        hit.then(|| Fault::Raw(reply.clone()))
    });
    let refused = host.tare(["pull", &registry.name("other-bytes")]).fails(1);
    assert!(
        refused.contains("verification failed for digest sha256:"),
        "{refused}"
    );
    registry.peace();
    // The blob is what was promised, its content is not.
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(b"something else")]},
    });
    registry.put_parts(
        "other-tar",
        "latest",
        config.to_string().as_bytes(),
        &[blob],
    );
    let refused = host.tare(["pull", &registry.name("other-tar")]).fails(1);
    assert!(
        refused.contains("the layer's content has the digest"),
        "{refused}"
    );
    let junk = gzip(&noise(2, 50_000));
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(&noise(2, 50_000))]},
    });
    registry.put_parts("no-tar", "latest", config.to_string().as_bytes(), &[junk]);
    let refused = host.tare(["pull", &registry.name("no-tar")]).fails(1);
    assert!(refused.contains("tar"), "{refused}");
    // An artifact is no image.
    let artifact = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": digest(b"{}")},
        "layers": [],
    });
    registry.put_blob(b"{}");
    registry.put_manifest(
        "chart",
        "latest",
        "application/vnd.oci.image.manifest.v1+json",
        artifact.to_string().as_bytes(),
    );
    let refused = host.tare(["pull", &registry.name("chart")]).fails(1);
    assert!(
        refused.contains("application/vnd.cncf.helm.config.v1+json"),
        "{refused}"
    );
    host.finish();
}

/// T47, in small: the connection ends again and again, and nothing comes twice.
fn a_broken_download_goes_on(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let tar = tar_of(&[("noise", &noise(3, 6 << 20))]);
    registry.put_image("app", "latest", std::slice::from_ref(&tar));
    let cuts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cuts);
    let layer = digest(&gzip(&tar));
    registry.trouble(move |asked| {
        let hit = asked.method == "GET" && asked.path.contains(&layer);
        (hit && count.fetch_add(1, Ordering::Relaxed) < 5).then_some(Fault::Cut(1 << 20))
    });
    let _out = host.tare(["pull", "-q", &registry.name("app")]).ok();
    assert!(cuts.load(Ordering::Relaxed) > 5);
    let size = gzip(&tar).len() as u64;
    let sent = registry.sent();
    assert!(sent < size * 11 / 10, "{sent} bytes for {size}");
    host.finish();
}

/// Whoever is killed in the middle leaves what came to the next.
fn a_killed_pull_goes_on(sandbox: &Sandbox, transport: Transport) {
    let mut host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let small = tar_of(&[("small", b"small")]);
    let large = tar_of(&[("noise", &noise(4, 8 << 20))]);
    registry.put_image("app", "latest", &[small, large.clone()]);
    let layer = digest(&gzip(&large));
    let name = registry.name("app");
    // The last part does not come.
    let stuck = layer.clone();
    registry.trouble(move |asked| {
        let hit = asked.method == "GET" && asked.path.contains(&stuck);
        (hit && !asked.headers.contains_key("range"))
            .then_some(Fault::Cut(7 << 20))
            .or_else(|| {
                hit.then(|| {
                    std::thread::sleep(Duration::from_secs(60));
                    Fault::Cut(0)
                })
            })
    });
    let mut child = host.command(["pull", "-q", &name]).spawn().unwrap();
    let partial = host.root().join("partial").join(layer.replace(':', "-"));
    let reached = || {
        let mark = format!("{}.reached", partial.display());
        let bytes = std::fs::read(mark).unwrap_or_default();
        bytes.try_into().map_or(0, u64::from_le_bytes)
    };
    let end = Instant::now() + Duration::from_secs(20);
    while reached() < 6 << 20 {
        assert!(Instant::now() < end, "the download does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    if transport == Transport::Socket {
        host.stop_daemon(Signal::KILL);
    } else {
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    }
    child.wait().unwrap();
    if transport == Transport::Socket {
        host.start_daemon();
    }
    registry.peace();
    let _before = registry.sent();
    let _out = host.tare(["pull", "-q", &name]).ok();
    let sent = registry.sent();
    assert!(sent < 3 << 20, "{sent} bytes came again");
    host.finish();
}

fn one_layer_comes_once_for_all(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let shared = tar_of(&[("noise", &noise(5, 4 << 20))]);
    let mut children = Vec::new();
    for n in 0..4 {
        let own = tar_of(&[("own", format!("{n}").as_bytes())]);
        registry.put_image("app", &format!("v{n}"), &[shared.clone(), own]);
    }
    for n in 0..4 {
        let name = registry.name(&format!("app:v{n}"));
        children.push(host.command(["pull", "-q", &name]).spawn().unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let sent = registry.sent();
    let size = gzip(&shared).len() as u64;
    assert!(sent < size + (64 << 10), "{sent} bytes for {size}");
    host.finish();
}

fn credentials_are_shown_where_they_belong(sandbox: &Sandbox, transport: Transport) {
    let mut host = Host::new(sandbox, transport);
    let (private, other) = (Registry::start(sandbox), Registry::start(sandbox));
    private.put_image("app", "latest", &[tar_of(&[("a", b"a")])]);
    other.put_image("app", "latest", &[tar_of(&[("b", b"b")])]);
    private.require("ann:S3CRET");
    let config = host.scratch().join("docker-config");
    std::fs::create_dir_all(&config).unwrap();
    let auth =
        json!({"auths": {private.name("").trim_end_matches('/'): {"auth": "YW5uOlMzQ1JFVA=="}}});
    std::fs::write(config.join("config.json"), auth.to_string()).unwrap();
    host.set_env("DOCKER_CONFIG", config.to_str().unwrap());
    let _out = host.tare(["pull", "-q", &private.name("app")]).ok();
    let _out = host.tare(["pull", "-q", &other.name("app")]).ok();
    assert!(
        other
            .asked()
            .iter()
            .all(|a| !a.headers.contains_key("authorization"))
    );
    // A helper that is not there is no reason to ask without credentials (CVE-2021-41092).
    let helper =
        json!({"credHelpers": {private.name("").trim_end_matches('/'): "tare-test-missing"}});
    std::fs::write(config.join("config.json"), helper.to_string()).unwrap();
    let _asked = private.asked();
    let refused = host.tare(["pull", &private.name("app")]).fails(1);
    assert!(
        refused.contains("docker-credential-tare-test-missing is not installed"),
        "{refused}"
    );
    assert!(private.asked().is_empty());
    host.clear_env();
    assert!(!host.daemon_log().contains("S3CRET"));
    host.finish();
}

fn digests_are_names_too(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let manifest = registry.put_image("app", "1", &[tar_of(&[("a", b"1")])]);
    let name = registry.name(&format!("app@{}", digest(&manifest)));
    let out = host.tare(["pull", &name]).ok();
    assert!(
        out.contains(&format!("Status: Downloaded newer image for {name}")),
        "{out}"
    );
    let digests = || {
        host.tare(["inspect", "-f", "{{.RepoTags}} {{.RepoDigests}}", &name])
            .ok()
    };
    assert_eq!(digests(), format!("[] [{name}]"));
    let _out = host.tare(["pull", "-q", &registry.name("app:1")]).ok();
    let tag = registry.name("app:1");
    assert_eq!(digests(), format!("[{tag}] [{name}]"));
    // The digest of another repository is no name of this one.
    let stranger = registry.name(&format!("other@{}", digest(&manifest)));
    let refused = host.tare(["inspect", &stranger]).fails(1);
    assert!(refused.to_lowercase().contains("no such"), "{refused}");
    let out = host.tare(["rmi", &tag]).ok();
    assert!(
        out.contains(&format!("Untagged: {tag}\nUntagged: {name}\n")),
        "{out}"
    );
    assert_eq!(host.tare(["images", "-q"]).ok(), "");
    host.finish();
}

fn an_interrupted_pull_leaves_only_what_helps(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let first = tar_of(&[("first", &noise(6, 200_000))]);
    let second = tar_of(&[("second", &noise(7, 200_000))]);
    registry.put_image("app", "latest", &[first.clone(), second.clone()]);
    let layer = digest(&gzip(&second));
    let layers = host.root().join("layers");
    registry.trouble(move |asked| {
        if !asked.path.contains(&layer) {
            return None;
        }
        // Once the first is there.
        let end = Instant::now() + Duration::from_secs(20);
        while std::fs::read_dir(&layers).map_or(0, Iterator::count) == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
        Some(Fault::Raw(missing))
    });
    let name = registry.name("app");
    let _refused = host.tare(["pull", &name]).fails(1);
    assert_eq!(host.tare(["images", "-q"]).ok(), "");
    registry.peace();
    let _sent = registry.sent();
    let _out = host.tare(["pull", "-q", &name]).ok();
    let (sent, size) = (registry.sent(), gzip(&second).len() as u64);
    assert!(sent < size + 10_000, "{sent} bytes for a layer of {size}");
    host.finish();
}
