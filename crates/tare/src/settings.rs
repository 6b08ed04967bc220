//! What the user set for the whole command: flags first, then the environment. The only place that reads the latter.

use crate::error::{Error, Result};
use std::path::PathBuf;

const ROOT: &str = "/var/lib/tare";
const RUN_ROOT: &str = "/run/tare";
const CGROUP_PARENT: &str = "/tare";
const CERTS_DIRS: &str = "/etc/tare/certs.d:/etc/docker/certs.d:/etc/containerd/certs.d";

/// Flags before the command.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Globals {
    /// Where images, containers and volumes are kept (TARE_ROOT)
    #[arg(long, value_name = "dir")]
    pub(crate) root: Option<PathBuf>,
    /// Where sockets and running states are kept (TARE_RUN_ROOT)
    #[arg(long, value_name = "dir")]
    pub(crate) run_root: Option<PathBuf>,
    /// Engine to talk to: unix:///path or embedded (TARE_HOST)
    #[arg(short = 'H', long, value_name = "host")]
    pub(crate) host: Option<String>,
    /// Cgroup below which containers live (TARE_CGROUP_PARENT)
    #[arg(long, value_name = "path")]
    pub(crate) cgroup_parent: Option<String>,
    /// Print version information and quit
    #[arg(short = 'v', long)]
    pub(crate) version: bool,
}

/// Which engine serves the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// The daemon if one answers, else the command's own engine.
    Auto,
    /// The command's own engine.
    Embedded,
    /// A socket, and nothing else.
    Unix(PathBuf),
}

/// The outcome of flags, environment and defaults.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) root: PathBuf,
    pub(crate) run_root: PathBuf,
    pub(crate) host: Host,
    pub(crate) cgroup_parent: String,
    pub(crate) registries: Registries,
    /// The directory of the client's configuration, as Docker keeps it: credentials.
    pub(crate) docker_config: PathBuf,
}

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registries {
    /// Directories with a folder for each registry (TARE_CERTS_DIRS).
    pub(crate) directories: Vec<PathBuf>,
    /// Those that may speak plain http or show any certificate (TARE_INSECURE_REGISTRIES).
    pub(crate) insecure: Vec<String>,
    /// Mirrors of the public registry (TARE_REGISTRY_MIRRORS).
    pub(crate) mirrors: Vec<String>,
    pub(crate) http_proxy: Option<String>,
    pub(crate) https_proxy: Option<String>,
    pub(crate) no_proxy: String,
}

impl Registries {
    fn settle(set: impl Fn(&str) -> Option<String>) -> Self {
        let list = |name: &str| -> Vec<String> {
            let text = set(name).unwrap_or_default();
            let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
            words.map(str::to_owned).collect()
        };
        // Small letters first, as curl and Go have it; for plain http the capitals are what CGI makes of a header (CVE-2016-5385), which is no
        // danger to a command.
        let either = |name: &str| set(&name.to_ascii_lowercase()).or_else(|| set(name));
        let directories = set("TARE_CERTS_DIRS").unwrap_or_else(|| CERTS_DIRS.to_owned());
        Self {
            directories: directories.split(':').map(PathBuf::from).collect(),
            insecure: list("TARE_INSECURE_REGISTRIES"),
            mirrors: list("TARE_REGISTRY_MIRRORS"),
            http_proxy: either("HTTP_PROXY"),
            https_proxy: either("HTTPS_PROXY"),
            no_proxy: either("NO_PROXY").unwrap_or_default(),
        }
    }
}

impl Settings {
    /// Settles every setting; `environment` looks a variable up.
    pub(crate) fn settle(
        globals: Globals,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let path = |flag: Option<PathBuf>, name: &str, default: &str| {
            flag.or_else(|| set(name).map(PathBuf::from))
                .unwrap_or_else(|| default.into())
        };
        let host = match globals.host.or_else(|| set("TARE_HOST")) {
            Some(text) => parse_host(&text)?,
            None => Host::Auto,
        };
        Ok(Self {
            root: path(globals.root, "TARE_ROOT", ROOT),
            run_root: path(globals.run_root, "TARE_RUN_ROOT", RUN_ROOT),
            host,
            cgroup_parent: globals
                .cgroup_parent
                .or_else(|| set("TARE_CGROUP_PARENT"))
                .unwrap_or_else(|| CGROUP_PARENT.to_owned()),
            registries: Registries::settle(set),
            docker_config: set("DOCKER_CONFIG").map_or_else(
                || PathBuf::from(set("HOME").unwrap_or_else(|| "/root".to_owned())).join(".docker"),
                PathBuf::from,
            ),
        })
    }

    /// The daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_root.join("tare.sock")
    }
}

/// A variable of the command's environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All of it, for programs that are to have it.
pub(crate) fn whole_environment() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os().collect()
}

/// Where relative paths start.
pub(crate) fn current_dir() -> Result<PathBuf> {
    std::env::current_dir().map_err(|why| Error::io("find", "the current directory", why))
}

fn parse_host(text: &str) -> Result<Host> {
    match text.split_once("://") {
        _ if text == "embedded" => Ok(Host::Embedded),
        Some(("unix", path)) if path.starts_with('/') => Ok(Host::Unix(path.into())),
        Some((scheme @ ("tcp" | "ssh" | "npipe" | "fd"), _)) => Err(Error::usage(format!(
            "host {text}: {scheme}:// is not supported yet; use unix:///path or embedded"
        ))),
        _ if text.starts_with('/') => Ok(Host::Unix(text.into())),
        _ => Err(Error::usage(format!(
            "host {text}: expected unix:///path or embedded"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_environment() {
        let environment = |name: &str| match name {
            "TARE_ROOT" => Some("/env/root".into()),
            "TARE_HOST" => Some("unix:///env.sock".into()),
            "TARE_RUN_ROOT" => Some(String::new()),
            _ => None,
        };
        let globals = Globals {
            host: Some("embedded".into()),
            ..Globals::default()
        };
        let settings = Settings::settle(globals, environment).unwrap();
        assert_eq!(settings.root, PathBuf::from("/env/root"));
        assert_eq!(settings.run_root, PathBuf::from("/run/tare"));
        assert_eq!(settings.host, Host::Embedded);
        assert_eq!(settings.cgroup_parent, "/tare");
        let settings = Settings::settle(Globals::default(), environment).unwrap();
        assert_eq!(settings.host, Host::Unix("/env.sock".into()));
    }

    #[test]
    fn hosts_that_are_not_understood_are_refused() {
        for text in [
            "tcp://1.2.3.4:2375",
            "unix://relative",
            "nonsense",
            "ssh://x",
        ] {
            assert!(parse_host(text).is_err(), "{text}");
        }
        assert_eq!(parse_host("/x.sock").unwrap(), Host::Unix("/x.sock".into()));
    }
}
