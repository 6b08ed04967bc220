//! The leak checker finds what it is there to find.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the commands that leak"
)]

use std::process::Command;

use testkit::leak::{Snapshot, cgroup_roots, remove_cgroups};

fn succeeds(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).status().unwrap().success());
}

#[test]
fn a_sandbox_is_a_machine_of_its_own() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    assert_eq!(std::process::id(), 2);
    let links = std::fs::read_to_string("/proc/net/dev").unwrap();
    assert!(
        links
            .lines()
            .skip(2)
            .all(|l| l.trim_start().starts_with("lo:")),
        "{links}"
    );
}

#[test]
fn every_kind_of_leak_is_found() {
    let Some(_sandbox) = testkit::sandbox!() else {
        return;
    };
    let cgroup = format!(
        "/tare-test-leak-{}",
        std::fs::read_link("/proc/self/ns/pid").unwrap().display()
    )
    .replace(['[', ']', ':'], "-");
    let before = Snapshot::take(&cgroup);
    assert!(
        Snapshot::take(&cgroup).since(&before).is_empty(),
        "nothing happened"
    );

    let dir = tempfile::tempdir().unwrap();
    succeeds(
        "mount",
        &["-t", "tmpfs", "none", dir.path().to_str().unwrap()],
    );
    succeeds("ip", &["link", "add", "leak0", "type", "bridge"]);
    succeeds("nft", &["add", "table", "inet", "leak"]);
    let root = cgroup_roots().into_iter().next().unwrap();
    std::fs::create_dir_all(root.join(&cgroup[1..]).join("left")).unwrap();
    let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();

    let found = Snapshot::take(&cgroup).since(&before).join("\n");
    succeeds("umount", &[dir.path().to_str().unwrap()]);
    remove_cgroups(&cgroup);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    for kind in [
        "mount /",
        "link leak0",
        "nft table inet leak",
        "cgroup /",
        "process ",
    ] {
        assert!(found.contains(kind), "{kind} is missing in:\n{found}");
    }
    let after = Snapshot::take(&cgroup).since(&before).join("\n");
    assert!(
        !after.contains("process") && !after.contains("cgroup"),
        "{after}"
    );
}
