//! What was damaged is told, what nobody has is taken away, and what comes again heals, over both transports.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    damage_is_told_and_heals,
    what_nobody_has_goes,
    volumes_come_from_other_containers,
);

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn damage_is_told_and_heals(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    assert_eq!(host.tare(["system", "check", "--verify"]).ok(), "");
    for directory in ["blobs/sha256", "layers"] {
        let mut paths = files(&host.root().join(directory));
        paths.sort_by_key(|path| path.metadata().unwrap().len());
        let path = paths.pop().unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, 5000).unwrap();
        file.write_all_at(&[byte[0] ^ 1], 5000).unwrap();
        assert_eq!(
            host.tare(["system", "check"]).ok(),
            "",
            "nobody looked inside"
        );
        let told = host.tare(["system", "check", "--verify"]);
        assert_eq!(told.code, 1);
        assert!(told.stdout.contains("get it again"), "{}", told.stdout);
        // The image goes and comes again.
        let _removed = host.tare(["rmi", "busybox"]).ok();
        let archive = testkit::fixtures::image("busybox.tar");
        let _loaded = host
            .tare(["load", "-q", "-i", archive.to_str().unwrap()])
            .ok();
        assert_eq!(host.tare(["system", "check", "--verify"]).ok(), "");
        let alive = ["run", "--name", "c1", "--network", "none", "busybox"];
        let out = host.tare(alive.iter().chain(&["echo", "alive"]));
        assert_eq!(out.ok(), "alive");
        let _removed = host.tare(["rm", "c1"]).ok();
    }
    // Gone altogether.
    for path in files(&host.root().join("layers")) {
        std::fs::remove_file(path).unwrap();
    }
    let told = host.tare(["system", "check"]);
    assert!(
        told.stdout.contains("its file is missing"),
        "{}",
        told.stdout
    );
    let _removed = host.tare(["rmi", "busybox"]).ok();
    host.finish();
}

fn what_nobody_has_goes(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let id = "ab".repeat(32);
    let orphan = host.root().join("containers").join(&id);
    std::fs::create_dir_all(orphan.join("upper/etc")).unwrap();
    let blob = host.root().join("blobs/sha256").join(&id);
    let _blob = File::create(&blob).unwrap();
    let layer = host.root().join("layers").join(format!("{id}.erofs"));
    let _layer = File::create(&layer).unwrap();
    let told = host.tare(["system", "check"]);
    assert_eq!(told.code, 1);
    for part in ["no container has it", "no blob has it", "no layer has it"] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    assert_eq!(host.tare(["system", "check", "--repair"]).ok(), "");
    for path in [orphan, blob, layer] {
        assert!(!path.exists(), "{}", path.display());
    }
    assert_eq!(host.tare(["images", "-q"]).ok().lines().count(), 1);
    host.finish();
}

fn volumes_come_from_other_containers(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let args = [
        "create",
        "--name",
        "base",
        "-v",
        "named:/n",
        "-v",
        "/anonymous",
        "busybox",
    ];
    let _id = host.tare(args).ok();
    let run = |from: &str, script: &str| {
        let args = [
            "run",
            "--rm",
            "--network",
            "none",
            "--volumes-from",
            from,
            "busybox",
        ];
        host.tare(args.iter().copied().chain(["sh", "-c", script]))
    };
    let _written = run("base", "echo 1 > /n/file; echo 2 > /anonymous/file").ok();
    assert_eq!(run("base:ro", "cat /n/file /anonymous/file").ok(), "1\n2");
    assert_ne!(run("base:ro", "echo 3 > /n/file").code, 0, "read-only");
    // What is asked for at the same place goes before.
    let args = ["run", "--rm", "--network", "none", "--volumes-from", "base"];
    let more = ["-v", "other:/n", "busybox", "ls", "/n"];
    assert_eq!(host.tare(args.iter().chain(&more)).ok(), "");
    let missing = run("nothing", "true").fails(125);
    assert!(missing.contains("No such container: nothing"), "{missing}");
    let wrong = run("base:no", "true").fails(125);
    assert!(wrong.contains("invalid mode: no"), "{wrong}");
    assert_eq!(
        host.tare(["volume", "ls", "-q"]).ok().lines().count(),
        3,
        "nothing that is another's goes with --rm"
    );
    host.finish();
}
