use rustix::fs::FileType;
use spec::runtime::{Device, DeviceKind, Linux, Spec};

use super::plan;

fn with(device: Device) -> Spec {
    Spec {
        linux: Some(Linux {
            devices: vec![device],
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

fn device(path: &str, kind: DeviceKind, major: i64) -> Device {
    Device {
        path: path.to_owned(),
        kind,
        major,
        minor: 7,
        file_mode: Some(0o10_0640),
        uid: Some(3),
        gid: None,
    }
}

#[test]
fn every_container_has_six_nodes() {
    let nodes = plan(&Spec::default()).unwrap();
    let paths: Vec<&str> = nodes.iter().map(|n| n.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/dev/null",
            "/dev/zero",
            "/dev/full",
            "/dev/random",
            "/dev/urandom",
            "/dev/tty"
        ]
    );
    assert!(
        nodes
            .iter()
            .all(|n| n.kind == FileType::CharacterDevice && n.mode == 0o666)
    );
}

#[test]
fn a_device_of_the_configuration_replaces_one_of_the_same_path() {
    let nodes = plan(&with(device("/dev/./null", DeviceKind::Block, 8))).unwrap();
    assert_eq!(nodes.len(), 6);
    let last = nodes.last().unwrap();
    assert_eq!(
        (last.path.as_str(), last.kind, last.device),
        ("/dev/null", FileType::BlockDevice, (8, 7))
    );
    assert_eq!((last.mode, last.owner), (0o640, (3, 0)));
}

#[test]
fn devices_that_are_none_are_refused() {
    for device in [
        device("/", DeviceKind::Char, 1),
        device("/dev", DeviceKind::Char, 1),
        device("/dev/..", DeviceKind::Char, 1),
        device("/proc/x", DeviceKind::Char, 1),
        device("/x/../proc", DeviceKind::Char, 1),
        device("/dev/a\0b", DeviceKind::Char, 1),
        device("/dev/x", DeviceKind::All, 1),
        device("/dev/x", DeviceKind::Char, -1),
        device("/dev/x", DeviceKind::Char, 1 << 40),
    ] {
        assert!(plan(&with(device.clone())).is_err(), "{device:?}");
    }
}
