//! Images leave as archives and come back, over both transports.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;

use testkit::sandbox::Sandbox;
use testkit::{Host, Transport};

testkit::over_both_transports!(
    images_leave_and_come_back,
    archives_come_compressed,
    layouts_are_directories,
    what_can_not_be_saved,
);

const FACTS: &str = "{{.Id}} {{.RepoTags}} {{.RepoDigests}} {{.RootFS.Layers}}";

fn images_leave_and_come_back(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let root = testkit::fixtures::image("busybox-root.tar");
    let _id = host.tare(["import", root.to_str().unwrap(), "made"]).ok();
    let _tagged = host.tare(["tag", "busybox", "busybox:other"]).ok();
    let names = ["busybox:latest", "busybox:other", "made:latest"];
    let facts = |host: &Host| {
        let args = ["image", "inspect", "-f", FACTS].iter().chain(&names);
        host.tare(args).ok()
    };
    let before = facts(&host);
    let archive = host.scratch().join("saved.tar");
    let archive = archive.to_str().unwrap();
    let saved = host.tare(["save", "-o", archive, "busybox", "made"]);
    assert_eq!(saved.ok(), "");
    // The same on standard output.
    let mut streamed = host.command(["image", "save", "busybox", "made"]);
    streamed.stdout(File::create(format!("{archive}.2")).unwrap());
    assert!(streamed.status().unwrap().success());
    assert!(std::fs::read(archive).unwrap() == std::fs::read(format!("{archive}.2")).unwrap());
    let _removed = host.tare(["rmi"].iter().chain(&names)).ok();
    let loaded = host.tare(["load", "-i", archive]).ok();
    for name in names {
        assert!(
            loaded.contains(&format!("Loaded image: {name}")),
            "{loaded}"
        );
    }
    assert_eq!(facts(&host), before);
    let mut piped = host.command(["load", "-q"]);
    piped.stdin(File::open(archive).unwrap());
    assert!(piped.output().unwrap().status.success());
    assert_eq!(facts(&host), before);
    let ran = host.tare(["run", "--rm", "--network", "none", "made", "echo", "alive"]);
    assert_eq!(ran.ok(), "alive");
    // By its id an image has no name.
    let id = host.tare(["images", "-q", "--no-trunc", "made"]).ok();
    let _saved = host.tare(["save", "-o", archive, &id[7..19]]).ok();
    let _removed = host.tare(["rmi", "made"]).ok();
    assert_eq!(
        host.tare(["load", "-i", archive]).ok(),
        format!("Loaded image ID: {id}")
    );
    host.finish();
}

fn archives_come_compressed(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let archive = host.scratch().join("saved.tar");
    let archive = archive.to_str().unwrap();
    let _saved = host.tare(["save", "-o", archive, "busybox"]).ok();
    for program in ["gzip", "bzip2"] {
        let packed = format!("{archive}.{program}");
        let args = ["run", "--rm", "-i", "--network", "none", "busybox", program];
        let mut command = host.command(args);
        command
            .stdin(File::open(archive).unwrap())
            .stdout(File::create(&packed).unwrap());
        assert!(command.status().unwrap().success());
        let _removed = host.tare(["rmi", "busybox"]).ok();
        assert_eq!(
            host.tare(["load", "-i", &packed]).ok(),
            "Loaded image: busybox:latest"
        );
        // The end is missing.
        let file = File::options().write(true).open(&packed).unwrap();
        file.set_len(file.metadata().unwrap().len() - 100).unwrap();
        let refused = host.tare(["load", "-i", &packed]).fails(1);
        assert!(refused.contains("truncated"), "{refused}");
    }
    host.finish();
}

fn layouts_are_directories(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let facts = || host.tare(["image", "inspect", "-f", FACTS, "busybox"]).ok();
    let before = facts();
    let layout = format!("{}/layout/", host.scratch().display());
    let _saved = host.tare(["save", "-o", &layout, "busybox"]).ok();
    let version = std::fs::read_to_string(format!("{layout}oci-layout")).unwrap();
    assert_eq!(version, r#"{"imageLayoutVersion":"1.0.0"}"#);
    let _removed = host.tare(["rmi", "busybox"]).ok();
    let loaded = host.tare(["load", "-i", &layout]).ok();
    assert_eq!(loaded, "Loaded image: busybox:latest");
    assert_eq!(facts(), before);
    // Once more into the same, and never over something else.
    let _saved = host.tare(["save", "-o", &layout, "busybox"]).ok();
    std::fs::remove_file(format!("{layout}oci-layout")).unwrap();
    let refused = host.tare(["save", "-o", &layout, "busybox"]).fails(1);
    assert!(
        refused.contains("neither empty nor an OCI layout"),
        "{refused}"
    );
    let empty = host.scratch().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let refused = host.tare(["load", "-i", empty.to_str().unwrap()]).fails(1);
    assert!(refused.contains("no OCI layout"), "{refused}");
    host.finish();
}

fn what_can_not_be_saved(sandbox: &Sandbox, transport: Transport) {
    let host = Host::with_busybox(sandbox, transport);
    let place = host.scratch().join("saved.tar");
    let path = place.to_str().unwrap();
    let missing = host
        .tare(["save", "-o", path, "busybox", "nothing"])
        .fails(1);
    assert!(missing.contains("No such image: nothing"), "{missing}");
    let args = ["save", "-o", path, "--platform", "linux/s390x", "busybox"];
    let foreign = host.tare(args).fails(1);
    assert!(foreign.contains("(linux/s390x)"), "{foreign}");
    let nowhere = host
        .tare(["save", "-o", "/no/such/place", "busybox"])
        .fails(1);
    assert!(nowhere.contains("does not exist"), "{nowhere}");
    let none = host.tare(["save"]).fails(1);
    assert!(none.contains("requires at least 1 argument"), "{none}");
    assert_eq!(
        std::fs::read_dir(host.scratch()).unwrap().count(),
        0,
        "nothing half written"
    );
    let mut terminal = host.terminal(["save", "busybox"]);
    let _refused = terminal.expect("cowardly refusing to save to a terminal");
    assert!(!terminal.wait().success());
    host.finish();
}
