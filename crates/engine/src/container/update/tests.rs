#![allow(clippy::unwrap_used, reason = "tests")]

use super::{HostConfig, RestartPolicy, UpdateRequest, changed};
use crate::error::Kind;

const MEGABYTE: i64 = 1 << 20;

#[test]
fn what_is_not_named_stays() {
    let before = HostConfig {
        memory: 64 * MEGABYTE,
        cpu_shares: 512,
        cpuset_cpus: "0".to_owned(),
        pids_limit: Some(7),
        ..HostConfig::default()
    };
    let after = changed(&before, &UpdateRequest::default()).unwrap();
    assert_eq!(after.memory_swap, 128 * MEGABYTE, "as it was all the time");
    assert_eq!(
        HostConfig {
            memory_swap: 0,
            ..after
        },
        before
    );
    let request = UpdateRequest {
        memory: 100 * MEGABYTE,
        pids_limit: Some(-1),
        cpuset_cpus: "0-1".to_owned(),
        ..UpdateRequest::default()
    };
    let after = changed(&before, &request).unwrap();
    assert_eq!(after.memory, 100 * MEGABYTE);
    assert_eq!(after.memory_swap, 128 * MEGABYTE);
    assert_eq!(after.pids_limit, Some(-1));
    assert_eq!(after.cpuset_cpus, "0-1");
    assert_eq!(after.cpu_shares, 512);
}

#[test]
fn what_contradicts_is_refused() {
    let limited = HostConfig {
        memory: 64 * MEGABYTE,
        auto_remove: true,
        ..HostConfig::default()
    };
    let nano = HostConfig {
        nano_cpus: 500_000_000,
        ..HostConfig::default()
    };
    let quota = HostConfig {
        cpu_quota: 50_000,
        ..HostConfig::default()
    };
    let usual = UpdateRequest::default;
    let always = RestartPolicy {
        name: "always".to_owned(),
        maximum_retry_count: 0,
    };
    for (host, request, text) in [
        (
            &limited,
            UpdateRequest {
                memory: 200 * MEGABYTE,
                ..usual()
            },
            "already set memoryswap limit",
        ),
        (
            &limited,
            UpdateRequest {
                restart_policy: Some(always),
                ..usual()
            },
            "AutoRemove is enabled",
        ),
        (
            &nano,
            UpdateRequest {
                cpu_quota: 1000,
                ..usual()
            },
            "NanoCPUs has already been set",
        ),
        (
            &nano,
            UpdateRequest {
                cpu_period: 1000,
                ..usual()
            },
            "NanoCPUs has already been set",
        ),
        (
            &quota,
            UpdateRequest {
                nano_cpus: 1,
                ..usual()
            },
            "CPU Quota has already been set",
        ),
    ] {
        let error = changed(host, &request).unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains(text), "{}", error.message);
    }
}
