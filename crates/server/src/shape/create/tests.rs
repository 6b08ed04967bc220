use super::*;

fn request(json: &str) -> Answer<CreateRequest> {
    decode(None, None, api::decode(json.as_bytes()).unwrap())
}

#[test]
fn what_docker_sends_for_a_run() {
    let json = include_str!("../../../../api/test_data/run-d.json");
    let made = request(json).unwrap();
    assert_eq!(made.config.entrypoint, Some(vec!["/bin/sh".to_owned()]));
    assert_eq!(
        made.config.cmd,
        Some(vec!["-c".to_owned(), "ls".to_owned()])
    );
    assert_eq!(
        (made.host.memory, made.host.pids_limit),
        (64 << 20, Some(20))
    );
    assert_eq!(made.host.memory_swappiness, None);
    assert_eq!(made.host.network_mode, "none");
    assert!(made.host.auto_remove && !made.host.oom_kill_disable);
    assert!(made.host.blkio_read_bps.is_empty() && !made.host.device_requests);
}

#[test]
fn the_network_may_stand_in_either_place() {
    let made = request(r#"{"NetworkingConfig":{"EndpointsConfig":{"host":null}}}"#).unwrap();
    assert_eq!(made.host.network_mode, "host");
    let two = r#"{"NetworkingConfig":{"EndpointsConfig":{"a":{},"b":{}}}}"#;
    let both = request(two).unwrap();
    let names: Vec<_> = both.networks.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn what_can_not_be_told_to_the_engine_is_refused() {
    for json in [
        r#"{"HostConfig":{"Mounts":[{"Type":"floppy"}]}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","TmpfsOptions":{"Options":[["noexec"]]}}]}}"#,
        r#"{"HostConfig":{"Cgroup":"container:x"}}"#,
    ] {
        assert!(request(json).is_err(), "{json}");
    }
    assert!(
        decode(
            None,
            Some("a/b/c/d"),
            api::container::CreateRequest::default()
        )
        .is_err()
    );
    let limits = r#"{"HostConfig":{"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}]}}"#;
    assert_eq!(request(limits).unwrap().host.blkio_read_bps[0].rate, 1);
}

#[test]
fn a_configuration_survives_the_way_there_and_back() {
    let json = include_str!("../../../../api/test_data/run-d.json");
    let sent: api::container::CreateRequest = api::decode(json.as_bytes()).unwrap();
    let made = request(json).unwrap();
    let mut shown = encode_config(made.config);
    // Docker's CLI sends an empty set where inspection shows null.
    shown.volumes = sent.config.volumes.clone();
    assert_eq!(shown, sent.config);
    let mut host = host::encode(made.host);
    assert_eq!(host.log_config.kind, "json-file");
    host.log_config = sent.host_config.log_config.clone();
    host.memory_swappiness = sent.host_config.memory_swappiness;
    assert_eq!(host, sent.host_config);
}
