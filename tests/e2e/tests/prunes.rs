//! What nobody uses goes, and what takes how much of the disk is told, over both transports.
#![allow(clippy::unwrap_used, reason = "tests")]

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    unused_containers_go,
    unused_images_go,
    unused_volumes_go,
    the_disk_is_counted,
    everything_unused_goes,
);

fn create(host: &Host, name: &str, more: &[&str]) {
    let args = ["create", "--name", name, "--network", "none"];
    let _id = host
        .tare(args.iter().chain(more).chain(&["busybox", "sleep", "1000"]))
        .ok();
}

fn names(host: &Host) -> String {
    host.tare(["ps", "-a", "--format", "{{.Names}}"]).ok()
}

fn unused_containers_go(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    create(&host, "kept", &["-l", "keep=yes"]);
    create(&host, "old", &[]);
    create(&host, "runs", &[]);
    let _started = host.tare(["start", "runs"]).ok();
    let args = ["container", "prune", "-f", "--filter", "until=24h"];
    assert_eq!(host.tare(args).ok(), "Total reclaimed space: 0B");
    // Nobody said yes.
    let asked = host.tare(["container", "prune"]).ok();
    assert!(
        asked.contains("WARNING! This will remove all stopped containers."),
        "{asked}"
    );
    assert_eq!(names(&host).lines().count(), 3);
    let args = ["container", "prune", "-f", "--filter", "label!=keep"];
    let told = host.tare(args).ok();
    assert!(told.starts_with("Deleted Containers:\n"), "{told}");
    assert_eq!(names(&host), "runs\nkept");
    let said_yes = host.tare_with_input(["container", "prune"], b"y\n").ok();
    assert!(said_yes.contains("Total reclaimed space"), "{said_yes}");
    assert_eq!(names(&host), "runs");
    host.finish();
}

fn unused_images_go(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let root = testkit::fixtures::image("busybox-root.tar");
    let root = root.to_str().unwrap();
    let _first = host.tare(["import", "-m", "1", root, "made:1"]).ok();
    let _second = host
        .tare(["import", "-m", "2", "-c", "LABEL a=b", root, "made:1"])
        .ok();
    let images = || {
        host.tare(["images", "--format", "{{.Repository}}:{{.Tag}}"])
            .ok()
    };
    assert!(images().contains("<none>:<none>"), "{}", images());
    let told = host.tare(["image", "prune", "-f"]).ok();
    assert!(
        told.starts_with("Deleted Images:\ndeleted: sha256:"),
        "{told}"
    );
    assert!(!images().contains("<none>"));
    create(&host, "user", &[]);
    let args = ["image", "prune", "-af", "--filter", "label=a=c"];
    assert_eq!(host.tare(args).ok(), "Total reclaimed space: 0B");
    let args = ["image", "prune", "-af", "--filter", "until=1h"];
    assert_eq!(host.tare(args).ok(), "Total reclaimed space: 0B");
    let told = host.tare(["image", "prune", "--all", "--force"]).ok();
    assert!(told.contains("untagged: made:1"), "{told}");
    assert!(!told.ends_with(": 0B"), "{told}");
    assert_eq!(images(), "busybox:latest", "it has a container");
    let unknown = host
        .tare(["image", "prune", "-f", "--filter", "no=1"])
        .fails(1);
    assert!(unknown.contains("invalid filter 'no'"), "{unknown}");
    host.finish();
}

fn unused_volumes_go(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    create(&host, "user", &["-v", "used:/u", "-v", "/anonymous"]);
    create(&host, "gone", &["-v", "/anonymous"]);
    let _removed = host.tare(["rm", "gone"]).ok();
    let _made = host.tare(["volume", "create", "named"]).ok();
    let _made = host
        .tare(["volume", "create", "--label", "a=b", "other"])
        .ok();
    let count = || host.tare(["volume", "ls", "-q"]).ok().lines().count();
    assert_eq!(count(), 5);
    let told = host.tare(["volume", "prune", "-f"]).ok();
    assert!(told.starts_with("Deleted Volumes:\n"), "{told}");
    assert_eq!(count(), 4, "those with names stay");
    let args = ["volume", "prune", "-af", "--filter", "label=a=b"];
    assert!(host.tare(args).ok().contains("\nother\n"));
    let told = host.tare(["volume", "prune", "-a", "-f"]).ok();
    assert!(told.contains("\nnamed\n"), "{told}");
    assert_eq!(count(), 2, "those that are used stay");
    host.finish();
}

fn the_disk_is_counted(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let args = [
        "run",
        "--name",
        "c1",
        "--network",
        "none",
        "-v",
        "vol:/v",
        "busybox",
    ];
    let script = "head -c 10000 /dev/zero > /own; head -c 20000 /dev/zero > /v/kept";
    let _ran = host
        .tare(args.iter().copied().chain(["sh", "-c", script]))
        .ok();
    let _image = host.tare(["commit", "c1", "more"]).ok();
    let format = "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}";
    let told = host.tare(["system", "df", "--format", format]).ok();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("Images|2|1|"), "{told}");
    assert!(lines[1].starts_with("Containers|1|0|10"), "{told}");
    assert_eq!(lines[2], "Local Volumes|1|1|20kB");
    assert_eq!(lines[3], "Build Cache|0|0|0B");
    let table = host.tare(["system", "df"]).ok();
    assert!(
        table.starts_with("TYPE            TOTAL     ACTIVE"),
        "{table}"
    );
    let verbose = host.tare(["system", "df", "-v"]).ok();
    for part in [
        "Images space usage:",
        "SHARED SIZE",
        "Containers space usage:",
        "more",
        "20kB",
    ] {
        assert!(verbose.contains(part), "{part}: {verbose}");
    }
    let json = host.tare(["system", "df", "-v", "--format", "json"]).ok();
    let usage: serde_json::Value = serde_json::from_str(&json).unwrap();
    let sizes = |key: &str| -> Vec<i64> {
        let images = usage["Images"].as_array().unwrap();
        images
            .iter()
            .map(|image| image[key].as_i64().unwrap())
            .collect()
    };
    let (all, shared) = (sizes("Size"), sizes("SharedSize"));
    let layers = usage["LayersSize"].as_i64().unwrap();
    assert_eq!(shared[0], shared[1], "the base is in both");
    assert_eq!(
        all.iter().sum::<i64>() - shared[0],
        layers,
        "each layer once"
    );
    host.finish();
}

fn everything_unused_goes(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    create(&host, "c1", &["-v", "named:/n", "-v", "/anonymous"]);
    let asked = host.tare(["system", "prune", "--volumes"]).ok();
    for part in [
        "all stopped containers",
        "all anonymous volumes",
        "all dangling images",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    assert_eq!(names(&host), "c1");
    let told = host.tare(["system", "prune", "-f", "--volumes"]).ok();
    assert!(told.contains("Deleted Containers:"), "{told}");
    assert!(told.contains("Deleted Volumes:"), "{told}");
    assert_eq!(host.tare(["volume", "ls", "-q"]).ok(), "named");
    assert_eq!(
        host.tare(["images", "-q"]).ok().lines().count(),
        1,
        "it has a tag"
    );
    let told = host.tare(["system", "prune", "-af"]).ok();
    assert!(told.contains("untagged: busybox:latest"), "{told}");
    assert_eq!(host.tare(["images", "-q"]).ok(), "");
    let wrong = ["system", "prune", "-f", "--volumes", "--filter", "until=1h"];
    let refused = host.tare(wrong).fails(1);
    assert!(refused.contains("not supported with"), "{refused}");
    host.finish();
}
