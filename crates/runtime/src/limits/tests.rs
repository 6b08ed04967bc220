use kernel::cgroup::{DeviceKind, Permit};
use spec::profile;
use spec::runtime::{self, Cpu, DeviceRule, Memory, Pids, Resources};

use super::{device, resources};

#[test]
fn limits_are_carried_over() {
    let spec = Resources {
        memory: Some(Memory {
            limit: Some(1 << 20),
            swap: Some(-1),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            quota: Some(5),
            cpus: "0-1".to_owned(),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: 9 }),
        ..Resources::default()
    };
    let limits = resources(Some(&spec)).unwrap();
    assert_eq!(
        (limits.memory_limit, limits.memory_swap),
        (Some(1 << 20), Some(-1))
    );
    assert_eq!(
        (
            limits.cpu_quota,
            limits.cpuset_cpus.as_str(),
            limits.pids_limit
        ),
        (Some(5), "0-1", Some(9))
    );
}

#[test]
fn devices_begin_denied_and_every_container_has_its_nodes() {
    for spec in [None, Some(Resources::default())] {
        let devices = resources(spec.as_ref()).unwrap().devices;
        assert_eq!(
            (devices[0].permit, devices[0].kind),
            (Permit::Deny, DeviceKind::All)
        );
        assert_eq!(devices.len(), 12);
    }
    let spec = Resources {
        devices: profile::device_rules(),
        ..Resources::default()
    };
    let devices = resources(Some(&spec)).unwrap().devices;
    assert_eq!(
        devices.iter().filter(|d| d.kind == DeviceKind::All).count(),
        1
    );
    assert_eq!(devices.len(), spec.devices.len(), "none is said twice");
}

#[test]
fn a_node_of_every_container_that_a_list_takes_away_comes_back() {
    let mut rules = profile::device_rules();
    let null = rules.iter().find(|r| r.minor == Some(3)).unwrap().clone();
    rules.push(runtime::DeviceRule {
        allow: false,
        ..null.clone()
    });
    let devices = resources(Some(&Resources {
        devices: rules,
        ..Resources::default()
    }))
    .unwrap()
    .devices;
    let null = device(&null).unwrap();
    let denied = devices.iter().rposition(|r| r.permit == Permit::Deny);
    assert!(devices[denied.unwrap()..].contains(&null));
}

#[test]
fn a_privileged_list_stays_open() {
    let all = DeviceRule {
        allow: true,
        kind: Some(runtime::DeviceKind::All),
        major: None,
        minor: None,
        access: "rwm".to_owned(),
    };
    let devices = resources(Some(&Resources {
        devices: vec![all],
        ..Resources::default()
    }))
    .unwrap()
    .devices;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].permit, Permit::Allow);
}

#[test]
fn nonsense_is_refused() {
    let rule = |kind, major, access: &str| Resources {
        devices: vec![DeviceRule {
            allow: true,
            kind: Some(kind),
            major: Some(major),
            minor: None,
            access: access.to_owned(),
        }],
        ..Resources::default()
    };
    assert!(resources(Some(&rule(runtime::DeviceKind::Char, -1, "r"))).is_ok());
    assert!(resources(Some(&rule(runtime::DeviceKind::Char, -2, "r"))).is_err());
    assert!(resources(Some(&rule(runtime::DeviceKind::Char, 1, "x"))).is_err());
    assert!(resources(Some(&rule(runtime::DeviceKind::Fifo, 1, "r"))).is_err());
}
