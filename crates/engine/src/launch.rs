//! From a container's specification to its living monitor.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kernel::process::Child;
use protocol::launch::{CONTAINER_DIR_FD, EVENTS_FD, LAUNCH_FD, Named, ROOT_FD, RUN_DIR_FD};
use protocol::{GivenNetwork, Launch, LogLimits, Ready, Restart};
use rustix::fs::{CWD, Mode, OFlags};
use state::ContainerRow;

use crate::bundle;
use crate::container::check::bytes;
use crate::container::stored::Stored;
use crate::container::{Config, HostConfig, LogConfig, RestartPolicy, health};
use crate::error::{Error, Result};
use crate::open::Inner;
use crate::spare::{self, Monitor};

/// What a monitor is given beside its launch document.
#[derive(Debug)]
pub(crate) struct Descriptors {
    /// The container's root: a detached mount.
    pub(crate) root: OwnedFd,
    pub(crate) container_dir: OwnedFd,
    pub(crate) run_dir: OwnedFd,
    /// The directory of the event file.
    pub(crate) events: OwnedFd,
    /// Of the container's network, each with its number.
    pub(crate) network: Vec<(OwnedFd, i32)>,
}

/// The launch document of a container.
pub(crate) fn document(
    inner: &Inner,
    row: &ContainerRow,
    stored: &Stored,
    spec: spec::runtime::Spec,
    given: GivenNetwork,
) -> Result<Launch> {
    let id = &row.id;
    let Stored { config, host, .. } = stored;
    let (rows, cols) = host.console_size;
    Ok(Launch {
        v: Launch::VERSION,
        id: *id,
        spec,
        filter: bundle::filter(host)?,
        // Always resolved, also root: its home and its groups are the image's to say.
        user: Some(user(config)),
        groups: host
            .group_add
            .iter()
            .filter(|group| group.parse::<u32>().is_err())
            .cloned()
            .collect(),
        cgroup: inner.cgroup(&host.cgroup_parent, id),
        monitor_cgroup: Some(format!(
            "{}/monitors",
            inner.config.cgroup_parent.trim_end_matches('/')
        )),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        rows,
        cols,
        restart: restart(&host.restart_policy),
        probe: health::probe(config),
        auto_remove: host.auto_remove,
        remove_command: internal(inner, &["remove", &id.to_string()]),
        leave_command: internal(inner, &["leave", &id.to_string()]),
        remove_env: steering(),
        log: limits(&host.log_config),
        stop_signal: config
            .stop_signal
            .as_deref()
            .and_then(kernel::signal::parse),
        oom_score_adj: oom_score_adj(host),
        network: given,
        events: Some(Named {
            name: row.name.clone(),
            attributes: crate::event::attributes(stored),
        }),
    })
}

/// What a monitor does about its container's end.
pub(crate) fn restart(policy: &RestartPolicy) -> Restart {
    match policy.name.as_str() {
        // Whether somebody has stopped it matters to engines alone.
        "always" | "unless-stopped" => Restart::Always,
        "on-failure" => Restart::OnFailure {
            most: u32::try_from(policy.maximum_retry_count).unwrap_or(0),
        },
        _ => Restart::No,
    }
}

fn user(config: &Config) -> String {
    if config.user.is_empty() {
        "0".to_owned()
    } else {
        config.user.clone()
    }
}

fn oom_score_adj(host: &HostConfig) -> Option<i32> {
    i32::try_from(host.oom_score_adj).ok()
}

/// The command line of an engine's own command for this installation.
pub(crate) fn internal(inner: &Inner, words: &[&str]) -> Vec<String> {
    let config = &inner.config;
    let text = |path: &Path| path.display().to_string();
    let mut args = vec![
        text(&config.binaries.tare),
        "--root".to_owned(),
        text(&config.paths.root),
        "--run-root".to_owned(),
        text(&config.paths.run),
        "--cgroup-parent".to_owned(),
        config.cgroup_parent.clone(),
        "internal".to_owned(),
    ];
    args.extend(words.iter().map(|word| (*word).to_owned()));
    args
}

fn limits(log: &LogConfig) -> LogLimits {
    let default = LogLimits::default();
    if log.driver == "none" {
        // Only what whoever is attached needs as a buffer.
        return LogLimits {
            max_size: 256 * 1024,
            max_files: 2,
        };
    }
    let option = |name: &str| log.options.get(name);
    LogLimits {
        max_size: option("max-size")
            .and_then(|text| bytes(text))
            .unwrap_or(default.max_size),
        max_files: option("max-file")
            .and_then(|text| text.parse().ok())
            .unwrap_or(default.max_files),
    }
}

/// The environment of the monitor: nothing, but what steers fail points in builds for crash tests.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn steering() -> std::collections::BTreeMap<String, String> {
    std::collections::BTreeMap::new()
}

/// The environment of the monitor: nothing, but what steers fail points in builds for crash tests.
#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "steered by the environment, in test builds only"
)]
pub(crate) fn steering() -> std::collections::BTreeMap<String, String> {
    ["TARE_FAILPOINT", "TARE_FAILPOINT_LOG"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}

/// Has a monitor run the container and waits for its word. The child is the monitor, whatever it said.
pub(crate) fn launch(
    inner: &Inner,
    document: &Launch,
    fds: Descriptors,
) -> Result<(Child, Result<Ready>)> {
    let memory = kernel::memfd::sealed("launch", &document.to_json()?)?;
    let Monitor { child, launcher } = spare::monitor(inner, &document.id)?;
    let mut given = vec![
        (memory.as_fd(), LAUNCH_FD),
        (fds.root.as_fd(), ROOT_FD),
        (fds.container_dir.as_fd(), CONTAINER_DIR_FD),
        (fds.run_dir.as_fd(), RUN_DIR_FD),
        (fds.events.as_fd(), EVENTS_FD),
    ];
    given.extend(fds.network.iter().map(|(fd, number)| (fd.as_fd(), *number)));
    let ordered = launcher.order(&given);
    // The monitor's from now on.
    drop((memory, fds));
    // While the monitor makes the container: the only wait of a short command. What fails is done by a later commit.
    drop(inner.db.tidy());
    if document.auto_remove {
        drop(inner.db.foresee_removal());
        drop(inner.owner());
    }
    let word = ordered.and_then(|()| launcher.ready()).map_err(spare::died);
    Ok((child, word))
}

pub(crate) fn open(path: &Path, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::internal(format!("open {}", path.display()), std::io::Error::from(e)))
}

pub(crate) fn open_dir(path: &Path) -> Result<File> {
    Ok(File::from(open(path, OFlags::RDONLY | OFlags::DIRECTORY)?))
}

/// Another descriptor of the same file.
pub(crate) fn duplicate(fd: impl std::os::fd::AsFd) -> Result<OwnedFd> {
    fd.as_fd()
        .try_clone_to_owned()
        .map_err(|e| Error::internal("duplicate a descriptor", e))
}
