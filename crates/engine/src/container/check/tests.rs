use super::{Machine, bytes, check};
use crate::container::{Config, HostConfig, LogConfig, RestartPolicy, Ulimit};
use crate::error::Kind;

const MACHINE: Machine = Machine {
    cpus: 2,
    unified: false,
    realtime: false,
};

fn none() -> HostConfig {
    HostConfig {
        network_mode: "none".to_owned(),
        ..HostConfig::default()
    }
}

#[test]
fn what_is_not_enforced_is_refused() {
    let cases: Vec<(&str, HostConfig)> = vec![
        (
            "--gpus",
            HostConfig {
                device_requests: true,
                ..none()
            },
        ),
        (
            "PID namespace",
            HostConfig {
                pid_mode: "container:x".into(),
                ..none()
            },
        ),
        (
            "logging driver syslog",
            HostConfig {
                log_config: LogConfig {
                    driver: "syslog".into(),
                    ..LogConfig::default()
                },
                ..none()
            },
        ),
    ];
    for (expected, mut host) in cases {
        let error = check(&Config::default(), &mut host, MACHINE).unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported, "{expected}");
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn policies_that_cannot_be_are_refused() {
    let cases: Vec<(&str, HostConfig)> = vec![
        (
            "unknown policy 'often'",
            HostConfig {
                restart_policy: RestartPolicy {
                    name: "often".into(),
                    maximum_retry_count: 0,
                },
                ..none()
            },
        ),
        (
            "can only be used with 'on-failure'",
            HostConfig {
                restart_policy: RestartPolicy {
                    name: "always".into(),
                    maximum_retry_count: 3,
                },
                ..none()
            },
        ),
        (
            "cannot be negative",
            HostConfig {
                restart_policy: RestartPolicy {
                    name: "on-failure".into(),
                    maximum_retry_count: -1,
                },
                ..none()
            },
        ),
        (
            "container with restart policy",
            HostConfig {
                auto_remove: true,
                restart_policy: RestartPolicy {
                    name: "unless-stopped".into(),
                    maximum_retry_count: 0,
                },
                ..none()
            },
        ),
    ];
    for (expected, mut host) in cases {
        let error = check(&Config::default(), &mut host, MACHINE).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidParameter);
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn wrong_values_are_named_in_dockers_words() {
    let cases: Vec<(&str, HostConfig)> = vec![
        (
            "Minimum memory limit allowed is 6MB",
            HostConfig {
                memory: 1 << 20,
                ..none()
            },
        ),
        (
            "larger than memory limit",
            HostConfig {
                memory: 10 << 20,
                memory_swap: 9 << 20,
                ..none()
            },
        ),
        (
            "always set the Memory limit",
            HostConfig {
                memory_swap: 9 << 20,
                ..none()
            },
        ),
        (
            "only 2 CPUs available",
            HostConfig {
                nano_cpus: 3_000_000_000,
                ..none()
            },
        ),
        (
            "Nano CPUs and CPU Quota",
            HostConfig {
                nano_cpus: 1_000_000_000,
                cpu_quota: 5000,
                ..none()
            },
        ),
        (
            "CPU cfs period",
            HostConfig {
                cpu_period: 10,
                ..none()
            },
        ),
        (
            "Invalid value 3-1 for cpuset cpus",
            HostConfig {
                cpuset_cpus: "3-1".into(),
                ..none()
            },
        ),
        (
            "SHM size",
            HostConfig {
                shm_size: -1,
                ..none()
            },
        ),
        (
            "oom score adj",
            HostConfig {
                oom_score_adj: 2000,
                ..none()
            },
        ),
        (
            "invalid UTS mode: x",
            HostConfig {
                uts_mode: "x".into(),
                ..none()
            },
        ),
        (
            "unknown or invalid runtime name: kata",
            HostConfig {
                runtime: "kata".into(),
                ..none()
            },
        ),
        (
            "5 > 3",
            HostConfig {
                ulimits: vec![Ulimit {
                    name: "nofile".into(),
                    soft: 5,
                    hard: 3,
                }],
                ..none()
            },
        ),
    ];
    for (expected, mut host) in cases {
        let error = check(&Config::default(), &mut host, MACHINE).unwrap_err();
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn wrong_programs_are_named() {
    for (expected, config) in [
        (
            "invalid hostname: \"a\\n1.2.3.4 evil\"",
            Config {
                hostname: "a\n1.2.3.4 evil".into(),
                ..Config::default()
            },
        ),
        (
            "invalid environment variable: =x",
            Config {
                env: vec!["=x".into()],
                ..Config::default()
            },
        ),
        (
            "the working directory 'x'",
            Config {
                working_dir: "x".into(),
                ..Config::default()
            },
        ),
        (
            "invalid signal: NOPE",
            Config {
                stop_signal: Some("NOPE".into()),
                ..Config::default()
            },
        ),
    ] {
        let error = check(&config, &mut none(), MACHINE).unwrap_err();
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn the_unified_hierarchy_lacks_two_knobs() {
    let unified = Machine {
        unified: true,
        ..MACHINE
    };
    for mut host in [
        HostConfig {
            memory_swappiness: Some(10),
            ..none()
        },
        HostConfig {
            oom_kill_disable: true,
            ..none()
        },
    ] {
        assert!(check(&Config::default(), &mut host, MACHINE).is_ok());
        assert!(check(&Config::default(), &mut host, unified).is_err());
    }
}

#[test]
fn sizes_in_binary_units() {
    for (text, expected) in [
        ("1024", Some(1024)),
        ("10k", Some(10 << 10)),
        ("10KB", Some(10 << 10)),
        ("1.5g", Some(3 << 29)),
        ("2MiB", Some(2 << 20)),
        ("x", None),
        ("", None),
        ("-1", None),
        ("1.x", None),
    ] {
        assert_eq!(bytes(text), expected, "{text}");
    }
}
