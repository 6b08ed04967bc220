//! Programs of the host that run at turns of a container's life.
//!
//! Their environment is what their own definition says and nothing else; the image's is never theirs (CVE-2025-23266).

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::Duration;

use kernel::process::{Executable, ExitStatus, Spawn};
use kernel::signal::SIGKILL;
use rustix::fs::{MemfdFlags, memfd_create};
use spec::runtime::{Hook, Hooks, State};

use crate::error::{Error, Kind, Result};

/// When a hook runs, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// As [`Turn::CreateRuntime`], which replaced it, and before.
    Prestart,
    /// When the container's namespaces are made, in the caller's.
    CreateRuntime,
    /// The same, in the container's namespaces, before its root is the only one.
    CreateContainer,
    /// When it is started, in the container, by its user.
    StartContainer,
    /// When its program runs, in the caller's namespaces.
    Poststart,
    /// When it is deleted, in the caller's namespaces.
    Poststop,
}

impl Turn {
    /// All of them, in the order of a container's life.
    pub(crate) const ALL: [Self; 6] = [
        Self::Prestart,
        Self::CreateRuntime,
        Self::CreateContainer,
        Self::StartContainer,
        Self::Poststart,
        Self::Poststop,
    ];

    /// As the specification writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }

    /// Those of `hooks` that run then.
    #[must_use]
    pub fn of(self, hooks: &Hooks) -> &[Hook] {
        match self {
            Self::Prestart => &hooks.prestart,
            Self::CreateRuntime => &hooks.create_runtime,
            Self::CreateContainer => &hooks.create_container,
            Self::StartContainer => &hooks.start_container,
            Self::Poststart => &hooks.poststart,
            Self::Poststop => &hooks.poststop,
        }
    }
}

/// How much of what a hook said is told when it fails.
const MOST_TEXT: usize = 2048;

/// Runs the hooks of one turn, in order, each told `state` on its standard input; the first that fails is the last.
///
/// [`crate::create`] and the start of a container run the first four turns by themselves. [`Turn::Poststart`] and [`Turn::Poststop`] are the caller's, who
/// knows when it has started and deleted the container; of the latter each runs whatever became of the others ([`run_each`]).
///
/// # Errors
/// A hook can't be executed, ended with another code than 0, or took longer than it may; then it was killed.
pub fn run_hooks(hooks: &Hooks, turn: Turn, state: &State) -> Result<()> {
    let list = turn.of(hooks);
    if list.is_empty() {
        return Ok(());
    }
    let state = text(state)?;
    (0..)
        .zip(list)
        .try_for_each(|(index, hook)| run(hook, turn, index, &state))
}

/// Runs all hooks of one turn; gives what went wrong with those that failed.
#[must_use]
pub fn run_each(hooks: &Hooks, turn: Turn, state: &State) -> Vec<Error> {
    let list = turn.of(hooks);
    if list.is_empty() {
        return Vec::new();
    }
    match text(state) {
        Err(error) => vec![error],
        Ok(state) => (0..)
            .zip(list)
            .filter_map(|(index, hook)| run(hook, turn, index, &state).err())
            .collect(),
    }
}

/// Refuses what could only fail later.
pub(crate) fn check(hooks: &Hooks) -> Result<()> {
    for turn in Turn::ALL {
        for hook in turn.of(hooks) {
            let refused = |why| {
                let path = hook.path.escape_default();
                Err(Error::invalid(why, format!("{path} of {}", turn.name())))
            };
            let zero = |text: &String| text.contains('\0');
            if !hook.path.starts_with('/') {
                return refused("run a hook whose path is not absolute:");
            }
            if zero(&hook.path) || hook.args.iter().any(zero) || hook.env.iter().any(zero) {
                return refused("read hook");
            }
            if hook.timeout.is_some_and(|timeout| timeout <= 0) {
                return refused("run a hook for no time:");
            }
        }
    }
    Ok(())
}

fn text(state: &State) -> Result<Vec<u8>> {
    serde_json::to_vec(state).map_err(Error::at("write state for", "hooks"))
}

fn run(hook: &Hook, turn: Turn, index: usize, state: &[u8]) -> Result<()> {
    let failed = |why: &str| {
        let message = format!(
            "error running {} hook #{index} ({}): {why}",
            turn.name(),
            hook.path
        );
        Error::message(Kind::Hook, message)
    };
    let input = kernel::memfd::sealed("state", state)?;
    // Files, not pipes: what a hook leaves running may hold them for ever.
    let (output, complaints) = (sink()?, sink()?);
    let mut spawn = Spawn::new(Executable::Path(hook.path.clone().into()), arguments(hook));
    spawn.env = hook.env.iter().map(OsString::from).collect();
    spawn.cwd = Some("/".into());
    let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(Error::at("duplicate", "descriptor"));
    let spawn = spawn
        .fd(input, 0)
        .fd(duplicate(&output)?, 1)
        .fd(duplicate(&complaints)?, 2);
    let child = spawn
        .start()
        .map_err(|error| failed(&error.source.to_string()))?;
    let limit = hook.timeout.and_then(|timeout| u64::try_from(timeout).ok());
    if let Some(seconds) = limit
        && !child.pidfd.wait_end(Duration::from_secs(seconds))?
    {
        child.pidfd.signal(SIGKILL)?;
        child.wait()?;
        return Err(failed(&format!("it did not end within {seconds} s")));
    }
    let why = match child.wait()? {
        ExitStatus::Exited(0) => return Ok(()),
        ExitStatus::Exited(code) => format!("exit status {code}"),
        ExitStatus::Signaled(signal) => format!("signal {signal}"),
    };
    let (output, complaints) = (said(&output), said(&complaints));
    Err(failed(&format!(
        "{why}, stdout: {output}, stderr: {complaints}"
    )))
}

fn arguments(hook: &Hook) -> Vec<OsString> {
    if hook.args.is_empty() {
        vec![hook.path.clone().into()]
    } else {
        hook.args.iter().map(OsString::from).collect()
    }
}

fn sink() -> Result<OwnedFd> {
    memfd_create("hook", MemfdFlags::CLOEXEC).map_err(Error::at("make file for", "hook"))
}

/// The end of what was written to `file`.
fn said(file: &OwnedFd) -> String {
    let size = rustix::fs::fstat(file).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    let mut text = vec![0; MOST_TEXT];
    let from = size.saturating_sub(MOST_TEXT as u64);
    let count = rustix::io::pread(file, &mut text, from).unwrap_or(0);
    String::from_utf8_lossy(&text[..count])
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests;
