//! `cargo xtask test`: what CI runs, with all its set-up.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{guest, images, peers, shell, tidy};

/// Debian packages behind the programs that tests call as independent witnesses.
const WITNESSES: &[(&str, &str)] = &[
    ("fsck.erofs", "erofs-utils"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nft", "nftables"),
    ("setfattr", "attr"),
    ("gcc", "gcc"),
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
];

/// Formatting, lints, tidy, every test; with `--guest` the end-to-end tests once more in a virtual machine.
///
/// # Errors
/// The first step that failed.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let guest_too = match args {
        [] => false,
        ["--guest"] => true,
        ["--guest-only"] => {
            images::run()?;
            build()?;
            return guest::test();
        }
        _ => bail!("cargo xtask test [--guest | --guest-only]"),
    };
    if shell::is_root() {
        shell::install(WITNESSES)?;
    }
    shell::run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    shell::run(
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "tare/failpoints",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    images::run()?;
    // The stock client, and callers of our runtime.
    peers::unpack_all()?;
    build()?;
    let mut tests = shell::command(
        "cargo",
        &["test", "--workspace", "--features", "tare/failpoints"],
    );
    tests.env("RUST_BACKTRACE", "1");
    shell::say("$ cargo test --workspace --features tare/failpoints");
    shell::finish(tests)?;
    if guest_too {
        guest::test()?;
    }
    shell::say("all passed");
    Ok(())
}

fn build() -> Result<()> {
    shell::run(
        "cargo",
        &[
            "test",
            "--workspace",
            "--features",
            "tare/failpoints",
            "--no-run",
        ],
    )
}

/// The directory of the debug binaries.
pub(crate) fn binaries() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let dir = exe.parent().map(PathBuf::from);
    dir.ok_or_else(|| anyhow::anyhow!("{} has no directory", exe.display()))
}
