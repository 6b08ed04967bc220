//! Whoever decides about a container's system calls in its place: it is sent the kernel's descriptor for that.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use kernel::process::PidFd;
use kernel::socket::send_with_fds;
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use spec::runtime::{Action, ContainerProcessState, Seccomp, State, VERSION};

use crate::error::{Error, Result};

/// Where it listens, and what it is told besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    path: String,
    metadata: String,
}

/// What a process does between the filter and the word that the listener has it. Nobody would answer before.
const NEEDED: [&str; 4] = ["write", "read", "sendmsg", "recvmsg"];

impl Listener {
    /// That of `seccomp`, if a rule asks for one.
    pub(crate) fn of(seccomp: &Seccomp) -> Result<Option<Self>> {
        if seccomp.default_action == Action::Notify {
            return Err(Error::invalid(
                "notify of all system calls by",
                "defaultAction",
            ));
        }
        let notified = || {
            let rules = seccomp.syscalls.iter();
            rules.filter(|rule| rule.action == Action::Notify)
        };
        if let Some(name) = notified()
            .flat_map(|rule| &rule.names)
            .find(|name| NEEDED.contains(&name.as_str()))
        {
            return Err(Error::invalid("notify of the system call", name));
        }
        match (notified().next().is_some(), seccomp.listener_path.as_str()) {
            (false, _) => Ok(None),
            (true, "") => Err(Error::invalid(
                "notify of system calls without",
                "listenerPath",
            )),
            (true, path) => Ok(Some(Self {
                path: path.to_owned(),
                metadata: seccomp.listener_metadata.clone(),
            })),
        }
    }

    /// Sends it descriptor `number` of the process behind `pidfd`.
    pub(crate) fn tell(&self, pidfd: &PidFd, number: i32, pid: i32, state: &State) -> Result<()> {
        let fd = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())
            .map_err(Error::at("take descriptor of", "seccomp listener"))?;
        let document = ContainerProcessState {
            oci_version: VERSION.to_owned(),
            fds: vec!["seccompFd".to_owned()],
            pid,
            metadata: self.metadata.clone(),
            state: state.clone(),
        };
        let text = serde_json::to_vec(&document)
            .map_err(Error::at("write state for", "seccomp listener"))?;
        let mut stream = UnixStream::connect(&self.path)
            .map_err(Error::at("connect to seccomp listener", &self.path))?;
        let sent = send_with_fds(&stream, &text, &[fd.as_fd()])?;
        stream
            .write_all(&text[sent..])
            .map_err(Error::at("send to seccomp listener", &self.path))
    }
}
