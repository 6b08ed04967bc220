//! Docker's defaults as data: what a container gets that asks for nothing.
//!
//! Facts as of moby of August 2026. [`default_spec`] puts the pieces together; each piece is public for those who start
//! from a part.

mod seccomp;
#[cfg(test)]
mod tests;

use crate::runtime::{
    Capabilities, DeviceKind, DeviceRule, Linux, Mount, Namespace, NamespaceKind, Process,
    Resources, Root, Spec, VERSION,
};

pub use seccomp::{seccomp, seccomp_for};

/// The 14 capabilities of root in a container: mask `a80425fb`.
pub const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Paths that can't be read: what they tell or do isn't kept apart by namespaces.
pub const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// The directory whose `cpu<n>/thermal_throttle` are masked too, each that exists (GHSA-6fw5-f8r9-fgfm).
pub const MASKED_CPUS: &str = "/sys/devices/system/cpu";

/// Paths that can't be written.
pub const READONLY_PATHS: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Device nodes of every container: name, major, minor; all character devices, 0666, root's.
pub const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links in `/dev` of every container: name, target.
pub const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The search path of a program whose environment has none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The size of `/dev/shm`.
pub const SHM_SIZE: u64 = 64 << 20;

/// The least memory limit that is accepted.
pub const MIN_MEMORY: i64 = 6 << 20;

/// The mounts of every container, in order.
#[must_use]
pub fn mounts() -> Vec<Mount> {
    let tmpfs = ["nosuid", "noexec", "nodev"];
    let shm = format!("size={SHM_SIZE}");
    vec![
        mount("/proc", "proc", &tmpfs),
        mount(
            "/dev",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            &["ro", "nosuid", "noexec", "nodev"],
        ),
        mount("/dev/mqueue", "mqueue", &tmpfs),
        Mount {
            source: "shm".to_owned(),
            ..mount(
                "/dev/shm",
                "tmpfs",
                &["nosuid", "noexec", "nodev", "mode=1777", &shm],
            )
        },
    ]
}

/// One mount of a virtual file system, named by its kind.
#[must_use]
pub fn mount(destination: &str, kind: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: kind.to_owned(),
        options: options.iter().map(|&o| o.to_owned()).collect(),
        ..Mount::default()
    }
}

/// The device rules: nothing but the nodes of [`DEVICES`], terminals, and making (not opening) any node.
#[must_use]
pub fn device_rules() -> Vec<DeviceRule> {
    let rule = |allow, kind, major, minor, access: &str| DeviceRule {
        allow,
        kind,
        major,
        minor,
        access: access.to_owned(),
    };
    let mut rules = vec![
        rule(false, Some(DeviceKind::All), None, None, "rwm"),
        rule(true, Some(DeviceKind::Char), None, None, "m"),
        rule(true, Some(DeviceKind::Block), None, None, "m"),
    ];
    let nodes = DEVICES
        .iter()
        .map(|&(_, major, minor)| (major, Some(minor)));
    // /dev/console, /dev/ptmx, and the terminals of devpts.
    let terminals = [(5, Some(1)), (5, Some(2)), (136, None)];
    for (major, minor) in nodes.chain(terminals) {
        let (major, minor) = (Some(i64::from(major)), minor.map(i64::from));
        rules.push(rule(true, Some(DeviceKind::Char), major, minor, "rwm"));
    }
    rules
}

/// The namespaces of every container. The cgroup namespace is Docker's only where the unified hierarchy is: add it then.
#[must_use]
pub fn namespaces() -> Vec<Namespace> {
    use NamespaceKind::{Ipc, Mount, Network, Pid, Uts};
    [Mount, Network, Uts, Pid, Ipc].map(Namespace::new).to_vec()
}

/// The capability sets of a process: what may be gained, and, for root, what it has. Inheritable and ambient are empty
/// (CVE-2022-24769).
#[must_use]
pub fn capabilities<S: AsRef<str>>(names: &[S], uid: u32) -> Capabilities {
    let names: Vec<String> = names.iter().map(|n| n.as_ref().to_owned()).collect();
    let held = if uid == 0 { names.clone() } else { Vec::new() };
    Capabilities {
        bounding: names,
        effective: held.clone(),
        permitted: held,
        ..Capabilities::default()
    }
}

/// A container of root that runs `sh` in `rootfs`, with every default.
#[must_use]
pub fn default_spec() -> Spec {
    Spec {
        oci_version: VERSION.to_owned(),
        process: Some(Process {
            args: vec!["sh".to_owned()],
            env: vec![format!("PATH={PATH}")],
            cwd: "/".to_owned(),
            capabilities: Some(capabilities(&CAPABILITIES, 0)),
            ..Process::default()
        }),
        root: Some(Root {
            path: "rootfs".to_owned(),
            readonly: false,
        }),
        mounts: mounts(),
        linux: Some(Linux {
            namespaces: namespaces(),
            resources: Some(Resources {
                devices: device_rules(),
                ..Resources::default()
            }),
            seccomp: Some(seccomp(&CAPABILITIES)),
            masked_paths: MASKED_PATHS.map(str::to_owned).to_vec(),
            readonly_paths: READONLY_PATHS.map(str::to_owned).to_vec(),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}
