//! Where the built binaries and the fixture images are.

use std::path::{Path, PathBuf};

/// The binary `name` that was built with this test.
///
/// # Panics
/// When it isn't there: `cargo build -p tare --features tare/failpoints` makes it, `cargo xtask test` does so by itself.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let dir = std::env::var_os("TARE_BIN_DIR").map_or_else(beside_tests, PathBuf::from);
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p tare --features tare/failpoints",
        path.display()
    );
    path
}

fn beside_tests() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    // target/<host>/debug/deps/<test> → target/<host>/debug
    exe.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The fixture `name` in `target/fixtures`, made by `cargo xtask fixtures` (`cargo xtask test` does so by itself):
/// `busybox.tar` (docker-archive, tagged `busybox:latest`), `busybox-root.tar`, `debian-root.tar`.
///
/// # Panics
/// When it isn't there.
#[must_use]
pub fn image(name: &str) -> PathBuf {
    let dir = std::env::var_os("TARE_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fixtures"),
        PathBuf::from,
    );
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo xtask fixtures",
        path.display()
    );
    path
}

/// The stock `docker` clients there are: the one on the PATH, and Debian's that `cargo xtask test` unpacks into
/// `target/peers`.
#[must_use]
pub fn docker_clients() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|dir| dir.join("docker"))
        .filter(|p| p.is_file())
        .take(1)
        .collect();
    let peers =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/docker/usr/bin/docker");
    found.extend(Some(peers).filter(|p| p.is_file()));
    found
}

/// Where PyPI's `docker` and what it needs are, if `cargo xtask test` has unpacked them into `target/peers`.
#[must_use]
pub fn python_client() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/python");
    dir.join("docker").is_dir().then_some(dir)
}
