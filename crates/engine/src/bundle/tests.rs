use std::path::Path;

use protocol::GivenFilter;
use spec::ContainerId;
use spec::runtime::{Action, DeviceKind, Mount, NamespaceKind, Spec};

use super::defaults::complete;
use super::devices::HostDevice;
use super::{Facts, Input, capabilities, spec as generate, validate};
use crate::container::stored::Stored;
use crate::container::{Config, HostConfig, Ulimit, mounts};
use crate::error::Kind;

fn facts() -> Facts {
    Facts {
        unified: false,
        capabilities: capabilities::ALL
            .iter()
            .filter(|n| **n != "CAP_SYS_RESOURCE")
            .map(|n| (*n).to_owned())
            .collect(),
        hostname: "machine".to_owned(),
        masked: vec!["/sys/devices/system/cpu/cpu0/thermal_throttle".to_owned()],
    }
}

fn stored(config: Config, mut host: HostConfig) -> Stored {
    if host.network_mode.is_empty() {
        "none".clone_into(&mut host.network_mode);
    }
    let mut mounts = mounts::plan(&config, &host).unwrap();
    for mount in &mut mounts {
        if mount.source.is_empty() {
            "made-up".clone_into(&mut mount.source);
        }
    }
    Stored {
        v: 1,
        args: vec!["/bin/true".to_owned()],
        config,
        host,
        mounts,
        os: "linux".to_owned(),
        networks: std::collections::BTreeMap::new(),
    }
}

fn with_devices(stored: &Stored, devices: &[HostDevice]) -> Spec {
    validate(stored).unwrap();
    generate(&Input {
        id: &ContainerId::from_bytes([0xab; 32]),
        stored,
        directory: Path::new("/c"),
        hostname: None,
        volumes: Path::new("/v"),
        facts: &facts(),
        devices,
        block_io: &spec::runtime::BlockIo::default(),
        init: Path::new("/tare-monitor"),
    })
    .unwrap()
}

fn of(config: Config, host: HostConfig) -> Spec {
    with_devices(&stored(config, host), &[])
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|t| (*t).to_owned()).collect()
}

fn at<'a>(spec: &'a Spec, destination: &str) -> Option<&'a Mount> {
    spec.mounts.iter().find(|m| m.destination == destination)
}

#[test]
fn the_default_is_dockers() {
    let spec = of(Config::default(), HostConfig::default());
    let base = spec::profile::default_spec();
    let process = spec.process.as_ref().unwrap();
    assert_eq!(process.args, ["/bin/true"]);
    assert_eq!(process.cwd, "/");
    assert_eq!(
        process.env,
        [
            format!("PATH={}", spec::profile::PATH),
            "HOSTNAME=abababababab".to_owned()
        ]
    );
    assert_eq!(
        process.capabilities,
        base.process.as_ref().unwrap().capabilities
    );
    assert_eq!(process.oom_score_adj, Some(0));
    assert!(!process.no_new_privileges);
    assert_eq!(spec.hostname, "abababababab");
    let (linux, default) = (spec.linux.as_ref().unwrap(), base.linux.as_ref().unwrap());
    assert_eq!(linux.namespaces, default.namespaces);
    // The monitor's, which has it from its capabilities.
    assert_eq!(linux.seccomp, None);
    let whose = |host: &HostConfig| super::filter(host).unwrap();
    assert_eq!(whose(&HostConfig::default()), GivenFilter::Usual);
    let host = HostConfig {
        privileged: true,
        ..HostConfig::default()
    };
    assert_eq!(whose(&host), GivenFilter::Specified);
    assert_eq!(linux.readonly_paths, default.readonly_paths);
    assert_eq!(linux.masked_paths.len(), default.masked_paths.len() + 1);
    assert_eq!(linux.resources, default.resources);
    assert_eq!(linux.sysctl["net.ipv4.ip_unprivileged_port_start"], "0");
    assert_eq!(spec.mounts[..base.mounts.len()], base.mounts);
    let files: Vec<_> = spec.mounts[base.mounts.len()..]
        .iter()
        .map(|m| (m.source.as_str(), m.destination.as_str()))
        .collect();
    assert_eq!(
        files,
        [
            ("/c/resolv.conf", "/etc/resolv.conf"),
            ("/c/hostname", "/etc/hostname"),
            ("/c/hosts", "/etc/hosts")
        ]
    );
}

#[test]
fn privileged_has_all_that_the_engine_has() {
    let host = HostConfig {
        privileged: true,
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    let linux = spec.linux.as_ref().unwrap();
    assert_eq!(linux.seccomp, None);
    assert!(linux.masked_paths.is_empty() && linux.readonly_paths.is_empty());
    let rules = &linux.resources.as_ref().unwrap().devices;
    assert_eq!((rules.len(), rules[0].allow), (1, true));
    assert!(
        !at(&spec, "/sys")
            .unwrap()
            .options
            .contains(&"ro".to_owned())
    );
    let caps = spec
        .process
        .as_ref()
        .unwrap()
        .capabilities
        .as_ref()
        .unwrap();
    assert_eq!(caps.bounding.len(), 40);
    assert!(!caps.bounding.contains(&"CAP_SYS_RESOURCE".to_owned()));
    assert!(caps.inheritable.is_empty() && caps.ambient.is_empty());
}

#[test]
fn capabilities_are_added_and_dropped() {
    let bounding = |add: &[&str], drop: &[&str]| {
        let host = HostConfig {
            cap_add: texts(add),
            cap_drop: texts(drop),
            ..HostConfig::default()
        };
        let spec = of(Config::default(), host);
        spec.process.unwrap().capabilities.unwrap().bounding
    };
    assert_eq!(bounding(&["net_admin"], &[]).len(), 15);
    assert_eq!(bounding(&[], &["CAP_CHOWN"]).len(), 13);
    assert_eq!(bounding(&["sys_time"], &["all"]), ["CAP_SYS_TIME"]);
    assert_eq!(bounding(&["ALL"], &["SYS_ADMIN"]).len(), 39);
    let host = HostConfig {
        cap_add: texts(&["foo"]),
        ..HostConfig::default()
    };
    let error = validate(&stored(Config::default(), host)).unwrap_err();
    assert_eq!(
        error.message,
        "invalid CapAdd: unknown capability: \"CAP_FOO\""
    );
}

#[test]
fn security_options() {
    let with = |options: &[&str]| HostConfig {
        security_opt: texts(options),
        ..HostConfig::default()
    };
    let spec = of(
        Config::default(),
        with(&["no-new-privileges", "seccomp=unconfined"]),
    );
    assert!(spec.process.unwrap().no_new_privileges);
    assert_eq!(spec.linux.unwrap().seccomp, None);
    let host = with(&["seccomp=unconfined"]);
    assert_eq!(super::filter(&host).unwrap(), GivenFilter::Specified);
    let profile = r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64",
        "subArchitectures":["SCMP_ARCH_X86"]},{"architecture":"SCMP_ARCH_AARCH64"}],"syscalls":[
        {"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":2},
        {"name":"chown","action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_CHOWN"]}},
        {"names":["bpf"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_BPF"]}}]}"#;
    let filter = of(Config::default(), with(&[profile]))
        .linux
        .unwrap()
        .seccomp
        .unwrap();
    assert_eq!(filter.default_action, Action::Allow);
    assert_eq!(filter.syscalls.len(), 1);
    assert_eq!(
        (
            filter.syscalls[0].names.as_slice(),
            filter.syscalls[0].errno_ret
        ),
        (&texts(&["mkdir"])[..], Some(2))
    );
    for (option, kind) in [
        ("seccomp={}", Kind::InvalidParameter),
        ("nonsense", Kind::InvalidParameter),
        ("systempaths=x", Kind::InvalidParameter),
        ("writable-cgroups=perhaps", Kind::InvalidParameter),
        ("label=type:x", Kind::Unsupported),
    ] {
        let error = validate(&stored(Config::default(), with(&[option]))).unwrap_err();
        assert_eq!(error.kind, kind, "{option}");
    }
}

#[test]
fn an_apparmor_profile_is_the_runtimes_to_apply() {
    let host = HostConfig {
        security_opt: texts(&["apparmor=mine", "writable-cgroups"]),
        ..HostConfig::default()
    };
    assert!(validate(&stored(Config::default(), host)).is_err());
    let host = HostConfig {
        security_opt: texts(&["apparmor=mine", "writable-cgroups=true"]),
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    assert_eq!(spec.process.unwrap().apparmor_profile, "mine");
    let cgroups = spec
        .mounts
        .iter()
        .find(|m| m.destination == "/sys/fs/cgroup");
    assert!(cgroups.is_none_or(|m| !m.options.contains(&"ro".to_owned())));
}

#[test]
fn host_namespaces_are_left_out() {
    let host = HostConfig {
        network_mode: "host".to_owned(),
        pid_mode: "host".to_owned(),
        ipc_mode: "host".to_owned(),
        uts_mode: "host".to_owned(),
        cgroupns_mode: "private".to_owned(),
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    let kinds: Vec<_> = spec
        .linux
        .as_ref()
        .unwrap()
        .namespaces
        .iter()
        .map(|n| n.kind)
        .collect();
    assert_eq!(kinds, [NamespaceKind::Mount, NamespaceKind::Cgroup]);
    assert_eq!(
        (
            spec.hostname.as_str(),
            spec.linux.as_ref().unwrap().sysctl.len()
        ),
        ("", 0)
    );
    assert!(
        spec.process
            .as_ref()
            .unwrap()
            .env
            .contains(&"HOSTNAME=machine".to_owned())
    );
    assert_eq!(at(&spec, "/dev/shm").unwrap().kind, "bind");
}

#[test]
fn what_was_not_asked_for_is_shown_as_docker_does() {
    let shown = |host: HostConfig, unified| {
        let facts = Facts { unified, ..facts() };
        complete(host, &facts)
    };
    let plain = shown(HostConfig::default(), false);
    assert_eq!(
        (plain.ipc_mode.as_str(), plain.cgroupns_mode.as_str()),
        ("private", "host")
    );
    assert_eq!(
        (plain.shm_size, plain.runtime.as_str()),
        (67_108_864, "tare-runtime")
    );
    let masked = plain.masked_paths.clone().unwrap();
    assert!(masked.contains(&"/proc/kcore".to_owned()));
    assert!(masked.contains(&"/sys/devices/system/cpu/cpu0/thermal_throttle".to_owned()));
    assert!(
        plain
            .readonly_paths
            .clone()
            .unwrap()
            .contains(&"/proc/sys".to_owned())
    );
    assert_eq!(shown(plain.clone(), true), plain);
    let privileged = HostConfig {
        privileged: true,
        ..HostConfig::default()
    };
    let privileged = shown(privileged, true);
    assert_eq!(privileged.cgroupns_mode, "private");
    assert_eq!(
        (privileged.masked_paths, privileged.readonly_paths),
        (None, None)
    );
    let own = HostConfig {
        ipc_mode: "host".to_owned(),
        shm_size: 1 << 20,
        masked_paths: Some(Vec::new()),
        ..HostConfig::default()
    };
    let shown = shown(own, true);
    assert_eq!((shown.ipc_mode.as_str(), shown.shm_size), ("host", 1 << 20));
    assert_eq!(shown.masked_paths, Some(Vec::new()));
}

#[test]
fn limits() {
    let host = HostConfig {
        memory: 64 << 20,
        nano_cpus: 1_500_000_000,
        cpu_shares: 512,
        cpuset_cpus: "0".to_owned(),
        pids_limit: Some(10),
        ulimits: vec![Ulimit {
            name: "nofile".to_owned(),
            soft: 64,
            hard: -1,
        }],
        oom_score_adj: -5,
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    let resources = spec.linux.unwrap().resources.unwrap();
    let memory = resources.memory.unwrap();
    assert_eq!(
        (memory.limit, memory.swap),
        (Some(64 << 20), Some(128 << 20))
    );
    let cpu = resources.cpu.unwrap();
    assert_eq!(
        (cpu.quota, cpu.period, cpu.shares),
        (Some(150_000), Some(100_000), Some(512))
    );
    assert_eq!(resources.pids.unwrap().limit, 10);
    let process = spec.process.unwrap();
    assert_eq!(
        (process.rlimits[0].kind.as_str(), process.rlimits[0].hard),
        ("RLIMIT_NOFILE", u64::MAX)
    );
    assert_eq!(process.oom_score_adj, Some(-5));
}

#[test]
fn unlimited_is_no_limit() {
    for pids_limit in [None, Some(0), Some(-1)] {
        let host = HostConfig {
            pids_limit,
            memory_swap: -1,
            ..HostConfig::default()
        };
        let resources = of(Config::default(), host)
            .linux
            .unwrap()
            .resources
            .unwrap();
        assert_eq!(resources.pids, None);
        assert_eq!(resources.memory.unwrap().swap, Some(-1));
    }
}

#[test]
fn what_is_mounted_replaces_the_defaults() {
    let host = HostConfig {
        binds: texts(&["/x:/etc/hosts:ro", "data:/data", "/dev:/dev"]),
        tmpfs: [("/run".to_owned(), "size=1m".to_owned())].into(),
        shm_size: 1 << 20,
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    assert_eq!(
        spec.mounts
            .iter()
            .filter(|m| m.destination == "/etc/hosts")
            .count(),
        1
    );
    assert_eq!(
        at(&spec, "/etc/hosts").unwrap().options,
        ["rbind", "rprivate", "rro"]
    );
    assert_eq!(at(&spec, "/data").unwrap().source, "/v/data");
    assert_eq!(at(&spec, "/dev").unwrap().kind, "bind");
    assert_eq!(at(&spec, "/dev/pts"), None);
    assert!(
        at(&spec, "/run")
            .unwrap()
            .options
            .contains(&"size=1m".to_owned())
    );
    let host = HostConfig {
        shm_size: 1 << 20,
        readonly_rootfs: true,
        ..HostConfig::default()
    };
    let spec = of(Config::default(), host);
    assert!(
        at(&spec, "/dev/shm")
            .unwrap()
            .options
            .contains(&"size=1048576".to_owned())
    );
    assert!(spec.root.as_ref().unwrap().readonly);
}

#[test]
fn sysctls_of_the_host_are_refused() {
    let with = |name: &str, host: HostConfig| HostConfig {
        sysctls: [(name.to_owned(), "1".to_owned())].into(),
        ..host
    };
    let host_net = HostConfig {
        network_mode: "host".to_owned(),
        ..HostConfig::default()
    };
    for (name, host) in [
        ("kernel.panic", HostConfig::default()),
        ("kernel.hostname", HostConfig::default()),
        ("net.ipv4.ip_forward", host_net),
        ("net..x", HostConfig::default()),
    ] {
        assert!(
            validate(&stored(Config::default(), with(name, host))).is_err(),
            "{name}"
        );
    }
    let spec = of(
        Config::default(),
        with("net/ipv4/conf/eth0.1/forwarding", HostConfig::default()),
    );
    assert_eq!(
        spec.linux.unwrap().sysctl["net.ipv4.conf.eth0/1.forwarding"],
        "1"
    );
}

#[test]
fn devices_have_a_node_and_a_rule() {
    let device = HostDevice {
        path: "/dev/fuse".to_owned(),
        kind: DeviceKind::Char,
        major: 10,
        minor: 229,
        mode: 0o020_666,
        uid: 0,
        gid: 0,
        access: "rw".to_owned(),
    };
    let host = HostConfig {
        device_cgroup_rules: texts(&["c 13:* r"]),
        ..HostConfig::default()
    };
    let spec = with_devices(&stored(Config::default(), host), &[device]);
    let linux = spec.linux.unwrap();
    assert_eq!(
        (linux.devices[0].major, linux.devices[0].file_mode),
        (10, Some(0o666))
    );
    let rules = linux.resources.unwrap().devices;
    let last = &rules[rules.len() - 2..];
    assert_eq!((last[0].minor, last[0].access.as_str()), (Some(229), "rw"));
    assert_eq!((last[1].major, last[1].minor), (Some(13), None));
    for rule in ["x", "d 1:2 r", "c 1 r", "c 1:x r", "c 1:2 rwx"] {
        let host = HostConfig {
            device_cgroup_rules: texts(&[rule]),
            ..HostConfig::default()
        };
        assert!(
            validate(&stored(Config::default(), host)).is_err(),
            "{rule}"
        );
    }
}

#[test]
fn a_terminal_has_a_size_and_a_type() {
    let config = Config {
        tty: true,
        ..Config::default()
    };
    let host = HostConfig {
        console_size: (24, 80),
        ..HostConfig::default()
    };
    let process = of(config, host).process.unwrap();
    assert!(process.terminal && process.env.contains(&"TERM=xterm".to_owned()));
    assert_eq!(process.console_size.unwrap().width, 80);
}

#[test]
fn names_of_groups_are_left_to_the_monitor() {
    let with = |group: &str| HostConfig {
        group_add: texts(&[group]),
        ..HostConfig::default()
    };
    let spec = of(Config::default(), with("27"));
    assert_eq!(spec.process.unwrap().user.additional_gids, [27]);
    let spec = of(Config::default(), with("wheel"));
    assert!(spec.process.unwrap().user.additional_gids.is_empty());
}
