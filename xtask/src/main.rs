//! The project's chores: `cargo xtask CHORE`. Each does all its own set-up and says what it does.
#![expect(clippy::print_stderr, reason = "chores narrate on standard error")]

mod bench;
mod demo;
mod guest;
mod images;
mod packages;
mod peers;
mod shell;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask CHORE

  demo            make images, run containers, show what Tare does; leaves nothing behind
  test [--guest]  formatting, lints, tidy and every test; with --guest once more in a virtual machine
  tidy            the shape of the house: edges between crates, names, docs
  fixtures        the images that tests use, made from Debian packages, in target/fixtures
  guest SCRIPT    boot the virtual machine and run a script in it
  peers           unpack docker and podman from Debian's packages into target/peers; nothing is installed
  bench [WHAT]    compare with peers in one run: run, exec, runtime, memory, all";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match chore(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(args: &[&str]) -> Result<()> {
    match args {
        ["demo"] => demo::run(),
        ["test", rest @ ..] => test::run(rest),
        ["tidy"] => tidy::run(),
        ["fixtures"] => images::run(),
        ["guest", rest @ ..] => guest::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["bench-inside", rest @ ..] => bench::inside(rest),
        ["peers"] => peers::run(),
        _ => bail!("{HELP}"),
    }
}
