//! What a configuration may ask of this build, for callers that want to know before they ask.
//!
//! A field says what [`crate::create`] does, not what the types can read: whoever teaches it more changes this too.

use spec::runtime::{Action, NamespaceKind};

use crate::hook::Turn;
use crate::{mount, tuning};

/// What a configuration may ask.
#[derive(Debug)]
pub struct Known {
    /// The kinds of hooks that are run.
    pub hooks: Vec<&'static str>,
    /// Mount options that are not the file system's.
    pub mount_options: Vec<String>,
    /// Namespaces that can be made or joined.
    pub namespaces: Vec<NamespaceKind>,
    /// What a filter of system calls may do.
    pub actions: Vec<Action>,
    /// How a filter of system calls may be loaded.
    pub filter_flags: Vec<&'static str>,
    /// Whether mounts can have id maps of their own.
    pub id_mapped_mounts: bool,
    /// Whether cgroups can be systemd's.
    pub systemd: bool,
    /// Whether remote memory can be limited.
    pub rdma: bool,
    /// Whether caches and memory bandwidth can be allotted.
    pub intel_rdt: bool,
    /// Whether network devices can be moved in.
    pub net_devices: bool,
    /// The modes of `linux.memoryPolicy`.
    pub memory_policy_modes: Vec<&'static str>,
    /// Its flags.
    pub memory_policy_flags: Vec<&'static str>,
}

/// What this build knows.
#[must_use]
pub fn known() -> Known {
    use NamespaceKind::{Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts};
    Known {
        hooks: Turn::ALL.map(Turn::name).to_vec(),
        mount_options: mount::known_options(),
        namespaces: vec![Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts],
        actions: vec![
            Action::Allow,
            Action::Errno,
            Action::Kill,
            Action::KillProcess,
            Action::KillThread,
            Action::Log,
            Action::Notify,
            Action::Trace,
            Action::Trap,
        ],
        filter_flags: vec![
            "SECCOMP_FILTER_FLAG_LOG",
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_TSYNC",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ],
        id_mapped_mounts: true,
        systemd: true,
        rdma: true,
        intel_rdt: true,
        net_devices: true,
        memory_policy_modes: tuning::memory_modes(),
        memory_policy_flags: tuning::memory_flags(),
    }
}
