//! Commands that the chores run, each announced before it starts.
#![expect(clippy::disallowed_methods, reason = "a chore is made of commands")]
#![expect(clippy::print_stderr, reason = "chores narrate on standard error")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Says what happens next.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// `program ARGS…` at the top of the workspace, not started yet.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs a command and fails unless it succeeds.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<()> {
    say(&format!("$ {program} {}", args.join(" ")));
    finish(command(program, args))
}

/// Runs `command` to its end and fails unless it succeeds.
pub(crate) fn finish(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// What a command that must succeed prints.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String> {
    let output = command(program, args)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", args.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The output of a command that must succeed, as it is.
pub(crate) fn bytes(program: &str, args: &[&str]) -> Result<Vec<u8>> {
    let output = command(program, args)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", args.join(" "), output.status);
    }
    Ok(output.stdout)
}

/// Whether `program` is on the PATH.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    output("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}

/// Installs Debian packages that are missing. Announced, and refused when it would remove or upgrade anything.
pub(crate) fn install(packages: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(program, _)| !has(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !has("apt-get") || !is_root() {
        bail!(
            "these Debian packages are needed: {list}; install them, or run as root on Debian to have it done"
        );
    }
    say(&format!(
        "installing the Debian packages {list} (nothing is removed or upgraded)"
    ));
    let mut plan = vec!["-s", "install", "--no-install-recommends", "--no-upgrade"];
    plan.extend(&missing);
    if output("apt-get", &plan).is_err() {
        run("apt-get", &["update", "-q"])?;
    }
    let planned = output("apt-get", &plan)?;
    if let Some(line) = planned.lines().find(|l| l.starts_with("Remv ")) {
        bail!("installing {list} would remove a package ({line}); install them by hand");
    }
    let mut args = vec![
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        "--no-upgrade",
        "--no-remove",
    ];
    args.extend(&missing);
    run("apt-get", &args)
}
