//! Images go to a registry, over both transports.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::registry::{Fault, digest, gzip, noise, tar_of};
use testkit::sandbox::Sandbox;
use testkit::{Host, Registry, Transport};

testkit::over_both_transports!(
    what_was_loaded_goes_and_comes_back,
    what_was_pulled_goes_as_it_came,
    a_broken_push_goes_on_and_refusals_are_told,
);

#[test]
fn the_stock_client_pulls_and_pushes() {
    let Some(sandbox) = testkit::sandbox!() else {
        return;
    };
    for docker in testkit::fixtures::docker_clients() {
        let host = Host::new(&sandbox, Transport::Socket);
        let registry = Registry::start(&sandbox);
        let manifest = registry.put_image("app", "1", &[tar_of(&[("a", b"a")])]);
        registry.require("ann:S3CRET");
        let config = host.scratch().join("docker");
        std::fs::create_dir_all(&config).unwrap();
        let auth = format!(
            "{{\"auths\":{{\"{}\":{{\"auth\":\"YW5uOlMzQ1JFVA==\"}}}}}}",
            registry.name("").trim_end_matches('/')
        );
        std::fs::write(config.join("config.json"), auth).unwrap();
        let run = |args: &[&str]| testkit::host::run(host.docker(&docker, args)).ok();
        let (from, to) = (registry.name("app:1"), registry.name("copy:2"));
        let out = run(&["pull", &from]);
        assert!(
            out.contains(&format!("Status: Downloaded newer image for {from}")),
            "{out}"
        );
        run(&["tag", &from, &to]);
        let out = run(&["push", &to]);
        let digest = digest(&manifest);
        assert!(
            out.contains(&format!("2: digest: {digest} size: {}", manifest.len())),
            "{out}"
        );
        assert!(registry.manifest("copy", "2").is_some());
        host.finish();
    }
}

fn what_was_loaded_goes_and_comes_back(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let registry = Registry::start(sandbox);
    let name = registry.name("team/app:1.0");
    let refused = host.tare(["push", &name]).fails(1);
    assert!(
        refused.contains(&format!(
            "An image does not exist locally with the tag: {name}"
        )),
        "{refused}"
    );
    let _tagged = host.tare(["tag", "busybox", &name]).ok();
    let id = host.tare(["inspect", "-f", "{{.Id}}", "busybox"]).ok();
    let out = host.tare(["push", &name]).ok();
    let repository = registry.name("team/app");
    for text in [
        format!("The push refers to repository [{repository}]"),
        ": Preparing".to_owned(),
        ": Pushed".to_owned(),
        "1.0: digest: sha256:".to_owned(),
    ] {
        assert!(out.contains(&text), "{text:?} is not in {out}");
    }
    let manifest = registry.manifest("team/app", "1.0").unwrap();
    assert_eq!(manifest["config"]["digest"], id.as_str());
    let out = host.tare(["push", &name]).ok();
    assert!(out.contains(": Layer already exists"), "{out}");
    // Another repository of the same registry gets it from this one.
    let other = registry.name("other");
    let _tagged = host.tare(["tag", "busybox", &other]).ok();
    let _asked = registry.asked();
    assert_eq!(
        host.tare(["push", "-q", &other]).ok(),
        format!("{other}:latest")
    );
    assert!(registry.asked().iter().all(|asked| asked.method != "PATCH"));
    let _removed = host.tare(["rmi", "busybox", &name, &other]).ok();
    let _pulled = host.tare(["pull", "-q", &name]).ok();
    assert_eq!(host.tare(["inspect", "-f", "{{.Id}}", &name]).ok(), id);
    assert_eq!(
        host.tare(["run", "--rm", "--network", "none", &name, "echo", "back"])
            .ok(),
        "back"
    );
    host.finish();
}

fn what_was_pulled_goes_as_it_came(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let (from, to) = (Registry::start(sandbox), Registry::start(sandbox));
    let tars = [tar_of(&[("a", b"a")]), tar_of(&[("b", b"b")])];
    let manifest = from.put_image("app", "1", &tars);
    let _pulled = host.tare(["pull", "-q", &from.name("app:1")]).ok();
    for tag in ["x", "y"] {
        let _tagged = host
            .tare(["tag", &from.name("app:1"), &to.name(&format!("app:{tag}"))])
            .ok();
    }
    let refused = host.tare(["push", "-a", &to.name("app:x")]).fails(1);
    assert!(
        refused.contains("tag can't be used with --all-tags/-a"),
        "{refused}"
    );
    let out = host.tare(["push", "-a", &to.name("app")]).ok();
    for tag in ["x", "y"] {
        assert!(
            out.contains(&format!("{tag}: digest: {}", digest(&manifest))),
            "{out}"
        );
    }
    assert!(to.blob(&digest(&gzip(&tars[1]))).is_some());
    let refused = host
        .tare(["push", "--platform", "linux/s390x", &to.name("app:x")])
        .fails(1);
    assert!(
        refused.contains("does not provide the specified platform"),
        "{refused}"
    );
    host.finish();
}

fn a_broken_push_goes_on_and_refusals_are_told(sandbox: &Sandbox, transport: Transport) {
    let host = Host::new(sandbox, transport);
    let registry = Registry::start(sandbox);
    let tar = tar_of(&[("noise", &noise(9, 3 << 20))]);
    registry.put_image("app", "1", std::slice::from_ref(&tar));
    let _pulled = host.tare(["pull", "-q", &registry.name("app:1")]).ok();
    let there = Registry::start(sandbox);
    let name = there.name("app:1");
    let _tagged = host.tare(["tag", &registry.name("app:1"), &name]).ok();
    let failures = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&failures);
    there.trouble(move |asked| {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec();
        let hit = asked.method == "PATCH" && count.fetch_add(1, Ordering::Relaxed) == 0;
        hit.then_some(Fault::Raw(busy))
    });
    let _pushed = host.tare(["push", "-q", &name]).ok();
    assert!(failures.load(Ordering::Relaxed) > 1);
    assert!(there.blob(&digest(&gzip(&tar))).is_some());
    there.peace();
    there.require("ann:secret");
    let refused = host.tare(["push", &name]).fails(1);
    assert!(
        refused.contains("401") || refused.contains("denied"),
        "{refused}"
    );
    host.finish();
}
