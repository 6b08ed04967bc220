//! Engines of others, as callers of our runtime: Debian's, unpacked into `target/peers` by `cargo xtask peers` (`cargo xtask
//! test` does so by itself), never installed.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::sandbox::{self, Sandbox};

/// The folders of the peers `names`. Without them it says `SKIP` and gives `None`; with `peers` in `TARE_TEST_REQUIRE` that is
/// a panic.
#[must_use]
pub fn unpacked(names: &[&str]) -> Option<Vec<PathBuf>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    let mut found = Vec::new();
    for name in names {
        // Written last, so that it says that all is there.
        if !top.join(name).join("unpacked").exists() {
            assert!(
                !sandbox::requires("peers"),
                "this test needs {name}, and TARE_TEST_REQUIRE=peers forbids to skip it: cargo xtask peers"
            );
            sandbox::note(&format!("SKIP this test needs {name}: cargo xtask peers"));
            return None;
        }
        found.push(top.join(name));
    }
    Some(found)
}

/// Lays the files of `peers` over those of the host, which has then seen none of them before: `/run` and `/var/lib` are empty. What is
/// written to `/etc` goes to `scratch`.
pub fn lay_over_the_host(_sandbox: &Sandbox, peers: &[PathBuf], scratch: &Path) {
    let lower = |top: &str| {
        let folders = peers
            .iter()
            .map(|peer| peer.join(top).display().to_string());
        let folders: Vec<String> = folders.chain([format!("/{top}")]).collect();
        folders.join(":")
    };
    attach("tmpfs", scratch, "");
    let (upper, work) = (scratch.join("etc"), scratch.join("etc-work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    attach(
        "overlay",
        Path::new("/usr"),
        &format!("lowerdir={}", lower("usr")),
    );
    let etc = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower("etc"),
        upper.display(),
        work.display()
    );
    attach("overlay", Path::new("/etc"), &etc);
    for fresh in ["/run", "/var/lib"] {
        attach("tmpfs", Path::new(fresh), "");
    }
    // Peers of that age take a v2 hierarchy beside v1 for something else.
    let unified = Path::new("/sys/fs/cgroup/unified");
    if unified.join("cgroup.procs").exists() {
        unmount(unified, UnmountFlags::DETACH).unwrap();
    }
}

fn attach(kind: &str, target: &Path, data: &str) {
    let data = std::ffi::CString::new(data).unwrap();
    mount(
        kind,
        target,
        kind,
        MountFlags::empty(),
        Some(data.as_c_str()),
    )
    .unwrap();
}
