use spec::ContainerId;

use super::{Stored, StoredMount};
use crate::container::{Config, HostConfig, RestartPolicy, mounts};
use crate::network::EndpointRequest;

fn stored() -> Stored {
    let host = HostConfig {
        network_mode: "none".to_owned(),
        binds: vec!["/a:/b:ro".to_owned()],
        restart_policy: RestartPolicy {
            name: "no".to_owned(),
            maximum_retry_count: 0,
        },
        init: Some(false),
        ..HostConfig::default()
    };
    let config = Config {
        image: "busybox".to_owned(),
        tty: true,
        ..Config::default()
    };
    Stored {
        v: Stored::VERSION,
        mounts: mounts::plan(&config, &host).unwrap(),
        args: vec!["sh".to_owned()],
        config,
        host,
        os: "linux".to_owned(),
        networks: [("bridge".to_owned(), EndpointRequest::default())].into(),
    }
}

#[test]
fn a_row_says_only_what_is_not_as_usual() {
    let text = stored().to_json().unwrap();
    assert!(text.len() < 700, "{} bytes: {text}", text.len());
    assert!(!text.contains("nano_cpus"));
    let read = Stored::parse(&ContainerId::from_bytes([1; 32]), &text).unwrap();
    assert_eq!(read.config, stored().config);
    assert_eq!(read.host, stored().host);
    assert_eq!(read.networks, stored().networks);
    assert!(text.contains("\"networks\":{\"bridge\":{}}"), "{text}");
    assert_eq!(read.mounts, stored().mounts);
    assert_eq!(read.args, ["sh"]);
}

#[test]
fn a_point_is_what_users_see() {
    let mounts = stored().mounts;
    let StoredMount { destination, .. } = &mounts[0];
    let point = mounts[0].point(std::path::Path::new("/v"));
    assert_eq!(&point.destination, destination);
    assert_eq!(
        (point.source.as_str(), point.rw, point.mode.as_str()),
        ("/a", false, "ro")
    );
}
